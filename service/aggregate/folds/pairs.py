"""Map columns as text, so that equal maps group together: pairs in the order of their keys."""

import polars as pl

SEPARATOR = "\0"
"""Between keys and values: no text of an event holds NUL."""


def pairs_text(rows: pl.DataFrame, column: str, allowed: pl.DataFrame | None = None) -> pl.Series:
    """Each row's map as `key NUL value NUL key NUL value …`, "" for an empty one; empty values are left out.

    `allowed` (version, key) keeps only what the row's `version` declares. Where names over the limit made keys
    equal, the greatest value stays.
    """
    nothing = pl.repeat("", len(rows), dtype=pl.String, eager=True).alias(column)
    indexed = rows.select(pl.int_range(pl.len()).alias("_row"), *(["version"] if allowed is not None else []), column)
    filled = indexed.filter(pl.col(column).list.len() > 0)
    if filled.is_empty() or (allowed is not None and allowed.is_empty()):
        return nothing
    pairs = filled.explode(column).unnest(column).filter(pl.col("value") != "")
    if allowed is not None:
        pairs = pairs.join(allowed, on=["version", "key"], how="semi")
    texts = (
        pairs.group_by("_row", "key")
        .agg(pl.col("value").max())
        .sort("_row", "key")
        .group_by("_row", maintain_order=True)
        .agg(pl.concat_str("key", "value", separator=SEPARATOR).str.join(SEPARATOR).alias(column))
    )
    joined = indexed.select("_row").join(texts, on="_row", how="left", maintain_order="left")
    return joined[column].fill_null("")


def pairs_of(text: str) -> dict[str, str]:
    """The map that a text of `pairs_text` stands for."""
    parts = text.split(SEPARATOR) if text else []
    return dict(zip(parts[::2], parts[1::2], strict=True))
