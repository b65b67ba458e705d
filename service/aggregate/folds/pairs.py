"""Map columns as text, so that equal maps group together: pairs in the order of their keys."""

from collections.abc import Mapping, Sequence

import polars as pl

from service.aggregate.folds.versions import Versions
from service.aggregate.grouping import grouped_rows

SEPARATOR = "\0"
"""Between keys and values: no text of an event holds NUL."""


def pairs_text(maps: pl.Series) -> pl.Series:
    """Each map as `key NUL value NUL key NUL value …`, "" for an empty one; empty values are left out.

    Where names over the limit made keys equal, the greatest value stays.
    """
    distinct, of_row = grouped_rows(maps.to_frame())
    return pl.Series(maps.name, [_text(_pairs(said)) for said in distinct[maps.name]], dtype=pl.String).gather(of_row)


def declared_pairs_text(maps: pl.Series, valid: Versions, declared: Sequence[frozenset[str]]) -> pl.Series:
    """The same of those keys only that a row's version declares; `declared` has a set of keys a version."""
    if not any(declared):
        return pl.Series(maps.name, [""]).new_from_index(0, len(maps))
    distinct, of_row = grouped_rows(pl.DataFrame([valid.series(), maps]))
    texts = [
        _text({key: value for key, value in _pairs(said).items() if key in declared[version]})
        for version, said in distinct.iter_rows()
    ]
    return pl.Series(maps.name, texts, dtype=pl.String).gather(of_row)


def pairs_of(text: str) -> dict[str, str]:
    """The map that a text of `pairs_text` stands for."""
    parts = text.split(SEPARATOR) if text else []
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _pairs(said: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return dict(sorted((pair["key"], pair["value"]) for pair in said if pair["value"]))


def _text(pairs: Mapping[str, str]) -> str:
    return SEPARATOR.join(f"{key}{SEPARATOR}{value}" for key, value in pairs.items())
