"""What is written for COPY in binary is what Postgres reads."""

import io
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from service.aggregate.copying import HEADER, TRAILER, binary_rows
from tests.aggregate.conftest import Site

SCHEMA = pl.Schema(
    {
        "small": pl.Int32(),
        "large": pl.Int64(),
        "exact": pl.Int128(),
        "words": pl.String(),
        "bits": pl.Binary(),
        "listed": pl.List(pl.Int64()),
    }
)
TABLE = "small int, large bigint, exact numeric, words text, bits varbit, listed bigint[]"
WIDE = (1 << 127) - 1
EDGES = [0, 1, 9_999, 10_000, 10_001, 10**16, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 64, 10**28, 10**38, WIDE]
NUMBERS = [sign * edge for edge in EDGES for sign in (1, -1)] + [-(1 << 63), -(1 << 127)]


def decoded(copied: bytes, columns: int) -> list[list[bytes | None]]:
    """The values of a binary COPY as their bytes."""
    assert copied.startswith(HEADER)
    rows, place = [], len(HEADER)
    while (count := copied[place : place + 2]) != TRAILER:
        assert int.from_bytes(count) == columns
        place += 2
        row: list[bytes | None] = []
        for _ in range(columns):
            length = int.from_bytes(copied[place : place + 4], signed=True)
            place += 4
            row.append(copied[place : place + length] if length >= 0 else None)
            place += max(length, 0)
        rows.append(row)
    assert place + len(TRAILER) == len(copied)
    return rows


async def read_back(site: Site, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows as Postgres has them once they were copied."""
    copied = binary_rows(pl.DataFrame(rows, schema=SCHEMA, orient="row"))
    async with site.pool.acquire() as connection, connection.transaction():
        await connection.execute(f"create temporary table copied ({TABLE}) on commit drop")
        await connection.copy_to_table("copied", source=io.BytesIO(copied), format="binary")
        found = await connection.fetch("select small, large, exact::text, words, bits, listed from copied")
    return [
        (row[0], row[1], None if row[2] is None else int(row[2]), row[3], None if row[4] is None else row[4].bytes, row[5])
        for row in found
    ]


async def test_postgres_reads_every_number_and_text_as_it_was(site: Site) -> None:
    rows: list[tuple[Any, ...]] = [(1, number % 1_000 - 500, number, f"{number}", b"", [number % 7]) for number in NUMBERS]
    rows += [
        (-(1 << 31), -(1 << 63), 1, "é\u4e2d", bytes(range(113)), []),
        ((1 << 31) - 1, (1 << 63) - 1, 2, "", b"\x80", [1, -1]),
    ]
    rows += [(None, None, None, None, None, None), (0, 0, 0, "behind nothing", b"\x01", [1 << 62])]
    assert await read_back(site, rows) == rows


async def test_columns_without_a_value_are_nulls(site: Site) -> None:
    assert await read_back(site, [(None,) * len(SCHEMA)] * 2) == [(None,) * len(SCHEMA)] * 2


@given(
    st.lists(
        st.tuples(st.none() | st.text(max_size=20), st.none() | st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=4))
    )
)
def test_texts_and_lists_of_every_length_stand_where_their_lengths_say(rows: list[tuple[str | None, list[int] | None]]) -> None:
    frame = pl.DataFrame(rows, schema={"words": pl.String(), "listed": pl.List(pl.Int64())}, orient="row")
    found = decoded(binary_rows(frame), 2)
    assert [word if word is None else word.decode() for word, _ in found] == [word for word, _ in rows]
    assert [listed if listed is None else _listed(listed) for _, listed in found] == [listed for _, listed in rows]


def _listed(sent: bytes) -> list[int]:
    return [int.from_bytes(sent[place + 4 : place + 12], signed=True) for place in range(20, len(sent), 12)]
