"""Ids of stored events in memory: sorted runs a bucket, bounded in bytes (docs/adr/0003).

Not shared between threads but for `contains`, which only reads a tuple of runs that is replaced as a whole.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from service.aggregate.records.compiling import compiled
from service.domain.identity import HASH_BYTES
from service.store.ids import Bucket

Words = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

BUCKET_BYTES = 400
"""What a bucket takes beside its ids."""
GROWTH = 2
"""A run is merged with the one before unless that is so many times as long: a bucket has few runs."""


@dataclass(frozen=True, slots=True)
class Run:
    """Ids as two halves, in the order of the first; `batch` that has not committed them yet, or None."""

    hi: Words
    lo: Words
    batch: int | None = None

    def contains(self, hi: Words, lo: Words) -> Mask:
        """Whether each id is among these; fastest for ids in the order of `hi`."""
        found = np.zeros(len(hi), dtype=np.bool_)
        mark_held(self.hi, self.lo, np.ascontiguousarray(hi), np.ascontiguousarray(lo), found)
        return found


def prepare() -> None:
    """Have everything compiled."""
    run = Run(np.zeros(1, dtype=np.uint64), np.zeros(1, dtype=np.uint64))
    run.contains(run.hi, run.lo)
    _merged(run, run)


@compiled
def mark_held(held_hi: Words, held_lo: Words, hi: Words, lo: Words, found: Mask) -> None:
    """Mark the ids that are among those held, which stand in the order of their first half.

    Each is looked for from where the one before it was, in steps that double: ids in order walk what is held once.
    """
    size, place = len(held_hi), 0
    for row in range(len(hi)):
        wanted = hi[row]
        if place > 0 and held_hi[place - 1] >= wanted:
            place = 0
        step = 1
        while place + step <= size and held_hi[place + step - 1] < wanted:
            place += step
            step *= 2
        end = min(size, place + step - 1)
        while place < end:
            middle = (place + end) // 2
            if held_hi[middle] < wanted:
                place = middle + 1
            else:
                end = middle
        # Different ids with the same first half are next to never: the loop runs once.
        at = place
        while at < size and held_hi[at] == wanted and not found[row]:
            found[row] = held_lo[at] == lo[row]
            at += 1


def _merged(one: Run, other: Run) -> Run:
    size = len(one.hi) + len(other.hi)
    hi, lo = np.empty(size, dtype=np.uint64), np.empty(size, dtype=np.uint64)
    merge(one.hi, one.lo, other.hi, other.lo, hi, lo)
    return Run(hi, lo)


@compiled
def merge(one_hi: Words, one_lo: Words, other_hi: Words, other_lo: Words, hi: Words, lo: Words) -> None:
    """Lay two runs of ids together, both in the order of their first half; of equal ones the first run's come first."""
    one, other = 0, 0
    for place in range(len(hi)):
        if other == len(other_hi) or (one < len(one_hi) and one_hi[one] <= other_hi[other]):
            hi[place], lo[place] = one_hi[one], one_lo[one]
            one += 1
        else:
            hi[place], lo[place] = other_hi[other], other_lo[other]
            other += 1


@dataclass(slots=True)
class _Held:
    runs: tuple[Run, ...] = ()
    pins: int = 0

    @property
    def size_bytes(self) -> int:
        return BUCKET_BYTES + HASH_BYTES * sum(len(run.hi) for run in self.runs)

    @property
    def ids(self) -> int:
        return sum(len(run.hi) for run in self.runs)

    def settle(self) -> None:
        """Merge runs of like lengths."""
        runs = list(self.runs)
        while len(runs) > 1 and len(runs[-2].hi) < GROWTH * len(runs[-1].hi):
            runs[-2:] = [_merged(*runs[-2:])]
        self.runs = tuple(runs)


@dataclass(slots=True)
class SeenIds:
    """Buckets of ids, the least recently used of which make room; those that batches under way need stay."""

    max_bytes: int
    size_bytes: int = 0
    _held: OrderedDict[Bucket, _Held] = field(default_factory=OrderedDict)
    _pinned: dict[int, set[Bucket]] = field(default_factory=dict)

    @property
    def ids(self) -> int:
        """How many ids are held."""
        return sum(held.ids for held in self._held.values())

    def missing(self, buckets: Iterable[Bucket]) -> list[Bucket]:
        """Name the buckets that have to be loaded."""
        return [bucket for bucket in buckets if bucket not in self._held]

    def add(self, wanted: Collection[Bucket], loaded: Mapping[Bucket, bytes]) -> None:
        """Hold what was loaded: packed hashes a bucket, in any order; those that are not in `loaded` are empty."""
        for bucket in wanted:
            halves = np.frombuffer(loaded.get(bucket, b""), dtype=">u8").astype(np.uint64).reshape(-1, 2)
            order = np.argsort(halves[:, 0])
            held = _Held(runs=(Run(halves[order, 0], halves[order, 1]),) if len(halves) else ())
            self._held[bucket] = held
            self.size_bytes += held.size_bytes

    def pin(self, batch: int, buckets: Collection[Bucket]) -> None:
        """Keep buckets until the batch is committed or dropped."""
        mine = self._pinned.setdefault(batch, set())
        for bucket in buckets:
            if bucket in self._held and bucket not in mine:
                mine.add(bucket)
                self._held[bucket].pins += 1
                self._held.move_to_end(bucket)

    def contains(self, bucket: Bucket, hi: Words, lo: Words) -> Mask:
        """Whether each id is in the bucket, stored or about to be."""
        found = np.zeros(len(hi), dtype=np.bool_)
        for run in self._held[bucket].runs:
            found |= run.contains(hi, lo)
        return found

    def stage(self, batch: int, bucket: Bucket, hi: Words, lo: Words) -> None:
        """Add ids that the batch is about to store, in the order of `hi`: batches after it see them."""
        held = self._held[bucket]
        held.runs = (*held.runs, Run(hi, lo, batch))
        self.size_bytes += HASH_BYTES * len(hi)

    def commit(self, batch: int) -> None:
        """Keep the batch's ids for good, and make room."""
        for bucket in self._pinned.pop(batch, ()):
            held = self._held[bucket]
            held.pins -= 1
            held.runs = tuple(Run(run.hi, run.lo) if run.batch == batch else run for run in held.runs)
            if held.pins == 0:
                held.settle()
        self._make_room()

    def drop_pending(self) -> None:
        """Forget the buckets of all batches under way, after a failure: what Postgres holds of them is not known."""
        for bucket in set[Bucket]().union(*self._pinned.values()):
            self.size_bytes -= self._held.pop(bucket).size_bytes
        self._pinned.clear()

    def forget(self, partitions: Collection[int]) -> None:
        """Let go of partitions that others work on from now on."""
        for bucket in [bucket for bucket in self._held if bucket.partition in partitions]:
            self.size_bytes -= self._held.pop(bucket).size_bytes

    def _make_room(self) -> None:
        if self.size_bytes <= self.max_bytes:
            return
        for bucket in [bucket for bucket, held in self._held.items() if not held.pins]:
            if self.size_bytes <= self.max_bytes:
                return
            self.size_bytes -= self._held.pop(bucket).size_bytes
