"""The event log in Kafka: for installations that scale out."""

from service.eventlog.kafka.connection import KafkaConnection
from service.eventlog.kafka.log import KafkaLog
from service.eventlog.kafka.topic import TopicPlan

__all__ = ["KafkaConnection", "KafkaLog", "TopicPlan"]
