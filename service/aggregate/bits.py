"""Active users and seats as bits: one row of 2048 bits a population, feature, day and chunk of ordinals."""

import numpy as np
import polars as pl

CHUNK = 2048
"""Ordinals a row; bit i of chunk c is the ordinal c CHUNK + i, the leftmost bit being 0."""
KEYS = ["tenant", "population", "feature", "day", "chunk"]
_GROUPS_AT_ONCE = 4_096


def chunks(active: pl.DataFrame) -> pl.DataFrame:
    """Turn (tenant, population, feature, day, ordinal), each once or more, into KEYS and `bits`, in the order of KEYS.

    `bits` is text that Postgres reads as a bit string: `x` and hexadecimal digits.
    """
    if active.is_empty():
        return pl.DataFrame(schema={**{key: active.schema[key] for key in KEYS[:-1]}, "chunk": pl.Int32(), "bits": pl.String()})
    placed = active.with_columns(chunk=pl.col("ordinal") // CHUNK, place=pl.col("ordinal") % CHUNK)
    grouped = placed.group_by(KEYS).agg("place").sort(KEYS)
    texts: list[str] = []
    for start in range(0, len(grouped), _GROUPS_AT_ONCE):
        texts += _bits(grouped["place"].slice(start, _GROUPS_AT_ONCE))
    return grouped.select(KEYS).with_columns(pl.Series("bits", texts, dtype=pl.String))


def _bits(places: pl.Series) -> list[str]:
    row = np.repeat(np.arange(len(places)), places.list.len().to_numpy())
    marks = np.zeros((len(places), CHUNK), dtype=np.bool_)
    marks[row, places.explode().to_numpy()] = True
    digits = np.packbits(marks, axis=1).tobytes().hex()
    width = CHUNK // 4
    return ["x" + digits[start : start + width] for start in range(0, len(digits), width)]
