#!/usr/bin/env bash
# Send a file of events to tidegauge through Kafka with kcat: none is lost, none counts twice.
#
#     bash kcat.sh 127.0.0.1:9092 product-events events.ndjson
#
# Needs kcat 1.7; the topic is one that the tenant's configuration names as a source. The file has an event a line, each with its
# id and its time. What was not acknowledged is sent again by kcat itself; if that does not help in two minutes, the whole file is
# sent again: the ids make copies harmless. The exit code is 1 when the file could not be delivered; send it again later.
#
# Nobody answers what is wrong with an event: those that are rejected lie in the dead letters, and the ledger counts them by source.
set -euo pipefail

brokers=$1 topic=$2 file=$3

# Longer from attempt to attempt, and at random, so that clients do not come back all at once.
for below_s in 0 1 2 4 8 16 30 30; do
  ((below_s == 0)) || sleep "$((RANDOM % below_s)).$((RANDOM % 10))"
  # -E: brokers that are away for a while are no reason to end. All replicas in sync have a record before it counts as sent.
  if kcat -P -E -b "$brokers" -t "$topic" -l "$file" -H content-type=application/cloudevents+json -z gzip \
    -X acks=all -X enable.idempotence=true -X message.timeout.ms=120000 -X queue.buffering.max.messages=10000; then
    exit 0
  fi
done
echo "$file was not delivered: send it again" >&2
exit 1
