"""Columns say exactly what the rows say."""

from typing import Any

import msgspec
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from service.aggregate.records.columns import FIELDS, ROW_TYPES, schema
from service.domain.families.rows import Row
from service.domain.identity import partition_of
from tests.columns import columns

TEXT = st.text(max_size=5)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
BY_DTYPE: dict[Any, st.SearchStrategy[Any]] = {pl.String(): TEXT, pl.Boolean(): st.booleans(), pl.Int64(): INTEGERS}
HEAD = st.tuples(
    st.binary(min_size=16, max_size=16),
    st.integers(1, 2**31 - 1),
    TEXT,
    TEXT,
    st.none() | INTEGERS,
    INTEGERS,
    TEXT,
    st.booleans(),
    st.none() | st.binary(max_size=5),
)


def own(dtype: pl.DataType) -> st.SearchStrategy[Any]:
    if isinstance(dtype, pl.List):
        return st.lists(TEXT, max_size=3) if dtype.inner == pl.String() else st.dictionaries(TEXT, TEXT, max_size=3)
    return BY_DTYPE[dtype]


@st.composite
def rows(draw: st.DrawFn) -> tuple[str, list[Row]]:
    family = draw(st.sampled_from(sorted(ROW_TYPES)))
    fields = st.tuples(*(own(dtype) for dtype in FIELDS[family].values()))
    heads = draw(st.lists(HEAD, max_size=8))
    return family, [ROW_TYPES[family](*head, *draw(fields)) for head in heads]


@given(rows())
def test_every_field_of_every_row_is_in_its_column(drawn: tuple[str, list[Row]]) -> None:
    family, several = drawn
    frame = columns(family, several, partitions=7)
    assert frame.schema == schema(family)
    for row, event in zip(several, frame.iter_rows(named=True), strict=True):
        plain = msgspec.structs.asdict(row)
        id_hash, time_us = plain.pop("id_hash"), plain.pop("time_us")
        assert event["hash_hi"].to_bytes(8, "big") + event["hash_lo"].to_bytes(8, "big") == id_hash
        assert event["partition"] == partition_of(id_hash, 7)
        assert event["timed"] == (time_us is not None)
        assert event["time_us"] == (row.received_us if time_us is None else time_us)
        for name, value in plain.items():
            expected = [{"key": k, "value": v} for k, v in value.items()] if isinstance(value, dict) else value
            assert event[name] == expected
