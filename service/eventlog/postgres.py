"""The event log in Postgres: the embedded default, and for installations that want no Kafka."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager

import asyncpg

from service.clock import Clock
from service.domain.ids import Offset, Partition
from service.errors import LogMismatch, LogSealed, LogUnavailable
from service.eventlog.port import Backlog, Draft, EventLog, Extent, Reached, Stored
from service.eventlog.postgres_statements import (
    ADVANCE_STARTS,
    APPEND,
    BACKLOG,
    COUNT_PARTITIONS,
    DELETE_BEFORE_START,
    EXTENTS,
    FIND_STARTS,
    READ,
    SELECT_SEALED,
)
from service.eventlog.refusals import check_count, check_drafts, check_offset, check_partition, missing, sealed

ACQUIRE_TIMEOUT_S = 5.0
POLL_INTERVAL_S = 0.02
MAX_APPEND_BYTES = 16 * 1024 * 1024
MAX_READ_RECORDS = 2_000
MAX_TRIM_RECORDS = 2_000

# Anything that Postgres, the connection to it or the pool may say: the records are then in the log or not.
FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)


class PostgresLog(EventLog):
    """One generation of the log in the tables `log_partition` and `log_record`."""

    def __init__(self, pool: asyncpg.Pool, *, generation: int, partitions: int, clock: Clock) -> None:
        self._pool = pool
        self._generation = generation
        self._partitions = partitions
        self._clock = clock

    @classmethod
    async def open(cls, pool: asyncpg.Pool, *, generation: int, partitions: int, clock: Clock) -> "PostgresLog":
        """Open a generation that ensure_installation has made; the pool stays its owner's.

        Raises LogMismatch where the generation has another number of partitions, LogUnavailable.
        """
        log = cls(pool, generation=generation, partitions=partitions, clock=clock)
        async with log._connection() as connection:
            [(count, last)] = await connection.fetch(COUNT_PARTITIONS, generation)
        check_count(count, last, generation=generation, partitions=partitions)
        return log

    @property
    def partitions(self) -> int:
        """How many partitions this generation has."""
        return self._partitions

    @property
    def generation(self) -> int:
        """The log generation that is written to and read from."""
        return self._generation

    async def append(self, drafts: Sequence[Draft]) -> Sequence[Offset]:
        """Append records, one statement for every MAX_APPEND_BYTES of them; returns their offsets in the order given.

        Raises LogUnavailable (LogSealed where the next generation takes over), RecordTooLarge, and LogMismatch for a
        partition that there is not.
        """
        check_drafts(drafts, generation=self._generation, partitions=self._partitions)
        offsets: list[Offset] = []
        for parcel in _parcels(drafts):
            offsets += await self._append(parcel)
        return offsets

    async def _append(self, drafts: Sequence[Draft]) -> list[Offset]:
        partitions = [draft.partition for draft in drafts]
        async with self._connection() as connection:
            counted = await connection.fetch(
                APPEND,
                self._generation,
                partitions,
                [draft.events for draft in drafts],
                [draft.payload for draft in drafts],
                self._clock.now_us(),
            )
        if gone := set(partitions) - {row["partition"] for row in counted}:
            raise await self._not_taken(min(gone))
        following: dict[Partition, int] = {row["partition"]: row["first"] for row in counted}
        offsets: list[Offset] = []
        for partition in partitions:
            offsets.append(Offset(following[partition]))
            following[partition] += 1
        return offsets

    async def read(self, positions: Mapping[Partition, Offset], *, max_bytes: int, wait_s: float) -> Sequence[Stored]:
        """Records from these offsets on, at most MAX_READ_RECORDS a partition and `max_bytes` in all.

        Every partition that has records has one in the answer, whatever its size. Looks again every
        POLL_INTERVAL_S until there is one or `wait_s` is over.
        Raises OffsetOutOfRange, LogUnavailable, and LogMismatch for a partition that there is not.
        """
        self._check_partitions(positions)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        while True:
            records = await self._read(positions, max_bytes)
            left_s = deadline - loop.time()
            if records or left_s <= 0 or not positions:
                return records
            await asyncio.sleep(min(POLL_INTERVAL_S, left_s))

    async def _read(self, positions: Mapping[Partition, Offset], max_bytes: int) -> list[Stored]:
        async with self._connection() as connection:
            rows = await connection.fetch(
                READ, self._generation, list(positions), list(positions.values()), max_bytes, MAX_READ_RECORDS
            )
        following = dict(positions)
        records: list[Stored] = []
        for partition, start, end, offset, events, appended_us, payload in rows:
            expected = following[partition]
            if end is None:
                raise LogMismatch(self._gone(partition))
            check_offset(partition, expected, start=start, end=end)
            if offset is None and expected == end:
                continue
            if offset != expected:
                raise missing(partition, expected, start=start, end=end)
            records.append(Stored(partition, offset, events, appended_us, payload))
            following[partition] = Offset(expected + 1)
        return records

    async def extents(self, of: Collection[Partition] | None = None) -> Mapping[Partition, Extent]:
        """What these partitions (None: all) hold at the moment; raises LogUnavailable."""
        async with self._connection() as connection:
            rows = await connection.fetch(EXTENTS, self._generation, None if of is None else list(of))
        return {row["partition"]: Extent(row["start_offset"], row["next_offset"], row["events"]) for row in rows}

    async def lag(self, reached: Mapping[Partition, Reached]) -> Mapping[Partition, int]:
        """Events from these positions on; raises LogUnavailable."""
        found = await self.extents(reached)
        return {p: max(0, found[p].events - each.events) for p, each in reached.items() if p in found}

    async def backlog(self, positions: Mapping[Partition, Offset]) -> Mapping[Partition, Backlog]:
        """What lies from these positions on, in one statement; raises OffsetOutOfRange, LogUnavailable and LogMismatch."""
        self._check_partitions(positions)
        async with self._connection() as connection:
            rows = await connection.fetch(BACKLOG, self._generation, list(positions), list(positions.values()))
        found: dict[Partition, Backlog] = {}
        for partition, position, start, end, appended, pending, oldest_us in rows:
            if end is None:
                raise LogMismatch(self._gone(partition))
            check_offset(partition, position, start=start, end=end)
            found[partition] = Backlog(end, appended, pending, oldest_us)
        return found

    async def trim(self, keep_from: Mapping[Partition, Offset], *, older_than_us: int) -> int:
        """Drop records that every reader is past and that are old; returns how many.

        `keep_from`: the readers' next offsets; a partition that is not named keeps all it has. Starts are
        moved first, so that appends wait for no deletion. Raises LogUnavailable and LogMismatch.
        """
        self._check_partitions(keep_from)
        dropped = 0
        async with self._connection() as connection:
            starts = await connection.fetch(
                FIND_STARTS, self._generation, list(keep_from), list(keep_from.values()), older_than_us
            )
            await connection.execute(
                ADVANCE_STARTS, self._generation, [row["partition"] for row in starts], [row["start"] for row in starts]
            )
            while deleted := _affected(await connection.execute(DELETE_BEFORE_START, self._generation, MAX_TRIM_RECORDS)):
                dropped += deleted
        return dropped

    def consumed(self, positions: Mapping[Partition, Offset]) -> None:
        """Nobody to tell: the readers' progress lies in the same database."""

    async def close(self) -> None:
        """Nothing to let go of: the pool is its owner's."""

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
        try:
            async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
                yield connection
        except FAILURES as error:
            raise LogUnavailable(f"the event log in Postgres does not answer: {str(error) or type(error).__name__}") from error

    async def _not_taken(self, partition: int) -> LogSealed | LogMismatch:
        """The error for a partition that gave no offsets."""
        async with self._connection() as connection:
            if await connection.fetchval(SELECT_SEALED, self._generation):
                return sealed(self._generation)
        return LogMismatch(self._gone(partition))

    def _gone(self, partition: int) -> str:
        return f"partition {partition} of generation {self._generation} has gone from log_partition: restore the database"

    def _check_partitions(self, positions: Mapping[Partition, Offset]) -> None:
        for partition in positions:
            check_partition(partition, generation=self._generation, partitions=self._partitions)


def _parcels(drafts: Sequence[Draft]) -> Iterator[list[Draft]]:
    """Drafts in the order given, cut so that no statement carries more than MAX_APPEND_BYTES."""
    parcel: list[Draft] = []
    size = 0
    for draft in drafts:
        if parcel and size + len(draft.payload) > MAX_APPEND_BYTES:
            yield parcel
            parcel, size = [], 0
        parcel.append(draft)
        size += len(draft.payload)
    if parcel:
        yield parcel


def _affected(status: str) -> int:
    """The count in a command's status, as in `DELETE 3`."""
    return int(status.rsplit(" ", 1)[-1])
