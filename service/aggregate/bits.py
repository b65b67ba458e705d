"""Active users and seats as bits: one row of 2048 bits a population, feature, day and chunk of ordinals."""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from service.aggregate.records.compiling import compiled

Ints = npt.NDArray[np.int64]
Marks = npt.NDArray[np.uint8]

CHUNK: Final = 2048
"""Ordinals a row; bit i of chunk c is the ordinal c CHUNK + i, the leftmost bit being 0."""
ANY_FEATURE: Final = 0
"""In place of a feature: any that counts."""
KEYS: Final = ["tenant", "population", "feature", "day", "chunk"]
POPULATIONS: Final = ("seat", "user")
"""In the order of their names."""
_FEATURE: Final = 2
_ROWS_AT_ONCE: Final = 4_096
_ODD: Final = 0x2545F4914F6CDD1D


def chunks(active: pl.DataFrame) -> pl.DataFrame:
    """Turn (tenant, population, feature, day, ordinal, counts), each once or more, into KEYS and `bits`, in the order of KEYS.

    `bits` is text that Postgres reads as a bit string: `x` and hexadecimal digits.
    """
    whose = active.select("tenant", pl.col("population") == POPULATIONS[1], "feature", "day", pl.col("ordinal") // CHUNK)
    keys = np.stack([column.to_numpy().astype(np.int64) for column in whose.iter_columns()], axis=1)
    place, counts = (active["ordinal"] % CHUNK).to_numpy().astype(np.int64), active["counts"].to_numpy()
    anything = keys[counts]
    anything[:, _FEATURE] = ANY_FEATURE
    keys, place = np.concatenate([keys, anything]), np.concatenate([place, place[counts]])
    group = np.empty(len(keys), dtype=np.int64)
    firsts = np.empty(len(keys), dtype=np.int64)
    table = np.full(1 << max(4, (2 * len(keys)).bit_length()), -1, dtype=np.int64)
    distinct = keys[firsts[: groups(keys, table, group, firsts)]]
    marks = np.zeros((len(distinct), CHUNK // 8), dtype=np.uint8)
    mark(marks, group, place)
    order = np.lexsort(distinct.T[::-1])
    made = pl.DataFrame(distinct[order], schema=KEYS).cast({"tenant": pl.Int32, "day": pl.Int32, "chunk": pl.Int32})
    population = pl.Series(POPULATIONS).gather(made["population"])
    return made.with_columns(population.alias("population"), pl.Series("bits", _texts(marks, order), dtype=pl.String))


def prepare() -> None:
    """Have everything compiled."""
    chunks(pl.DataFrame({"tenant": 1, "population": POPULATIONS[0], "feature": 1, "day": 1, "ordinal": 1, "counts": True}))


@compiled
def groups(keys: Ints, table: Ints, group: Ints, firsts: Ints) -> int:
    """Number equal keys alike, from 0 on in the order of their first rows, which go to `firsts`; how many there are.

    `table` is for hashes: a power of two in length, at least as many as there are keys and one, all -1.
    """
    mask = len(table) - 1
    found = 0
    for row in range(len(keys)):
        mixed = 0
        for column in range(keys.shape[1]):
            mixed = (mixed ^ keys[row, column]) * _ODD
            mixed ^= mixed >> 29
        slot = mixed & mask
        while table[slot] >= 0 and not _alike(keys, firsts[table[slot]], row):
            slot = (slot + 1) & mask
        if table[slot] < 0:
            table[slot], firsts[found] = found, row
            found += 1
        group[row] = table[slot]
    return found


@compiled
def _alike(keys: Ints, one: int, other: int) -> bool:
    for column in range(keys.shape[1]):  # noqa: SIM110  # generators are not compiled
        if keys[one, column] != keys[other, column]:
            return False
    return True


@compiled
def mark(marks: Marks, group: Ints, place: Ints) -> None:
    """Set the bit of each place in its group's row, the leftmost being 0."""
    for row in range(len(group)):
        marks[group[row], place[row] >> 3] |= np.uint8(0x80 >> (place[row] & 7))


def _texts(marks: Marks, order: Ints) -> list[str]:
    texts: list[str] = []
    width = CHUNK // 4
    for start in range(0, len(order), _ROWS_AT_ONCE):
        digits = marks[order[start : start + _ROWS_AT_ONCE]].tobytes().hex()
        texts += ["x" + digits[begin : begin + width] for begin in range(0, len(digits), width)]
    return texts
