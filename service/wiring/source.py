"""The role `source`, built: the reader of teams' own topics before the group commit of this process."""

import asyncio
from typing import Final

from service.errors import InvalidSettings
from service.eventlog.kafka import KafkaConnection
from service.expose import readiness
from service.following import follow, until_stopped_or_moved
from service.ingest.append import Appender
from service.ingest.backlog import LogBacklog
from service.ingest.kafka import KafkaSource
from service.ingest.kafka.bindings import Bindings
from service.ingest.kafka.intake import Intake
from service.lifecycle import cancel
from service.settings import Settings
from service.store.installation import Installation
from service.wiring.base import Base, appender, backlog, base, decoder, operations

CONNECTIONS: Final = 3


async def run_source(settings: Settings, url: str) -> None:
    """Append the events of the topics that are bound until it is asked to stop; raises InvalidSettings without brokers."""
    await follow(lambda current: _source_on(current, url), settings)


async def _source_on(settings: Settings, url: str) -> Installation | None:
    async with base(settings, url, role="source", connections=CONNECTIONS) as made:
        door, waiting = appender(made), backlog(made)
        source = kafka_source(made, door, waiting)
        appending = asyncio.create_task(door.run(), name="appender")
        looking = asyncio.create_task(waiting.keep(), name="backlog")
        checks = {"topics": readiness.topics(lambda: source.standing)}
        try:
            async with operations(made, "source", checks), until_stopped_or_moved(made.pool, made.installation) as ending:
                # Without its appender nothing that was read would ever arrive.
                appending.add_done_callback(lambda _: ending.stop.set())
                await source.run(ending.stop)
            if appending.done():
                appending.result()
        finally:
            await cancel([appending, looking])
    return ending.next


def kafka_source(made: Base, door: Appender, waiting: LogBacklog) -> KafkaSource:
    """The reader of the bound topics; raises InvalidSettings where no brokers are named."""
    brokers = made.settings.source_bootstrap
    if brokers is None:
        raise InvalidSettings("no brokers hold topics to read: set TIDEGAUGE_KAFKA_SOURCE_BOOTSTRAP=HOST:PORT,…")
    return KafkaSource(
        KafkaConnection.of(made.settings, brokers),
        group=made.settings.kafka_source_group,
        silence_s=made.settings.lease_s,
        bindings=Bindings(made.pool, made.clock, log_prefix=made.settings.kafka_topic_prefix, topics=made.settings.source_topics),
        intake=Intake(
            decoder(made),
            made.clock,
            made.telemetry,
            max_record_events=made.settings.max_request_events,
            max_unpacked_bytes=made.settings.kafka_source_max_unpacked_bytes,
        ),
        appender=door,
        backlog=waiting,
        telemetry=made.telemetry,
    )
