"""An operator's own KPI that fails or sleeps costs the others nothing: it comes last, for a bounded time, and rests."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from service.catalog import Catalog
from service.catalog.guests import load_catalog
from service.clock import DAY
from service.evaluate import rounds
from service.evaluate.guests import FIRST_REST_S, LONGEST_REST_S, MOST_TOLD, GuestTurns
from service.evaluate.rounds import LiveRound
from service.expose import kpis, readiness, scorecards
from service.http.app import create_app
from service.http.auth import Keyring
from service.reports.making import Maker, Wish
from service.reports.rendering import render
from service.settings import Settings
from service.store.keys import create_key
from service.store.tenants import tenant_by_name
from service.telemetry import Telemetry
from tests.evaluate.stage import KPIS, Stage, staged
from tests.evaluate.test_own_kpis import declare

FILE = """-- id = "own"
-- title = "Own"
-- definition = "ours"
-- family = "Own"
-- unit = "requests"
-- kind = "count"
-- better = "neither"
-- [live]
-- windows = ["5m", "day"]
select tenant, win, '{}'::jsonb as dims, '' as statistic, MEASURED as numerator, null::numeric as denominator from wins
"""
FORMULA = """-- id = "twice"
-- title = "Twice"
-- definition = "ours, twice"
-- family = "Own"
-- unit = "requests"
-- kind = "formula"
-- formula = "own * 2"
-- better = "neither"
-- [live]
-- windows = ["5m", "day"]
"""
DIVIDES = "7 / (select count(*) from tenant where name = 'sound')"
"""Sound while there is a tenant of that name, and a division by zero else."""


@pytest.fixture
async def stage(database_url: str) -> AsyncIterator[Stage]:
    async with staged(database_url) as made:
        yield made


async def guests(stage: Stage, directory: Path, measured: str) -> Stage:
    """The stage with a file of an operator's beside its KPIs, and a formula that rests on it."""
    (directory / "own.sql").write_text(FILE.replace("MEASURED", measured))
    (directory / "twice.sql").write_text(FORMULA)
    async with stage.pool.acquire() as connection:
        whole = await load_catalog(connection, directory)
    assert whole.refused == ()
    return replace(stage, catalog=Catalog({name: whole.kpis[name] for name in ("own", "twice", *KPIS)}))


def failures(live: LiveRound, kpi: str) -> float:
    return live.telemetry.registry.get_sample_value("tidegauge_evaluation_failures_total", {"kpi": kpi}) or 0


async def shown(stage: Stage, kpi: str) -> list[float]:
    return [row["value"] for row in await stage.values("kpi_latest", kpi, window="5m")]


async def test_one_that_sleeps_holds_no_round_up_and_is_left_alone_for_a_while(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "most_s", lambda _: 0.2)
    stage = await guests(stage, tmp_path, "length(pg_sleep(600)::text)")
    live = stage.live()
    await stage.requests([(stage.clock.now_us(), "200", 9)])
    for _ in range(3):
        live.seen.clear()
        assert await live.once(stage.pool, stage.owner, stage.lease) == 1
        assert (await shown(stage, "requests"), await shown(stage, "own"), await shown(stage, "twice")) == ([9], [], [])
    # Each was tried once, at the latest in the second round: where one took the time of both, the other had its turn then.
    assert (failures(live, "own"), failures(live, "twice")) == (1, 1)
    assert all("takes longer than" in each for each in live.turns.resting())


async def test_one_that_fails_shows_nothing_until_it_is_sound_again(stage: Stage, tmp_path: Path) -> None:
    stage = await guests(stage, tmp_path, DIVIDES)
    live = stage.live()
    await stage.pool.execute("update tenant set name = 'sound' where id = $1", stage.tenant)
    await stage.requests([(stage.clock.now_us(), "200", 9)])
    await live.once(stage.pool, stage.owner, stage.lease)
    assert (await shown(stage, "own"), await shown(stage, "twice")) == ([7], [14])
    await stage.pool.execute("update tenant set name = 'acme' where id = $1", stage.tenant)
    for _ in range(2):  # the second time it rests
        live.seen.clear()
        await live.once(stage.pool, stage.owner, stage.lease)
        assert (await shown(stage, "requests"), await shown(stage, "own"), await shown(stage, "twice")) == ([9], [], [])
        assert (failures(live, "own"), failures(live, "twice")) == (1, 1)
    await stage.pool.execute("update tenant set name = 'sound' where id = $1", stage.tenant)
    assert await live.once(stage.pool, stage.owner, stage.lease) == 0
    # Nothing happened to the tenant, and no window of it moved: it is asked again because it is owed an answer.
    stage.clock.move(FIRST_REST_S)
    live.seen = {tenant: replace(seen, holds=False) for tenant, seen in live.seen.items()}
    assert await live.once(stage.pool, stage.owner, stage.lease) == 1
    assert (await shown(stage, "own"), await shown(stage, "twice")) == ([7], [14])
    assert list(live.turns.resting()) == []


