"""What Kafka's brokers answer, read as bytes: for the log and for sources, whose client makes an object of each record."""
