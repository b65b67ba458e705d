"""Appends in flight: which parcels are on their way into the log, and up to where everything is in it."""

import asyncio
from collections import deque
from dataclasses import dataclass

import structlog
from aiokafka import TopicPartition
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_never, wait_exponential_jitter

from service.errors import LogSealed, Transient
from service.ingest.append import Appender
from service.ingest.kafka.intake import Parcel
from service.lifecycle import cancel
from service.telemetry import Telemetry

MAX_PARCELS = 3
"""One is being appended, one waits for its turn, and one is being gathered."""
LONGEST_PAUSE_S = 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Sent:
    appending: asyncio.Task[None]
    following: dict[TopicPartition, int]


class Flight:
    """Parcels in the order in which they were read; a parcel counts as arrived when all before it have, too."""

    def __init__(self, appender: Appender, telemetry: Telemetry) -> None:
        self._appender = appender
        self._telemetry = telemetry
        self._sent: deque[_Sent] = deque()
        self._arrived: dict[TopicPartition, int] = {}

    @property
    def is_empty(self) -> bool:
        """Whether everything has arrived that was sent."""
        self._land()
        return not self._sent

    def send(self, parcel: Parcel) -> None:
        """Have a parcel appended; there must be `room`."""
        appending = asyncio.create_task(self._append(parcel), name="source-append")
        self._sent.append(_Sent(appending, parcel.following))

    async def room(self) -> None:
        """Wait until one more parcel may be sent; raises what an append can never succeed for."""
        while len(self._sent) >= MAX_PARCELS:
            await asyncio.wait([self._sent[0].appending])
            self._land()

    async def settle(self, timeout_s: float) -> bool:
        """Wait until everything has arrived; False when the time was over before."""
        if self._sent:
            await asyncio.wait([sent.appending for sent in self._sent], timeout=timeout_s)
        return self.is_empty

    def arrived(self) -> dict[TopicPartition, int]:
        """Offsets up to which every record is in the log (or was none of ours), by partition; raises as `room` does."""
        self._land()
        return dict(self._arrived)

    async def forget(self) -> None:
        """Give up what is on its way: these partitions are read by others now, or again."""
        # First out of sight, then cancelled: whoever waits for room must not find a cancelled append and end with it.
        given_up, self._sent = self._sent, deque()
        self._arrived.clear()
        await cancel([sent.appending for sent in given_up])

    def _land(self) -> None:
        while self._sent and self._sent[0].appending.done():
            self._sent[0].appending.result()
            self._arrived |= self._sent.popleft().following

    async def _append(self, parcel: Parcel) -> None:
        """Append until it succeeds: sent again after a doubtful end, the events are duplicates by their ids."""
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(_may_succeed_here),
            stop=stop_never,
            wait=wait_exponential_jitter(multiplier=0.1, max=LONGEST_PAUSE_S),
            before_sleep=self._say,
            reraise=True,
        ):
            with attempt:
                await self._appender.append(parcel.rows, parcel.packed)

    def _say(self, state: RetryCallState) -> None:
        self._telemetry.source_failures.labels("log").inc()
        log.warning("source.append_failed", error=str(state.outcome and state.outcome.exception()), tries=state.attempt_number)


def _may_succeed_here(error: BaseException) -> bool:
    """A sealed log takes nothing any more: what was read is read again for the next one."""
    return isinstance(error, Transient) and not isinstance(error, LogSealed)
