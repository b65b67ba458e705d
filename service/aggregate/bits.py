"""Active users and seats as bits: one row of 2048 bits a population, feature, day and chunk of ordinals."""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from service.aggregate.grouping import numbered
from service.aggregate.records.compiling import compiled

Ints = npt.NDArray[np.int64]
Marks = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]

CHUNK: Final = 2048
"""Ordinals a row; bit i of chunk c is the ordinal c CHUNK + i, the leftmost bit being 0."""
ANY_FEATURE: Final = 0
"""In place of a feature: any that counts."""
KEYS: Final = ["tenant", "population", "feature", "day", "chunk"]
POPULATIONS: Final = ("seat", "user")
"""In the order of their names."""
_FEATURE: Final = 2


def chunks(active: pl.DataFrame) -> pl.DataFrame:
    """Turn (tenant, population, feature, day, ordinal, counts), each once or more, into KEYS and `bits`, in the order of KEYS.

    `bits` are CHUNK / 8 bytes.
    """
    whose = active.select(
        "tenant", pl.col("population") == POPULATIONS[1], "feature", "day", pl.col("ordinal") // CHUNK, "counts"
    )
    columns = [column.cast(pl.Int64).to_numpy() for column in whose.iter_columns()]
    group, firsts = numbered(columns, len(active))
    marks = np.zeros((len(firsts), CHUNK // 8), dtype=np.uint8)
    mark(marks, group, (active["ordinal"] % CHUNK).cast(pl.Int64).to_numpy())
    distinct, united = _with_anything(np.stack([column[firsts] for column in columns], axis=1), marks.view(np.uint64))
    made = pl.DataFrame(distinct, schema=KEYS).cast({"tenant": pl.Int32, "day": pl.Int32, "chunk": pl.Int32})
    population = pl.Series(POPULATIONS).gather(made["population"])
    return made.with_columns(population.alias("population"), pl.Series("bits", _rows(united.tobytes()), dtype=pl.Binary))


def _with_anything(keys: Ints, marks: Words) -> tuple[Ints, Words]:
    """Rows of KEYS and whether they count, as rows of KEYS in their order: what counts is of any feature, too."""
    counting = keys[:, -1] == 1
    anything = keys[counting]
    anything[:, _FEATURE] = ANY_FEATURE
    keys, marks = np.concatenate([keys, anything])[:, :-1], np.concatenate([marks, marks[counting]])
    order = np.lexsort(keys.T[::-1])
    keys, marks = keys[order], marks[order]
    starts = np.flatnonzero(np.append(True, (keys[1:] != keys[:-1]).any(axis=1))) if len(keys) else order
    return keys[starts], np.bitwise_or.reduceat(marks, starts, axis=0) if len(starts) else marks


def prepare() -> None:
    """Have everything compiled."""
    chunks(pl.DataFrame({"tenant": 1, "population": POPULATIONS[0], "feature": 1, "day": 1, "ordinal": 1, "counts": True}))


@compiled
def mark(marks: Marks, group: Ints, place: Ints) -> None:
    """Set the bit of each place in its group's row, the leftmost being 0."""
    for row in range(len(group)):
        marks[group[row], place[row] >> 3] |= np.uint8(0x80 >> (place[row] & 7))


def _rows(marks: bytes) -> list[bytes]:
    width = CHUNK // 8
    return [marks[begin : begin + width] for begin in range(0, len(marks), width)]
