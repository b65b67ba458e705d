"""Distributions as sparse histograms: which bin an integer falls into, and what the bins say of percentiles.

64 bins an octave (base 2, scale 6, the layout of OpenTelemetry's exponential histograms), with bounds
that are integers: bin k + 1 holds the integers from ⌈2^(k/64)⌉ up to, not including, ⌈2^((k+1)/64)⌉. Bin 0 is
zero, bin -b the mirror of bin b. Beyond ±2^82 the last bin takes all. A bin with its count is one int64:
`(bin << 48) | count`; an array of them is in ascending order, which is the order of the values.
"""

from fractions import Fraction
from math import ceil, isqrt
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

COUNT_BITS: Final = 48
MAX_COUNT: Final = (1 << 47) - 1
"""The most that one packed entry counts; a fuller bin has several entries."""
BINS_PER_OCTAVE: Final = 64
OCTAVES: Final = 82
COUNT_MASK: Final = (1 << COUNT_BITS) - 1
MANY_ENTRIES: Final = 1_000
"""From here on entries are added up without being sorted."""
ENTRIES_AT_ONCE: Final = 1 << 15
_WIRE: Final = np.dtype([("length", ">i4"), ("packed", ">i8")])


def _bounds() -> tuple[int, ...]:
    """⌈2^(k/64)⌉ for every k, by integer roots: no float ever decides on a bin."""
    shift = OCTAVES + 2
    octave = []
    for step in range(BINS_PER_OCTAVE):
        root = 1 << (step + BINS_PER_OCTAVE * shift)
        for _ in range(6):
            root = isqrt(root)
        octave.append(root)
    return tuple(
        (octave[step] >> (shift - power)) + (1 if step else 0) for power in range(OCTAVES) for step in range(BINS_PER_OCTAVE)
    )


BOUNDS: Final = _bounds()
"""The least integer of each positive bin (where two are equal, the first of the two bins is empty)."""
LAST_BIN: Final = len(BOUNDS)
_NARROW: Final = np.array([bound for bound in BOUNDS if bound < 1 << 63], dtype=np.int64)


def bin_of(values: Ints) -> Ints:
    """Bins of int64 values, any sign, in their order (the least int64 has no mirror: take `columns.bin_of_wide`)."""
    if values.size and values.min() < 0:
        return np.sign(values) * np.searchsorted(_NARROW, np.abs(values), side="right")
    return np.searchsorted(_NARROW, values, side="right").astype(np.int64, copy=False)


def edges(number: int) -> tuple[int, int]:
    """The least and the greatest integer that a bin can hold."""
    if number < 0:
        low, high = edges(-number)
        return -high, -low
    if number == 0:
        return 0, 0
    return BOUNDS[number - 1], max(BOUNDS[min(number, len(BOUNDS) - 1)] - 1, BOUNDS[number - 1])


def representative(number: int) -> float:
    """The value that stands for a bin: at most 0.55 % from all that it holds, exact where that is one integer."""
    low, high = edges(number)
    return low if low == high else 2 * low * high / (low + high)


def pack(bins: Ints, counts: Ints) -> Ints:
    """One int64 a bin, in ascending order; the inverse of `split`."""
    bins, counts = _summed(bins, counts)
    row, counts = entries(counts)
    return (bins[row] << COUNT_BITS) | counts


