"""What an own KPI lost for a while comes back: live values, rows of scorecards, history."""

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from time import perf_counter

import pytest

from service.clock import DAY
from service.evaluate import closing, rounds
from service.evaluate.guests import FIRST_REST_S
from service.evaluate.scorecards import Scorecards
from service.telemetry import Telemetry
from tests.evaluate.stage import Stage, staged
from tests.evaluate.test_guest_rounds import guests
from tests.evaluate.test_guests_by_tenant import DIVIDES, FUNCTION, OF_TENANT, TIMES_OUT, once, shown, tenants
from tests.evaluate.test_own_kpis import declare

MOVES = f"extract(epoch from wins.end_at)::bigint / (select (t.name not like 'bad%')::int {OF_TENANT})"
"""Another one with every minute, and a division by zero for tenants with such a name."""


@pytest.fixture
async def stage(database_url: str) -> AsyncIterator[Stage]:
    async with staged(database_url) as made:
        yield made


async def rename(stage: Stage, tenant: int, name: str) -> None:
    await stage.pool.execute("update tenant set name = $2 where id = $1", tenant, name)


async def test_a_row_that_failed_is_looked_at_again_though_nothing_happened(stage: Stage, tmp_path: Path) -> None:
    await stage.pool.execute(FUNCTION)
    stage, of = await guests(stage, tmp_path, TIMES_OUT), await tenants(stage, "slow", "b")
    for tenant in of.values():
        await declare(replace(stage, tenant=tenant), '[scorecard.all]\nrows = ["own"]\n')
    cards = Scorecards(stage.pool, stage.catalog, stage.clock, Telemetry("test"))
    read = "select tenant, value from scorecard_latest where \"window\" = '7d'"
    await cards.once()
    assert {row["tenant"]: row["value"] for row in await stage.pool.fetch(read)} == dict.fromkeys(of.values())
    await rename(stage, of["slow"], "fast")
    await cards.once()
    assert {row["tenant"]: row["value"] for row in await stage.pool.fetch(read)} == dict.fromkeys(of.values(), 7)
    assert cards.seen.keys() == set(of.values())


async def test_a_value_that_came_late_moves_on_with_its_windows(stage: Stage, tmp_path: Path) -> None:
    stage, of = await guests(stage, tmp_path, MOVES), await tenants(stage, "bad")
    live = stage.live()
    await live.once(stage.pool, stage.owner, stage.lease)
    assert set(await shown(stage, "own", of)) == {"acme"}
    live.seen = {tenant: replace(seen, holds=seen.holds and tenant != of["bad"]) for tenant, seen in live.seen.items()}
    await rename(stage, of["bad"], "good")
    stage.clock.move(FIRST_REST_S)
    await live.once(stage.pool, stage.owner, stage.lease)
    before = await shown(stage, "own", of)
    stage.clock.move(120.0)
    await live.once(stage.pool, stage.owner, stage.lease)
    after = await shown(stage, "own", of)
    assert before.keys() == after.keys() == set(of)
    assert after["bad"] == after["acme"] > before["bad"]


async def test_who_failed_is_asked_again_where_sound_ones_take_all_the_time(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, of = await guests(stage, tmp_path, DIVIDES), await tenants(stage, "bad", "b")
    live = stage.live()
    await rename(stage, of["bad"], "good")
    await once(stage, live)
    assert await shown(stage, "twice", of) == dict.fromkeys(of, 14)
    # From here on a round is over when the sound ones had their turn.
    ticks = count(perf_counter(), 0.45)
    monkeypatch.setattr(rounds, "perf_counter", lambda: next(ticks))
    monkeypatch.setattr(rounds, "LANES", 1)
    await rename(stage, of["bad"], "bad")
    await once(stage, live)
    assert "bad" not in {*await shown(stage, "own", of), *await shown(stage, "twice", of)}
    for _ in range(12):
        await once(stage, live)
    assert set(await shown(stage, "own", of)) == set(await shown(stage, "twice", of)) == {"acme", "b"}
    await rename(stage, of["bad"], "good")
    for _ in range(8):
        stage.clock.move(FIRST_REST_S * 64)
        await once(stage, live)
    assert await shown(stage, "own", of) == dict.fromkeys(of, 7)
    assert await shown(stage, "twice", of) == dict.fromkeys(of, 14)


async def days(stage: Stage, of: dict[str, int], kpi: str) -> dict[str, int]:
    """How many days of a KPI the history of tenants has."""
    read = """select tenant, count(distinct start_at) as n from kpi_history
    where kpi = $1 and "window" = 'day' and dims = '{}' group by tenant"""
    found = {row["tenant"]: row["n"] for row in await stage.pool.fetch(read, kpi)}
    return {name: found.get(tenant, 0) for name, tenant in of.items()}


async def test_history_of_sound_tenants_is_whole_beside_those_at_fault(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, of = await guests(stage, tmp_path, DIVIDES), await tenants(stage, "bad", "b", "bad2", "c", "bad3", "d")
    monkeypatch.setattr(closing, "MOST_ALONE", 6)
    for tenant in of.values():
        await replace(stage, tenant=tenant).requests([(stage.clock.now_us() - 12 * DAY, "200", 3)])
    made = stage.closing()
    # A time that is over before anybody is told apart loses nothing: the same history is looked at again.
    monkeypatch.setattr(closing, "PATIENCE_S", 0.0)
    await made.once(stage.pool, stage.owner, stage.lease, watermark_us=stage.clock.now_us())
    assert set((await days(stage, of, "own")).values()) == {0}
    monkeypatch.setattr(closing, "PATIENCE_S", 600.0)
    await made.once(stage.pool, stage.owner, stage.lease, watermark_us=stage.clock.now_us())
    expected = {name: 0 if name.startswith("bad") else n for name, n in (await days(stage, of, "requests")).items()}
    assert min(n for name, n in expected.items() if not name.startswith("bad")) >= 11
    assert await days(stage, of, "own") == expected == await days(stage, of, "twice")
    assert await made.once(stage.pool, stage.owner, stage.lease, watermark_us=stage.clock.now_us()) == 0


async def test_history_waits_no_more_than_a_few_times_for_who_is_never_told_apart(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, of = await guests(stage, tmp_path, DIVIDES), await tenants(stage, "bad")
    monkeypatch.setattr(closing, "PATIENCE_S", 0.0)
    for tenant in of.values():
        await replace(stage, tenant=tenant).requests([(stage.clock.now_us() - DAY, "200", 3)])
    made, looked = stage.closing(), 0
    while await made.once(stage.pool, stage.owner, stage.lease, watermark_us=stage.clock.now_us()):
        looked += 1
        assert looked <= 1 + closing.MOST_REPEATS
    assert looked == 1 + closing.MOST_REPEATS
    assert not made.repeats
