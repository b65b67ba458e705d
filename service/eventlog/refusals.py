"""What every kind of log refuses, in the same words: no such partition, offset or room."""

from collections.abc import Iterable

from service.domain.ids import Offset, Partition
from service.errors import LogMismatch, LogSealed, OffsetOutOfRange, RecordTooLarge
from service.eventlog.port import MAX_RECORD_BYTES, Draft


def check_drafts(drafts: Iterable[Draft], *, generation: int, partitions: int) -> None:
    """Raise LogMismatch or RecordTooLarge, before anything is appended."""
    for draft in drafts:
        check_partition(draft.partition, generation=generation, partitions=partitions)
        if len(draft.payload) > MAX_RECORD_BYTES:
            raise RecordTooLarge(
                f"a record of {len(draft.payload)} bytes: the log takes at most {MAX_RECORD_BYTES}; let the codec split it"
            )


def check_count(found: int, last: int | None, *, generation: int, partitions: int) -> None:
    """Raise LogMismatch unless a generation has the partitions 0 to `partitions` - 1 (`last`: the greatest that it has)."""
    if (found, last) != (partitions, partitions - 1):
        raise LogMismatch(
            f"generation {generation} of the log has {found} partitions, not {partitions}: the count is fixed when a "
            f"generation is made; set TIDEGAUGE_PARTITIONS={found}, or open another with `tidegauge repartition`"
        )


def check_partition(partition: Partition, *, generation: int, partitions: int) -> None:
    """Raise LogMismatch for a partition that the generation does not have."""
    if not 0 <= partition < partitions:
        raise LogMismatch(f"there is no partition {partition}: generation {generation} of the log has {partitions}")


def check_offset(partition: Partition, offset: Offset, *, start: int, end: int) -> None:
    """Raise OffsetOutOfRange unless `start` ≤ offset ≤ `end` (at the end there is nothing yet)."""
    if not start <= offset <= end:
        raise OffsetOutOfRange(
            f"offset {offset} of partition {partition} is not in the log, which holds {start} to {end}: records were lost, "
            f"or the log was replaced; compare partition_progress with the log before going on"
        )


def missing(partition: Partition, offset: Offset, *, start: int, end: int) -> OffsetOutOfRange:
    """The error for a record that is not there although the log holds its offset."""
    return OffsetOutOfRange(
        f"record {offset} of partition {partition} is missing, though the log holds {start} to {end}: restore it, then read on"
    )


def sealed(generation: int) -> LogSealed:
    """The error for an append to a generation that takes no more."""
    return LogSealed(
        f"generation {generation} of the log takes no more events, for `tidegauge repartition` drains it and opens the next one: "
        f"try again"
    )
