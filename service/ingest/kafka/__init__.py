"""The Kafka source: reads teams' own topics, appends their events to the log, then commits how far it came."""

from service.ingest.kafka.source import KafkaSource

__all__ = ["KafkaSource"]
