"""An operator's own KPI that one tenant's data makes fail is its error alone: in rounds, history, formulas and scores."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from service.catalog import Catalog, Shared, declared_of, resolve_window, run_splits
from service.catalog.cut import Kept
from service.catalog.guarded import MOST_ASKED
from service.catalog.question import Question
from service.clock import DAY
from service.domain.config import TenantConfig
from service.errors import KpiFailed
from service.evaluate import rounds
from service.evaluate.apart import Turn
from service.evaluate.guests import FIRST_REST_S, GuestTurns
from service.evaluate.rounds import LiveRound
from service.evaluate.scorecards import Scorecards
from service.telemetry import Telemetry
from tests.catalog.rollups import make_tenant
from tests.evaluate.stage import Stage, staged
from tests.evaluate.test_guest_rounds import failures, guests
from tests.evaluate.test_own_kpis import declare
from tests.http.clocks import HandClock

OF_TENANT = "from tenant t where t.id = wins.tenant"
DIVIDES = f"7 / (select (t.name not like 'bad%')::int {OF_TENANT})"
"""A division by zero for tenants with such a name."""
TIMES_OUT = f"7 + (select case when t.name like 'slow%' then times_out() else 0 end {OF_TENANT})"
"""For tenants with such a name it ends as a statement does that took too long, and takes no time."""
FUNCTION = "create function times_out() returns int language plpgsql as $$ begin raise query_canceled; end $$"
OF_WINDOW = f"7 / (select (t.name <> 'odd' or extract(day from wins.start_at) <> 2)::int {OF_TENANT})"
"""A division by zero for one tenant, and there for windows that begin on the second day of a month."""


@pytest.fixture
async def stage(database_url: str) -> AsyncIterator[Stage]:
    async with staged(database_url) as made:
        yield made


async def tenants(stage: Stage, *names: str) -> dict[str, int]:
    """Further tenants, which have had events, by their names."""
    made = {"acme": stage.tenant}
    async with stage.pool.acquire() as connection:
        for name in names:
            made[name] = await make_tenant(connection, name, "UTC")
            await replace(stage, tenant=made[name]).touch(connection, [stage.clock.now_us()])
        await stage.touch(connection, [stage.clock.now_us()])
    return made


async def shown(stage: Stage, kpi: str, of: dict[str, int], window: str = "5m") -> dict[str, float]:
    """The live values of a KPI, by the names of their tenants."""
    names = {tenant: name for name, tenant in of.items()}
    rows = await stage.pool.fetch('select tenant, value from kpi_latest where kpi = $1 and "window" = $2', kpi, window)
    return {names[row["tenant"]]: row["value"] for row in rows}


async def once(stage: Stage, live: LiveRound) -> None:
    live.seen.clear()
    await live.once(stage.pool, stage.owner, stage.lease)


async def test_a_tenant_whose_data_fails_takes_no_value_from_the_others(stage: Stage, tmp_path: Path) -> None:
    stage, of = await guests(stage, tmp_path, DIVIDES), await tenants(stage, "bad", "b", "c", "badly", "d", "e")
    sound, live = {name for name in of if not name.startswith("bad")}, stage.live()
    await once(stage, live)
    assert await shown(stage, "own", of) == dict.fromkeys(sound, 7)
    assert await shown(stage, "twice", of) == dict.fromkeys(sound, 14)
    assert (failures(live, "own"), failures(live, "twice")) == (2, 2)
    faulty = ", ".join(str(tenant) for tenant in sorted((of["bad"], of["badly"])))
    for kpi, said in zip(("own", "twice"), live.turns.resting(), strict=True):
        assert said.startswith(f"{kpi} gave no answer for tenants {faulty} in the round short, 1 times in a row: ")
        assert "division by zero" in said
    # While they rest they are not asked for; then each is by itself, and one that is sound again has its values.
    await once(stage, live)
    await stage.pool.execute("update tenant set name = 'good' where id = $1", of["bad"])
    stage.clock.move(FIRST_REST_S)
    await once(stage, live)
    assert await shown(stage, "twice", of) == dict.fromkeys([*sound, "bad"], 14)
    assert (failures(live, "own"), failures(live, "twice")) == (3, 3)
    assert all(f"for tenant {of['badly']} in the round short, 2 times" in said for said in live.turns.resting())
    # Nobody waits for a tenant that there is no more.
    await stage.pool.execute("delete from tenant_dirty where tenant = $1", of["badly"])
    await once(stage, live)
    assert list(live.turns.resting()) == []


async def test_a_tenant_that_takes_all_the_time_is_found_with_one_time_out_a_round(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "most_s", lambda _: 600.0)
    await stage.pool.execute(FUNCTION)
    stage, of = await guests(stage, tmp_path, TIMES_OUT), await tenants(stage, "b", "c", "slow", "d")
    sound, live = {name for name in of if name != "slow"}, stage.live()
    timed_out = 0.0
    for kpi in ("own", "twice"):
        for _ in range(30):
            await once(stage, live)
            assert failures(live, "own") - timed_out <= 1
            timed_out = failures(live, "own")
            stage.clock.move(FIRST_REST_S)
            if set(await shown(stage, kpi, of)) == sound:
                break
        assert set(await shown(stage, kpi, of)) == sound
        # Of five tenants all, three, two and itself; and itself again, while whom the other KPI fails for is told apart.
        assert timed_out <= 10
    # It is known from now on: asked for alone, after its rest, while the others keep their values.
    for _ in range(4):
        await once(stage, live)
        assert await shown(stage, "own", of) == dict.fromkeys(sound, 7)
        assert await shown(stage, "twice", of) == dict.fromkeys(sound, 14)
        stage.clock.move(FIRST_REST_S * 2)
    assert timed_out < failures(live, "own") <= timed_out + 3
    assert set(live.turns.slow(stage.catalog.kpis["twice"], stage.clock.now_us())) == {of["slow"]}


async def test_history_lacks_only_the_windows_that_fail(stage: Stage, tmp_path: Path) -> None:
    stage, of = await guests(stage, tmp_path, OF_WINDOW), await tenants(stage, "odd", "b")
    past = stage.clock.now_us() - 40 * DAY
    for name in of:
        await replace(stage, tenant=of[name]).requests([(past, "200", 3)])
    closing = stage.closing()
    for _ in range(4):
        await closing.once(stage.pool, stage.owner, stage.lease, watermark_us=stage.clock.now_us())
    read = "select start_at from kpi_history where kpi = $1 and tenant = $2 and \"window\" = 'day' and dims = '{}'"
    days = {
        kpi: {name: {row["start_at"] for row in await stage.pool.fetch(read, kpi, of[name])} for name in of}
        for kpi in ("own", "requests")
    }
    assert len(days["requests"]["odd"]) >= 35
    for name in of:
        assert {day for day in days["requests"][name] if name != "odd" or day.day != 2} == days["own"][name]
    assert len(days["own"]["odd"]) < len(days["own"]["b"])


async def test_history_of_the_others_goes_on_beside_a_tenant_that_takes_all_the_time(stage: Stage, tmp_path: Path) -> None:
    await stage.pool.execute(FUNCTION)
    stage, of = await guests(stage, tmp_path, TIMES_OUT), await tenants(stage, "slow", "b", "c")
    for tenant in of.values():
        await replace(stage, tenant=tenant).requests([(stage.clock.now_us() - DAY, "200", 3)])
    closing = stage.closing()
    await closing.once(stage.pool, stage.owner, stage.lease, watermark_us=stage.clock.now_us())
    having = {kpi: await with_history(stage, kpi, of) for kpi in ("requests", "own", "twice")}
    assert having == {"requests": set(of), "own": set(of) - {"slow"}, "twice": set(of) - {"slow"}}
    # It is known: what comes later asks for it alone, and while it rests says that its history lacks a day.
    assert set(closing.turns.slow(stage.catalog.kpis["own"], stage.clock.now_us())) == {of["slow"]}
    before = closing.telemetry.registry.get_sample_value("tidegauge_evaluation_failures_total", {"kpi": "own"}) or 0
    for tenant in of.values():
        await replace(stage, tenant=tenant).requests([(stage.clock.now_us() - DAY, "500", 1)])
    await closing.once(stage.pool, stage.owner, stage.lease, watermark_us=stage.clock.now_us())
    assert closing.telemetry.registry.get_sample_value("tidegauge_evaluation_failures_total", {"kpi": "own"}) == before + 1
    # Nobody waits for a tenant that there is no more.
    await stage.pool.execute("delete from tenant_dirty where tenant = $1", of["slow"])
    await closing.once(stage.pool, stage.owner, stage.lease, watermark_us=stage.clock.now_us())
    assert list(closing.turns.resting()) == []


async def with_history(stage: Stage, kpi: str, of: dict[str, int]) -> set[str]:
    """The names of tenants that have a history of a KPI."""
    read = "select distinct tenant from kpi_history where kpi = $1 and dims = '{}'"
    found = {row["tenant"] for row in await stage.pool.fetch(read, kpi)}
    return {name for name, tenant in of.items() if tenant in found}


async def test_a_scorecard_of_the_others_keeps_its_row(stage: Stage, tmp_path: Path) -> None:
    stage, of = await guests(stage, tmp_path, DIVIDES), await tenants(stage, "bad", "b")
    for tenant in of.values():
        await declare(replace(stage, tenant=tenant), '[scorecard.all]\nrows = ["own", "twice", "requests"]\n')
    await Scorecards(stage.pool, stage.catalog, stage.clock, Telemetry("test")).once()
    rows = await stage.pool.fetch("select tenant, kpi, value, reason from scorecard_latest where \"window\" = '7d'")
    found = {(row["tenant"], row["kpi"]): (row["value"], row["reason"]) for row in rows}
    for name, tenant in of.items():
        failing = name == "bad"
        assert found[tenant, "own"] == ((None, "failed") if failing else (7, "no_target"))
        assert found[tenant, "twice"] == ((None, "failed") if failing else (14, "no_target"))
        assert found[tenant, "requests"] == (0, "no_target")


async def test_a_score_of_the_others_stands_beside_a_tenant_whose_data_fails(stage: Stage, tmp_path: Path) -> None:
    stage, of = await guests(stage, tmp_path, DIVIDES), await tenants(stage, "bad", "b")
    config = TenantConfig.model_validate(
        {
            "target": [{"kpi": "own", "op": ">=", "target": 14.0}],
            "health": {name: {"own": 1} for name in ("adoption", "delivery", "engagement", "satisfaction", "reliability")},
        },
        by_alias=True,
    )
    declared = {tenant: declared_of(config) for tenant in of.values()}
    now_us, health = stage.clock.now_us(), (await whole(stage, tmp_path)).kpis["health"]
    windows = [resolve_window(tenant, "UTC", now_us=now_us, name="7d", key=(tenant, "7d")) for tenant in of.values()]

    async def scores(shared: Shared) -> dict[int, float | None]:
        async with stage.pool.acquire() as connection:
            values = await run_splits(
                connection, health, windows, [Question(statistics=("",))], declared=declared, kept=Kept(), shared=shared
            )
        return {value.tenant: value.value for value in values}

    expected = {of["acme"]: 50, of["bad"]: None, of["b"]: 50}
    assert await scores(Shared()) == expected
    # Whom it is known to take too long for is not asked for at all.
    (tmp_path / "own.sql").write_text((tmp_path / "own.sql").read_text().replace(DIVIDES, TIMES_OUT))
    await stage.pool.execute(FUNCTION)
    await stage.pool.execute("update tenant set name = 'slow' where id = $1", of["bad"])
    health = (await whole(stage, tmp_path)).kpis["health"]
    assert await scores(Shared()) == dict.fromkeys(of.values())
    assert await scores(Shared(slow=lambda kpi: {of["bad"]: "it takes longer"} if kpi.id == "own" else {})) == expected


async def whole(stage: Stage, directory: Path) -> Catalog:
    return Catalog.load(Path(rounds.__file__).parents[1] / "catalog" / "kpis", directory)


async def test_where_all_fail_a_turn_asks_no_more_than_its_measure() -> None:
    turns, own, clock = GuestTurns(), Catalog.load().kpis["requests"], HandClock()
    asked: list[list[int]] = []

    async def ask(few: list[int]) -> None:
        asked.append(few)
        raise KpiFailed("own", "own.sql", "division by zero")

    def turn() -> Turn:
        return Turn(turns, "short", own, clock, ask, 60.0, lambda: True, lambda *_: None)

    def due(groups: Sequence[list[int]]) -> set[int]:
        return {tenant for few in groups for tenant in few}

    everybody = list(range(500))
    assert sorted(await turn().among(everybody)) == everybody
    assert len(asked) == MOST_ASKED
    turns_taken = 1
    while groups := turns.groups("short", own, everybody, clock.now_us()).apart:
        assert due(groups) | set(turns.groups("short", own, everybody, clock.now_us()).resting) == set(everybody)
        for few in groups:
            before = len(asked)
            await turn().among(few)
            assert len(asked) - before <= MOST_ASKED
        turns_taken += 1
        assert turns_taken < 50
    assert list(turns.groups("short", own, everybody, clock.now_us()).resting) == everybody


async def test_an_error_that_is_nobodys_fault_blames_nobody() -> None:
    turns, own, clock = GuestTurns(), Catalog.load().kpis["requests"], HandClock()

    async def ask(few: list[int]) -> None:
        raise asyncpg.AdminShutdownError("terminating connection")

    with pytest.raises(asyncpg.AdminShutdownError):
        await Turn(turns, "short", own, clock, ask, 60.0, lambda: True, lambda *_: None).among([1, 2, 3])
    assert list(turns.resting()) == []


async def test_what_takes_too_long_for_all_together_and_for_none_alone_is_asked_for_in_parts() -> None:
    turns, own, clock = GuestTurns(), Catalog.load().kpis["requests"], HandClock()
    answered: set[int] = set()

    async def ask(few: list[int]) -> None:
        if len(few) > 40:
            raise TimeoutError
        answered.update(few)

    everybody, time_outs = list(range(100)), 0
    for _ in range(20):
        answered.clear()
        groups = turns.groups("short", own, everybody, clock.now_us())
        for few in (*groups.together, *groups.apart):
            if turns.is_due("short", own, few, clock.now_us()):
                await Turn(turns, "short", own, clock, ask, 60.0, lambda: True, lambda *_: None).among(few)
        time_outs += bool(list(turns.resting()))
        if answered == set(everybody):
            break
        clock.move(FIRST_REST_S * 8)
    assert answered == set(everybody)
    assert max(map(len, turns.groups("short", own, everybody, clock.now_us()).together)) <= 40