def entries(counts: Ints) -> tuple[Ints, Ints]:
    """Cut counts into what one packed entry may hold: the row that each entry is of, and its count."""
    row = np.arange(len(counts))
    if not counts.size or counts.max() <= MAX_COUNT:
        return row, counts
    pieces = np.maximum(-(-counts // MAX_COUNT), 1)
    cut = np.full(int(pieces.sum()), MAX_COUNT, dtype=np.int64)
    cut[np.cumsum(pieces) - 1] = counts - (pieces - 1) * MAX_COUNT
    return np.repeat(row, pieces), cut


def split(packed: Ints) -> tuple[Ints, Ints]:
    """Bins, ascending and each once, and their counts; entries of one bin are added up."""
    return _summed(packed >> COUNT_BITS, packed & COUNT_MASK)


def unpack(*sent: bytes) -> tuple[Ints, Ints]:
    """Bins and counts of what Postgres's `array_send(bigint[])` gives after its 20 bytes of header.

    Of several arrays, in one piece behind one another or in several: entries of one bin are added up.
    """
    if sum(map(len, sent)) <= MANY_ENTRIES * _WIRE.itemsize:
        return split(np.frombuffer(b"".join(sent), dtype=_WIRE)["packed"].astype(np.int64))
    # There are few bins: a place for each, to which some entries are added at a time, as many as stay in the processor's memory.
    sums = np.zeros(2 * LAST_BIN + 1, dtype=np.int64)
    for piece in sent:
        entries_sent = np.frombuffer(piece, dtype=_WIRE)["packed"]
        for begin in range(0, len(entries_sent), ENTRIES_AT_ONCE):
            packed = entries_sent[begin : begin + ENTRIES_AT_ONCE].astype(np.int64)
            np.add.at(sums, (packed >> COUNT_BITS) + LAST_BIN, packed & COUNT_MASK)
    places = np.flatnonzero(sums)
    return places - LAST_BIN, sums[places]


def merge(*packed: Ints) -> Ints:
    """One histogram of several."""
    return pack(*split(np.concatenate(packed))) if packed else np.empty(0, dtype=np.int64)


def percentile(bins: Ints, counts: Ints, q: float, least: int, greatest: int) -> float | None:
    """The value of nearest rank ⌈q·n⌉ within 0.55 %, for 0 ≤ q ≤ 1; None of an empty histogram.

    Bins ascend, each once. The answer lies in [least, greatest], so that constant data is exact; the first
    and the last rank are `least` and `greatest` themselves.
    """
    total = int(counts.sum())
    if total == 0:
        return None
    rank = max(1, ceil(Fraction(str(q)) * total))
    if rank == 1:
        return least
    if rank >= total:
        return greatest
    number = int(bins[np.searchsorted(np.cumsum(counts), rank, side="left")])
    return max(least, min(greatest, representative(number)))


def share_within(bins: Ints, counts: Ints, limit: int, least: int, greatest: int) -> Fraction | None:
    """The share of values ≤ limit, where the limit may be off by 1 %; None of an empty histogram.

    A bin counts when its greatest value is at most 1 % above the limit; what `least` and `greatest` decide is exact.
    """
    total = int(counts.sum())
    if total == 0:
        return None
    if limit >= greatest:
        return Fraction(1)
    if limit < least:
        return Fraction(0)
    allowed = 100 * limit + abs(limit)
    within = sum(int(count) for number, count in zip(bins, counts, strict=True) if 100 * edges(int(number))[1] <= allowed)
    return Fraction(within, total)


def variance(bins: Ints, counts: Ints, mean: float) -> float | None:
    """The sample variance of the values, each taken for its bin's representative (within 0.55 %); None of fewer than two."""
    total = int(counts.sum())
    if total <= 1:
        return None
    away = np.array([representative(int(number)) for number in bins]) - mean
    return float((counts * away**2).sum()) / (total - 1)


def _summed(bins: Ints, counts: Ints) -> tuple[Ints, Ints]:
    if not bins.size:
        return bins, counts
    if bins.size > MANY_ENTRIES:
        # There are few bins: adding into a place for each takes a sixth of the time of sorting a month of many series.
        least = int(bins.min())
        sums, there = np.zeros(int(bins.max()) - least + 1, dtype=np.int64), np.zeros(int(bins.max()) - least + 1, dtype=np.bool_)
        np.add.at(sums, bins - least, counts)
        there[bins - least] = True
        places = np.flatnonzero(there)
        return places + least, sums[places]
    order = np.argsort(bins, kind="stable")
    bins, counts = bins[order], counts[order]
    starts = np.flatnonzero(np.concatenate(([True], bins[1:] != bins[:-1])))
    return bins[starts], np.add.reduceat(counts, starts)
