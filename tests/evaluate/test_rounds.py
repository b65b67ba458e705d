"""Live values follow what happens, decay when it stops, and are computed only where that is due."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

import pytest

from service.catalog import Catalog, Kpi, Shared, Window, runner
from service.clock import MINUTE, SECOND
from service.errors import LeaseLost
from service.evaluate import rounds
from service.evaluate.ground import Ground
from service.evaluate.values import evaluate
from service.store.engine import Connection, create_pool
from service.store.live import LiveValue
from tests.catalog.rollups import make_tenant
from tests.evaluate.stage import staged


async def test_a_flush_shows_in_the_next_round(database_url: str) -> None:
    async with staged(database_url) as stage:
        short = stage.live()
        now = stage.clock.now_us()
        await stage.requests([(now, "200", 9), (now, "500", 1)])
        assert await short.once(stage.pool, stage.owner, stage.lease) == 1
        [requests] = await stage.values("kpi_latest", "requests", window="5m")
        [errors] = await stage.values("kpi_latest", "error_rate", window="5m")
        assert (requests["value"], errors["value"], errors["numerator"], errors["denominator"]) == (10, 0.1, 1, 10)


async def test_short_windows_decay_by_themselves_when_traffic_stops(database_url: str) -> None:
    async with staged(database_url) as stage:
        short = stage.live()
        await stage.requests([(stage.clock.now_us(), "200", 9)])
        await short.once(stage.pool, stage.owner, stage.lease)
        stage.clock.move(6 * MINUTE / SECOND)
        assert await short.once(stage.pool, stage.owner, stage.lease) == 1
        [requests] = await stage.values("kpi_latest", "requests", window="5m")
        [rate] = await stage.values("kpi_latest", "error_rate", window="5m")
        assert (requests["value"], rate["value"], rate["status"]) == (0, None, "none")
        [hour] = await stage.values("kpi_latest", "requests", window="1h")
        assert hour["value"] == 9


async def test_a_tenant_with_nothing_left_is_not_computed_again(database_url: str) -> None:
    async with staged(database_url) as stage:
        short = stage.live()
        await stage.requests([(stage.clock.now_us(), "200", 9)])
        await short.once(stage.pool, stage.owner, stage.lease)
        assert await short.once(stage.pool, stage.owner, stage.lease) == 0
        stage.clock.move(2 * 60 * MINUTE / SECOND)
        assert await short.once(stage.pool, stage.owner, stage.lease) == 1
        stage.clock.move(MINUTE / SECOND)
        assert await short.once(stage.pool, stage.owner, stage.lease) == 0


async def test_a_split_that_is_no_more_is_dropped(database_url: str) -> None:
    async with staged(database_url) as stage:
        short = stage.live()
        await stage.requests([(stage.clock.now_us(), "200", 9)])
        await short.once(stage.pool, stage.owner, stage.lease)
        split = "select count(*) from kpi_latest where kpi = 'requests' and \"window\" = '5m' and dims = '{\"service\": \"api\"}'"
        assert await stage.pool.fetchval(split) > 0
        stage.clock.move(6 * MINUTE / SECOND)
        await short.once(stage.pool, stage.owner, stage.lease)
        assert await stage.pool.fetchval(split) == 0


async def test_a_tenant_with_too_many_rows_keeps_nobody_elses_values_away(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with staged(database_url) as stage:
        async with stage.pool.acquire() as connection:
            few, many = [replace(stage, tenant=await make_tenant(connection, name, "UTC")) for name in ("few", "many")]
        for of, services in ((stage, 2), (few, 2), (many, 6)):
            for number in range(services):
                await of.requests([(stage.clock.now_us(), "200", 9)], service=f"service-{number}")
        # Of `error_rate` by service and window 16 rows, 16 and 48: more than one answer may have, together and one of them alone.
        monkeypatch.setattr(runner, "MAX_ROWS", 40)
        short = stage.live()
        assert await short.once(stage.pool, stage.owner, stage.lease) == 3
        for of in (stage, few):
            [rate] = await of.values("kpi_latest", "error_rate", window="5m")
            assert (rate["value"], rate["denominator"]) == (0, 18)
        assert await many.values("kpi_latest", "error_rate", window="5m") == []
        [requests] = await many.values("kpi_latest", "requests", window="5m")
        assert requests["value"] == 54
        failed = short.telemetry.registry.get_sample_value("tidegauge_evaluation_failures_total", {"kpi": "error_rate"})
        assert failed == 1
        # From then on it is asked alone, and the others together.
        asked = record_evaluations(monkeypatch)
        short.seen.clear()
        await short.once(stage.pool, stage.owner, stage.lease)
        assert sorted(len(tenants) for _, tenants, _ in asked) == [1, 2, 3]
        # Once it has no more than one answer may have, it is one of all again.
        monkeypatch.setattr(runner, "MAX_ROWS", 1_000)
        for _ in range(2):
            asked.clear()
            short.seen.clear()
            await short.once(stage.pool, stage.owner, stage.lease)
        assert [len(tenants) for _, tenants, _ in asked] == [3, 3]
        [rate] = await many.values("kpi_latest", "error_rate", window="5m")
        assert rate["denominator"] == 54


async def test_tenants_with_too_many_rows_together_are_asked_for_as_went_well(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with staged(database_url) as stage:
        async with stage.pool.acquire() as connection:
            other = replace(stage, tenant=await make_tenant(connection, "other", "UTC"))
        for of in (stage, other):
            for number in range(3):
                await of.requests([(stage.clock.now_us(), "200", 9)], service=f"service-{number}")
        monkeypatch.setattr(runner, "MAX_ROWS", 40)  # of `error_rate` by service and window 24 rows each
        asked, short = record_evaluations(monkeypatch), stage.live()
        for expected in ([1, 1, 2, 2], [1, 1, 2]):
            asked.clear()
            short.seen.clear()
            assert await short.once(stage.pool, stage.owner, stage.lease) == 2
            assert sorted(len(tenants) for _, tenants, _ in asked) == expected
        for of in (stage, other):
            [rate] = await of.values("kpi_latest", "error_rate", window="5m")
            assert rate["denominator"] == 27


async def test_kpis_are_evaluated_side_by_side_and_one_that_fails_keeps_no_other_back(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with staged(database_url) as stage:
        await stage.requests([(stage.clock.now_us(), "200", 9)])
        sound = stage.catalog.kpis["requests"]
        broken = Kpi(sound.head, "select tenant, win, dims, '' as statistic, 1 / 0 from facts", file=sound.file)
        catalog = Catalog({"requests": broken, "error_rate": stage.catalog.kpis["error_rate"]})
        short = replace(stage, catalog=catalog).live()
        asked = record_evaluations(monkeypatch)
        assert await short.once(stage.pool, stage.owner, stage.lease) == 1
        assert len({connection for _, _, connection in asked}) == 2
        [rate] = await stage.values("kpi_latest", "error_rate", window="5m")
        assert (rate["value"], rate["denominator"]) == (0, 9)
        assert await stage.values("kpi_latest", "requests", window="5m") == []


async def test_where_no_connection_is_spare_one_does_all(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with staged(database_url) as stage, await create_pool(database_url, max_size=1) as pool:
        await stage.requests([(stage.clock.now_us(), "200", 9)])
        asked = record_evaluations(monkeypatch)
        assert await stage.live().once(pool, stage.owner, stage.lease) == 1
        assert [len({each[place] for each in asked}) for place in (0, 2)] == [2, 1]
        [requests] = await stage.values("kpi_latest", "requests", window="5m")
        assert requests["value"] == 9


def record_evaluations(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, frozenset[int], int]]:
    """Which KPI is evaluated from now on, for which tenants, on which connection (the server's process)."""
    asked: list[tuple[str, frozenset[int], int]] = []

    async def recorded(
        connection: Connection, kpi: Kpi, windows: Sequence[Window], ground: Ground, shared: Shared | None = None
    ) -> list[LiveValue]:
        asked.append((kpi.id, frozenset(window.tenant for window in windows), connection.get_server_pid()))
        return await evaluate(connection, kpi, windows, ground, shared)

    monkeypatch.setattr(rounds, "evaluate", recorded)
    return asked


async def test_who_has_lost_the_lease_writes_nothing(database_url: str) -> None:
    async with staged(database_url) as stage:
        await stage.requests([(stage.clock.now_us(), "200", 9)])
        with pytest.raises(LeaseLost):
            await stage.live().once(stage.pool, uuid4(), stage.lease)
        assert await stage.pool.fetchval("select count(*) from kpi_latest") == 0
        # The connections of the others, whose statements were given up, are as good as before.
        assert await stage.live().once(stage.pool, stage.owner, stage.lease) == 1


async def test_a_target_judges_live_values(database_url: str) -> None:
    async with staged(database_url) as stage:
        config = '{"tenant": {"timezone": "UTC"}, "target": [{"kpi": "error_rate", "op": "<=", "target": 0.05, "limit": 0.2}]}'
        await stage.pool.execute("insert into config_version values ($1, 1, null, '', $2, now())", stage.tenant, config)
        await stage.pool.execute("update tenant set config_version = 1")
        now = stage.clock.now_us()
        await stage.requests([(now, "200", 9), (now, "500", 1)])
        await stage.live().once(stage.pool, stage.owner, stage.lease)
        [errors] = await stage.values("kpi_latest", "error_rate", window="5m")
        assert (errors["status"], errors["target"], errors["limit"]) == ("yellow", 0.05, 0.2)
