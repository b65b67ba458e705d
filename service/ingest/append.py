"""Group commit: rows of many requests become few appends, and a request is answered when the log has acknowledged."""

import asyncio
import secrets
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import structlog

from service.domain.ids import Partition
from service.errors import LogSealed, LogUnavailable, Overloaded, Transient
from service.eventlog.codec import AnyRow
from service.eventlog.port import Draft, EventLog
from service.ingest.batch import PackedRows
from service.ingest.shares import Share, shares
from service.telemetry import Telemetry

LANES = 2
"""Appends in flight: one is encoded and sent while another one commits."""
MAX_APPEND_EVENTS = 20_000
APPEND_TIMEOUT_S = 10.0

log = structlog.get_logger()


@dataclass(slots=True)
class _Waiting:
    rows: Mapping[str, Sequence[AnyRow]]
    packed: Sequence[PackedRows]
    events: int
    since_s: float
    done: asyncio.Future[None]


@dataclass(slots=True)
class _Lane:
    """A producer of its own: its sequences reach the log in order because it has one append in flight at a time."""

    producer: str = field(default_factory=lambda: secrets.token_hex(8))
    sequences: dict[Partition, int] = field(default_factory=dict)

    def renew(self) -> None:
        """Begin again under another id: what became of the last sequences is not known, and a gap must mean loss."""
        self.producer = secrets.token_hex(8)
        self.sequences = {}

    def drafts(self, shares: Mapping[Partition, Share]) -> list[Draft]:
        """Records of these rows, sequences given out."""
        made: list[Draft] = []
        for partition in sorted(shares):
            first = self.sequences.get(partition, 0)
            encoded = shares[partition].encoded(self.producer, first)
            self.sequences[partition] = first + len(encoded)
            made.extend(Draft(partition, record.events, record.payload) for record in encoded)
        return made


class Appender:
    """Gathers rows and appends them: at once when nothing is in flight, else after `gather_ms` at the latest."""

    def __init__(self, event_log: EventLog, telemetry: Telemetry, *, gather_ms: float, backlog_events: int) -> None:
        self._log = event_log
        self._telemetry = telemetry
        self._gather_s = gather_ms / 1_000
        self._backlog_events = backlog_events
        self._waiting: deque[_Waiting] = deque()
        self._waiting_events = 0
        self._unanswered = 0
        self._free = [_Lane() for _ in range(LANES)]
        self._changed = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._closing = False

    async def append(self, rows: Mapping[str, Sequence[AnyRow]], packed: Sequence[PackedRows] = ()) -> None:
        """Make these rows durable, encoded ones and others; returns when the log has acknowledged all of them.

        Raises Overloaded when too much waits already, LogUnavailable when the log takes no writes: then
        it is not known whether the rows are in it, and sending them again makes duplicates, which are found.
        """
        events = sum(map(len, rows.values())) + sum(each.events for each in packed)
        if events == 0:
            return
        if self._closing:
            raise Overloaded("this process is stopping: try again, another one answers")
        if self._unanswered and self._unanswered + events > self._backlog_events:
            raise Overloaded(f"{self._unanswered:,} events wait for the log, and at most {self._backlog_events:,} may: try again")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append(_Waiting(rows, packed, events, loop.time(), done))
        self._waiting_events += events
        self._count(events)
        if len(self._waiting) == 1 or self._waiting_events >= MAX_APPEND_EVENTS:
            self._changed.set()  # those in between change nothing of when the next append is due
        await done

    async def run(self) -> None:
        """Append what waits, until cancelled; what waits then is told that it failed."""
        try:
            async with asyncio.TaskGroup() as lanes:
                while True:
                    await self._until_due()
                    lane = self._free.pop()
                    lanes.create_task(self._write(lane, self._take()))
        finally:
            self._closing = True
            self._fail(list(self._waiting), LogUnavailable("this process stopped before the events were appended"))
            self._waiting.clear()

    async def drain(self) -> None:
        """Take nothing more, and return when everything is answered."""
        self._closing = True
        await self._empty.wait()

    async def _until_due(self) -> None:
        """Until something waits, a lane is free, and either nothing is in flight or the gathering is over."""
        while True:
            self._changed.clear()
            if not self._waiting or not self._free:
                await self._changed.wait()
                continue
            gathered_s = asyncio.get_running_loop().time() - self._waiting[0].since_s
            left_s = self._gather_s - gathered_s
            if len(self._free) == LANES or left_s <= 0 or self._waiting_events >= MAX_APPEND_EVENTS:
                return
            try:
                async with asyncio.timeout(left_s):
                    await self._changed.wait()
            except TimeoutError:
                return

    def _take(self) -> list[_Waiting]:
        batch = [self._waiting.popleft()]
        events = batch[0].events
        while self._waiting and events + self._waiting[0].events <= MAX_APPEND_EVENTS:
            batch.append(self._waiting.popleft())
            events += batch[-1].events
        self._waiting_events -= events
        return batch

    async def _write(self, lane: _Lane, batch: list[_Waiting]) -> None:
        try:
            drafts = lane.drafts(shares([(each.rows, each.packed) for each in batch], self._log.partitions))
            await self._append(drafts)
        except Exception as error:  # noqa: BLE001 each of the requests raises it again
            lane.renew()
            log.warning("append failed", error=repr(error), requests=len(batch))
            self._fail(batch, error)
        except BaseException:
            self._fail(batch, LogUnavailable("this process stopped while the events were appended"))
            raise
        else:
            for waiting in batch:
                if not waiting.done.done():
                    waiting.done.set_result(None)
            self._count(-sum(waiting.events for waiting in batch))
        finally:
            self._free.append(lane)
            self._changed.set()

    async def _append(self, drafts: Sequence[Draft]) -> None:
        started_s = perf_counter()
        try:
            async with asyncio.timeout(APPEND_TIMEOUT_S):
                await self._log.append(drafts)
        except TimeoutError as error:
            raise LogUnavailable(f"the log did not acknowledge within {APPEND_TIMEOUT_S:g} s") from error
        self._telemetry.append_seconds.observe(perf_counter() - started_s)
        self._telemetry.append_events.observe(sum(draft.events for draft in drafts))

    def _fail(self, batch: Iterable[_Waiting], error: Exception) -> None:
        for waiting in batch:
            if not waiting.done.done():
                # A new one for each: a request adds its own traceback.
                kind = LogSealed if isinstance(error, LogSealed) else LogUnavailable
                waiting.done.set_exception(kind(str(error)) if isinstance(error, Transient) else error)
            self._count(-waiting.events)

    def _count(self, events: int) -> None:
        self._unanswered += events
        self._telemetry.append_backlog.set(self._unanswered)
        if self._unanswered:
            self._empty.clear()
        else:
            self._empty.set()
