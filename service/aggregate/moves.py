"""How far a batch moves the offsets, and how much of a read it takes."""

from collections.abc import Mapping, Sequence

from service.aggregate.batch import Batch
from service.domain.ids import Offset, Partition
from service.errors import LeaseLost
from service.eventlog.port import Stored
from service.store.flush import Move
from service.store.leases import Lease


def within_limit(records: Sequence[Stored], most_events: int) -> list[Stored]:
    """Cut a read at so many events; what is cut is read again. The first record is always in."""
    taken: list[Stored] = []
    events = 0
    for record in records:
        events += record.events
        if taken and events > most_events:
            break
        taken.append(record)
    return taken


def moves_of(batch: Batch, held: Mapping[Partition, Lease], drained: Mapping[Partition, Offset], looked_us: int) -> list[Move]:
    """Move the batch's partitions to where it ends, and note those that were seen empty at `looked_us`.

    Raises LeaseLost when a partition of the batch is held no more.
    """
    if gone := batch.spans.keys() - held.keys():
        raise LeaseLost(f"the partitions {sorted(gone)} were taken by another worker while a batch of theirs was prepared")
    moves = [
        Move(partition, held[partition].epoch, span.first, span.next, span.events, span.newest_received_us, 0)
        for partition, span in batch.spans.items()
    ]
    moves += [
        Move(partition, held[partition].epoch, offset, offset, 0, 0, looked_us)
        for partition, offset in drained.items()
        if partition in held
    ]
    return moves
