"""Which topics are to be read, and whose they are: looked up again and again, so that changes need no restart."""

import asyncio
from collections.abc import Mapping, Sequence

import asyncpg
import structlog

from service.clock import Clock
from service.domain.config.kafka_source import is_of_the_log
from service.domain.topics import is_allowed
from service.store import sources
from service.store.engine import FAILURES
from service.store.sources import Binding

LOOK_INTERVAL_S = 5.0

log = structlog.get_logger(__name__)


class Bindings:
    """The topics that are bound, as of the last look."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock, *, log_prefix: str, topics: Sequence[str]) -> None:
        self._pool = pool
        self._clock = clock
        self._log_prefix = log_prefix
        self._topics = topics
        self._by_topic: Mapping[str, Binding] = {}
        self._changed = asyncio.Event()

    @property
    def by_topic(self) -> Mapping[str, Binding]:
        """The bindings; a new mapping whenever one has changed."""
        return self._by_topic

    async def keep(self) -> None:
        """Look for ever; while Postgres does not answer, what was found last stands."""
        while True:
            try:
                await self._look()
            except FAILURES as error:
                log.warning("source.bindings_unknown", error=str(error) or type(error).__name__)
            await asyncio.sleep(LOOK_INTERVAL_S)

    async def other_than(self, topics: frozenset[str]) -> None:
        """Return when the topics that are bound are not these."""
        while frozenset(self._by_topic) == topics:
            self._changed.clear()
            await self._changed.wait()

    async def _look(self) -> None:
        async with self._pool.acquire() as connection:
            found = await sources.bindings(connection, now_us=self._clock.now_us())
        # `apply` refuses these where it knows the settings; but a log must not be fed with itself, and settings change.
        found = {
            topic: binding
            for topic, binding in found.items()
            if not is_of_the_log(topic, self._log_prefix) and is_allowed(topic, binding.name, self._topics)
        }
        if found != self._by_topic:
            topics = {topic: binding.name for topic, binding in found.items()}
            log.info("source.bindings", topics=topics)
            self._by_topic = found
            self._changed.set()
