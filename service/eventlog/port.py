"""The event log's port: what ingest and aggregate need of it, whatever keeps it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from service.domain.ids import Offset, Partition


@dataclass(frozen=True, slots=True)
class Draft:
    """A record that is ready to be appended to one partition."""

    partition: Partition
    events: int
    """How many events (rejected ones included) the payload holds."""
    payload: bytes
    """At most `MAX_RECORD_BYTES`; made by eventlog/codec.py."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A record as it lies in the log."""

    partition: Partition
    offset: Offset
    events: int
    appended_us: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Extent:
    """What one partition holds: offsets `start` (kept) to `end` (the next to be given out)."""

    start: Offset
    end: Offset
    events: int
    """Events ever appended, up to `end`."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How far one partition has been read."""

    next: Offset
    events: int
    """Events of all records before it."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What lies in one partition from a position on, as of one instant."""

    end: Offset
    """The next offset to be given out."""
    appended: int
    """Events ever appended, up to `end`."""
    pending: int
    """Events of the records from the position up to `end`, counted from the records themselves."""
    oldest_us: int | None
    """When the first of those records was appended; None: there is none."""


MAX_RECORD_BYTES = 512 * 1024


class EventLog(Protocol):
    """A durable, partitioned, ordered log of records."""

    @property
    def partitions(self) -> int:
        """How many partitions this generation has."""
        ...

    @property
    def generation(self) -> int:
        """The log generation that is written to and read from."""
        ...

    async def append(self, drafts: Sequence[Draft]) -> Sequence[Offset]:
        """Append records; when this returns they are durable, in the order given within a partition.

        Raises LogUnavailable (nothing is known of the records then: they may be in the log or not), of which LogSealed
        says that this generation takes no more.
        """
        ...

    async def read(self, positions: Mapping[Partition, Offset], *, max_bytes: int, wait_s: float) -> Sequence[Stored]:
        """Records from these offsets on, in offset order within a partition, no gap stepped over.

        Waits up to `wait_s` seconds for the first record; an empty answer means that there is none.
        Raises OffsetOutOfRange for an offset before the log's start or past its end.
        """
        ...

    async def extents(self, of: Collection[Partition] | None = None) -> Mapping[Partition, Extent]:
        """What these partitions (None: all) hold at the moment."""
        ...

    async def lag(self, reached: Mapping[Partition, Reached]) -> Mapping[Partition, int]:
        """Events from these positions on; about how many where counting them would mean reading a long backlog."""
        ...

    async def backlog(self, positions: Mapping[Partition, Offset]) -> Mapping[Partition, Backlog]:
        """What lies from these offsets on; may read all of it.

        Raises OffsetOutOfRange for an offset before the log's start or past its end.
        """
        ...

    async def trim(self, keep_from: Mapping[Partition, Offset], *, older_than_us: int) -> int:
        """Drop records before `keep_from` that were appended before `older_than_us`; returns how many."""
        ...

    def consumed(self, positions: Mapping[Partition, Offset]) -> None:
        """Hear how far readers have come, for tools of the log's own kind; decides nothing, never fails."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
