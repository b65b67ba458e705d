"""The role `source`: one session after another, each with the topics that are bound at the time."""

import asyncio
from dataclasses import replace
from typing import Any, Final

import structlog

from service.errors import LogSealed
from service.eventlog.kafka import KafkaConnection
from service.eventlog.kafka.connection import FAILURES
from service.ingest.append import Appender
from service.ingest.backlog import LogBacklog
from service.ingest.kafka.bindings import Bindings
from service.ingest.kafka.flight import Flight
from service.ingest.kafka.intake import Intake
from service.ingest.kafka.session import Session
from service.lifecycle import cancel
from service.telemetry import Telemetry

LEAST_SESSION_S: Final = 6.0
"""What brokers take for the least time after which a silent process's partitions go to others."""
REBALANCE_TIMEOUT_S: Final = 30.0
REQUEST_TIMEOUT_S: Final = 40.0
"""More than a rebalance may take, for joining the group is a request."""
METADATA_AGE_S: Final = 5.0
"""How soon new partitions and topics are seen."""
PAUSE_S: Final = 1.0

log = structlog.get_logger(__name__)


class KafkaSource:
    """Reads the bound topics in a consumer group; any number of processes share the partitions."""

    def __init__(
        self,
        connection: KafkaConnection,
        *,
        group: str,
        silence_s: float,
        bindings: Bindings,
        intake: Intake,
        appender: Appender,
        backlog: LogBacklog,
        telemetry: Telemetry,
    ) -> None:
        self._connection = replace(connection, request_timeout_s=REQUEST_TIMEOUT_S)
        self._group = group
        self._session_s = max(silence_s, LEAST_SESSION_S)
        self._bindings = bindings
        self._intake = intake
        self._appender = appender
        self._backlog = backlog
        self._telemetry = telemetry
        self._session: Session | None = None
        self._failure = ""

    @property
    def standing(self) -> tuple[bool, str]:
        """Whether all is read that is bound, and a few words about it."""
        if not self._bindings.by_topic:
            return True, "no topic is bound"
        if self._session is None or not self._session.has_joined:
            return False, self._failure or "has not joined its group yet"
        trouble = self._session.trouble
        return not trouble, trouble or f"reads {len(self._bindings.by_topic)} topics"

    async def run(self, stop: asyncio.Event) -> None:
        """Read until `stop`; raises what no append can ever succeed for."""
        looking = asyncio.create_task(self._bindings.keep(), name="bindings")
        try:
            while not stop.is_set():
                topics = frozenset(self._bindings.by_topic)
                ended = asyncio.create_task(self._ended(stop, topics), name="source-ended")
                try:
                    if topics:
                        await self._read(topics, ended)
                    await ended
                finally:
                    await cancel([ended])
        finally:
            await cancel([looking])

    async def _ended(self, stop: asyncio.Event, topics: frozenset[str]) -> None:
        """Until the stop is asked for, or other topics are bound."""
        waiting = [asyncio.create_task(stop.wait()), asyncio.create_task(self._bindings.other_than(topics))]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    async def _read(self, topics: frozenset[str], ended: asyncio.Task[None]) -> None:
        """Session after session until `ended`: whatever Kafka says, the next one may go better."""
        while not ended.done():
            self._session = Session(
                self._consumer(),
                topics=topics,
                bindings=self._bindings,
                intake=self._intake,
                flight=Flight(self._appender, self._telemetry),
                backlog=self._backlog,
                telemetry=self._telemetry,
            )
            try:
                await self._session.run(ended)
                self._failure = ""
            except LogSealed as error:
                log.info("source.moves", why=str(error))
                await asyncio.wait([ended], timeout=PAUSE_S)
            except FAILURES as error:
                self._failure = f"{self._connection.bootstrap} does not answer: {str(error) or type(error).__name__}"
                self._telemetry.source_failures.labels("kafka").inc()
                log.warning("source.recovers", error=self._failure, again_in_s=PAUSE_S)
                await asyncio.wait([ended], timeout=PAUSE_S)
            finally:
                self._session = None

    def _consumer(self) -> Any:
        return self._connection.consumer(
            group_id=self._group,
            session_timeout_ms=int(self._session_s * 1_000),
            heartbeat_interval_ms=int(self._session_s * 1_000 / 4),
            rebalance_timeout_ms=int(REBALANCE_TIMEOUT_S * 1_000),
            isolation_level="read_committed",
            metadata_max_age_ms=int(METADATA_AGE_S * 1_000),
        )