async def test_one_that_is_declared_no_more_is_waited_for_no_more(stage: Stage, tmp_path: Path) -> None:
    stage = await guests(stage, tmp_path, DIVIDES)
    live = stage.live()
    await declare(stage, '[[formula]]\nid = "thrice"\nexpression = "own * 3"\nunit = "requests"\n')
    await stage.requests([(stage.clock.now_us(), "200", 9)])
    await live.once(stage.pool, stage.owner, stage.lease)
    assert [each.split()[0] for each in live.turns.resting()] == ["own", "thrice", "twice"]
    await declare(stage, "", version=2)
    stage.clock.move(FIRST_REST_S)
    await live.once(stage.pool, stage.owner, stage.lease)
    assert [each.split()[0] for each in live.turns.resting()] == ["own", "twice"]


async def test_history_goes_on_beside_one_that_fails(stage: Stage, tmp_path: Path) -> None:
    stage = await guests(stage, tmp_path, DIVIDES)
    await stage.requests([(stage.clock.now_us() - DAY, "200", 3)])
    closing = stage.closing()
    await closing.once(stage.pool, stage.owner, stage.lease, watermark_us=stage.clock.now_us())
    assert [row["value"] for row in await stage.values("kpi_history", "requests", window="day")][-1] == 3
    assert await stage.values("kpi_history", "own", window="day") == []


def test_one_that_fails_again_and_again_rests_longer_and_longer() -> None:
    turns, own = GuestTurns(), Catalog.load().kpis["requests"]
    now_us, rests = 0, []
    for _ in range(9):
        assert turns.is_due("short", own, [7], now_us)
        rests.append(turns.failed("short", own, [7], "division by zero", now_us))
        assert not turns.is_due("short", own, [7], now_us)
        assert turns.is_due("longer", own, [7], now_us)
        assert turns.is_due("short", own, [8], now_us)
        now_us += int(rests[-1] * 1_000_000)
    assert rests == [10, 20, 40, 80, 160, 320, LONGEST_REST_S, LONGEST_REST_S, LONGEST_REST_S]
    turns.went_well("short", own, [7], now_us)
    assert turns.failed("short", own, [7], "division by zero", now_us) == FIRST_REST_S


async def test_readiness_says_which_fail_for_whom_and_why() -> None:
    turns, own = GuestTurns(), Catalog.load().kpis["requests"]
    check = readiness.kpis((), turns.resting)
    assert (await check()).says == "ready"
    turns.failed("short", own, [7], "division by zero", 0)
    part = await check()
    said = "requests gave no answer for tenant 7 in the round short, 1 times in a row: division by zero"
    assert (part.ready, part.says) == (True, said)
    for tenant in range(100):
        turns.failed("short", own, [tenant], "division by zero", 0)
    assert "for tenants 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 90 more in the round short, 2 times" in (await check()).says
    for number in range(100):
        turns.failed("short", own, [number], f"fault {number}", 0)
    assert (await check()).says.count("gave no answer") == MOST_TOLD
    assert "and 80 more" in (await check()).says


async def test_the_api_says_which_file_failed_and_a_scorecard_and_a_report_go_on(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "own.sql").write_text(FILE.replace("MEASURED", DIVIDES))
    (tmp_path / "twice.sql").write_text(FORMULA)
    await declare(stage, '[scorecard.all]\nrows = ["own", "twice", "requests"]\n[health.reliability]\nown = 1\nerror_rate = 1\n')
    await stage.requests([(stage.clock.now_us(), "200", 9)])
    async with stage.pool.acquire() as connection:
        catalog = await load_catalog(connection, tmp_path)
        _, secret = await create_key(connection, await tenant_by_name(connection, "acme"), ["read"])
    made = {"clock": stage.clock, "settings": Settings()}
    routers = [kpis.router(stage.pool, catalog, **made), scorecards.router(stage.pool, catalog, **made)]  # type: ignore[arg-type]
    app = create_app(
        title="t", routers=routers, telemetry=Telemetry("api"), keyring=Keyring(stage.pool, stage.clock, refresh_s=5)
    )
    headers = {"authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t", headers=headers) as client:
        for name in ("own", "twice"):
            problem = await client.get(f"/v1/kpis/{name}?window=1d")
            assert (problem.status_code, problem.headers["retry-after"]) == (503, "60")
            assert (problem.json()["type"], problem.json()["file"]) == ("urn:problem-type:tidegauge:kpi-failed", "own.sql")
            assert "Postgres says division by zero" in problem.json()["detail"]
        card = (await client.get("/v1/scorecards/all?window=1d")).json()
    found = {row["row"]: (row["value"], row["reason"]) for row in card["rows"]}
    assert found == {"own": (None, "failed"), "twice": (None, "failed"), "requests": (9, "no_target")}
    assert "division by zero" in card["rows"][0]["note"]
    report, _ = await Maker(stage.pool, catalog, stage.clock).make(stage.tenant, "acme", Wish("weekly", window="week"))
    assert "division by zero" in render(report, "md").decode()
