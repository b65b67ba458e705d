"""Sets of many days added up at once count what each day has by itself."""

import random

import asyncpg
import pytest

from service.catalog.planes import DAYS, PLANES, in_piece, planes

SIZE = 64
NONE = f"0::bit({SIZE})"
PIECES = ("1 for 16", "17 for 16", "33 for 32")


@pytest.mark.parametrize("days", [1, 2, DAYS - 1, DAYS, DAYS + 1, 2 * DAYS, 47])
async def test_the_days_of_a_piece_are_those_of_each_day_added_up(connection: asyncpg.Connection, days: int) -> None:
    dice = random.Random(days)
    sets = [["".join(dice.choice("01") for _ in range(SIZE)) for _ in range(days)] for _ in range(5)]
    given = f"select $1::int as n, $2::text[]::bit({SIZE})[] as bits"
    for number, of in enumerate(sets):
        sums = ", ".join(f"sum({in_piece('p', piece)})" for piece in PIECES)
        made = f"with d as ({given}), p as materialized (\n{planes('d', ['n'], NONE)}\n)"
        found = await connection.fetchrow(f"{made} select n, count(*), {sums} from p group by n", number, of)
        spans = [slice(int(first) - 1, int(first) - 1 + int(length)) for first, length in (p.split(" for ") for p in PIECES)]
        wanted = [sum(each[span].count("1") for each in of) for span in spans]
        assert found is not None
        assert list(found) == [number, -(-days // DAYS), *wanted]


async def test_sets_that_are_all_full_fill_every_plane(connection: asyncpg.Connection) -> None:
    full = f"select array_agg(~{NONE}) as bits from generate_series(1, {DAYS})"
    found = await connection.fetchrow(f"with d as ({full}) select {', '.join(PLANES)} from ({planes('d', ['bits'], NONE)}) p")
    assert found is not None
    assert [bits.as_string().replace(" ", "") for bits in found] == ["1" * SIZE] * len(PLANES)
