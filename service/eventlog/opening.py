"""Which log an installation has, and opening it."""

from typing import Final

import asyncpg

from service.clock import Clock
from service.eventlog.kafka import KafkaConnection, KafkaLog, TopicPlan
from service.eventlog.port import EventLog
from service.eventlog.postgres import PostgresLog
from service.settings import Settings

POSTGRES: Final = "postgres"
KAFKA: Final = "kafka"


def log_kind(settings: Settings) -> str:
    """`kafka` where brokers are configured, else `postgres`."""
    return POSTGRES if settings.kafka_bootstrap is None else KAFKA


async def open_log(
    settings: Settings, pool: asyncpg.Pool, *, generation: int, partitions: int, clock: Clock, kind: str
) -> EventLog:
    """Open the log of an installation; the pool stays its owner's.

    Raises LogMismatch, LogUnavailable, and InvalidSettings for what Kafka cannot be made with.
    """
    if kind == POSTGRES:
        return await PostgresLog.open(pool, generation=generation, partitions=partitions, clock=clock)
    connection, plan = KafkaConnection.of(settings), TopicPlan.of(settings)
    return await KafkaLog.open(connection, plan, pool, generation=generation, partitions=partitions, clock=clock)
