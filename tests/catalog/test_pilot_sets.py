"""The pilot week's figures of users, features, milestones, availability and incidents, to the last unit."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from service.catalog import Catalog, Question, Window, declared_of, resolve_window, run
from service.clock import DAY, MINUTE, to_us
from service.demo import pilot
from service.domain.config import parse
from tests.catalog.pilot import store_pilot_week
from tests.catalog.rollups import make_tenant

MONDAY = to_us(datetime(2025, 11, 17, tzinfo=UTC))
EXPECTED = pilot.expected()
EXACT = EXPECTED["tolerance"]["ratios"]


class Week:
    """The week, ready to be asked."""

    def __init__(self, connection: asyncpg.Connection, tenant: int) -> None:
        self.connection = connection
        self.tenant = tenant
        self.catalog = Catalog.load()
        self.declared = {tenant: declared_of(parse(pilot.configuration(), known_kpis=self.catalog.shapes()))}

    def window(self, name: str = "week", *, days: int = 7) -> Window:
        end = MONDAY + days * DAY
        return resolve_window(self.tenant, "UTC", now_us=MONDAY + 60 * DAY, name=name, end_us=end, key=days)

    async def rows(
        self, kpi: str, by: Sequence[str] = (), *, stat: str = "", windows: Sequence[Window] = (), **asked: Any
    ) -> dict[tuple[Any, ...], float | None]:
        filters = {name: (value,) for name, value in asked.items() if name not in {"days", "denominator"}}
        parameters = {name: value for name, value in asked.items() if name not in filters}
        question = Question(by=tuple(by), filters=filters, parameters=parameters, statistics=(stat,))
        found = await run(self.connection, self.catalog.kpis[kpi], windows or [self.window()], question, declared=self.declared)
        return {tuple(value.dims[name] for name in by if name in value.dims): value.value for value in found}

    async def one(self, kpi: str, *, stat: str = "", **asked: Any) -> float | None:
        return (await self.rows(kpi, stat=stat, **asked))[()]

    async def daily(self, kpi: str) -> list[float | None]:
        windows = [self.window("day", days=day) for day in range(1, 8)]
        found = await run(self.connection, self.catalog.kpis[kpi], windows, Question(statistics=("",)), declared=self.declared)
        by_day = {value.window: value.value for value in found}
        return [by_day[window.key] for window in windows]


@pytest.fixture
async def week(connection: asyncpg.Connection) -> Week:
    tenant = await make_tenant(connection, "pilot")
    await store_pilot_week(connection, tenant)
    return Week(connection, tenant)


async def test_the_weeks_users_are_those_of_the_report(week: Week) -> None:
    assert await week.daily("dau") == EXPECTED["dau"]
    assert await week.one("wau") == EXPECTED["wau"]
    assert await week.one("average_dau", days="business") == pytest.approx(EXPECTED["average_dau_business_days"], rel=EXACT)
    assert await week.one("average_dau", days="all") == pytest.approx(EXPECTED["average_dau_all_days"], rel=EXACT)
    assert await week.one("stickiness_weekly", days="business") == pytest.approx(EXPECTED["stickiness_business_days"], rel=EXACT)
    share = await week.one("wau_share", denominator="provisioned")
    assert share == pytest.approx(EXPECTED["wau_share_of_provisioned"], rel=EXACT)
    assert await week.one("new_users") == EXPECTED["users"]["logged_in"]


async def test_the_weeks_features_are_those_of_the_report(week: Week) -> None:
    adoption = await week.rows("feature_adoption", ["feature"])
    for feature, share in EXPECTED["feature_adoption"].items():
        assert adoption[(feature,)] == pytest.approx(share, rel=EXACT)
    cells = await week.rows("feature_heatmap", ["feature", "weekday"])
    for feature, days in EXPECTED["heatmap"].items():
        assert [cells[feature, str(day)] for day in range(1, 8)] == days
    totals = await week.rows("feature_heatmap", ["feature"], stat="total")
    assert {feature: totals[(feature,)] for feature in EXPECTED["heatmap_totals"]} == EXPECTED["heatmap_totals"]


async def test_users_per_account_and_feature_are_those_of_the_report(week: Week) -> None:
    plain = await week.rows("feature_users", ["account", "feature"])
    export = await week.rows("feature_users", ["account", "feature"], feature="export")
    for account, features in EXPECTED["feature_users_by_account"].items():
        found = {feature: (export if feature == "export" else plain).get((account, feature), 0) for feature in features}
        assert found == features


async def test_first_value_is_that_of_the_report(week: Week) -> None:
    wanted = EXPECTED["ttfv_minutes"]
    assert await week.one("time_to_first_value", stat="mean") == pytest.approx(wanted["mean"] * 60, rel=1e-9)
    assert await week.one("time_to_first_value", stat="p95") == pytest.approx(wanted["p95_interpolated"] * 60, rel=1e-9)
    by_account = await week.rows("time_to_first_value", ["account"], stat="mean")
    assert by_account == {(account,): pytest.approx(mean * 60, rel=1e-9) for account, mean in wanted["mean_by_account"].items()}
    assert await week.one("first_value_achieved") == pytest.approx(EXPECTED["users"]["achieved_share"], rel=EXACT)


async def test_accounts_are_activated_as_in_the_report(week: Week) -> None:
    wanted = EXPECTED["accounts"]
    assert await week.one("account_activation") == pytest.approx(wanted["activation_rate"], rel=EXACT)
    hours = await week.one("time_to_activation", stat="mean")
    assert hours == pytest.approx(wanted["time_to_activation_hours_mean"] * 3600, rel=1e-9)
    by_account = await week.rows("account_activation", ["account"])
    assert sorted(value or 0.0 for value in by_account.values()) == [0, 1, 1, 1, 1]


async def test_the_funnel_is_that_of_the_report(week: Week) -> None:
    counts = {key: value or 0.0 for key, value in (await week.rows("funnel", ["step"], funnel="pilot")).items()}
    shares = await week.rows("funnel", ["step"], stat="share", funnel="pilot")
    for step, (count, base, share) in EXPECTED["funnel"].items():
        assert counts[(step,)] == count
        assert shares[(step,)] == pytest.approx(share, rel=EXACT)
        assert base is None or counts[(step,)] / counts[(base,)] == shares[(step,)]


async def test_the_weeks_availability_is_that_of_the_report(week: Week) -> None:
    wanted = EXPECTED["availability"]
    assert await week.one("availability") == pytest.approx(wanted["week"], rel=EXACT)
    assert await week.daily("availability") == pytest.approx(wanted["daily"], rel=EXACT)
    assert await week.one("downtime") == wanted["downtime_minutes"] * 60
    assert await week.one("probe_coverage") == 1


async def test_the_weeks_incidents_are_those_of_the_report(week: Week) -> None:
    wanted = EXPECTED["incidents"]
    counts = await week.rows("incidents", ["severity"])
    assert {severity: n for (severity,), n in counts.items()} == wanted["by_severity"]
    assert await week.one("false_positives") == wanted["false_positives"]
    assert await week.one("open_incidents") == 0
    for kpi, minutes in (("mttd", wanted["mttd_minutes"]), ("mttr", wanted["mttr_minutes"])):
        for severity, mean in minutes.items():
            found = await week.one(kpi, stat="mean", severity=severity)
            assert found == (None if mean is None else pytest.approx(mean * MINUTE / 1e6, rel=1e-9)), (kpi, severity)


async def test_the_weeks_tickets_are_those_of_the_report(week: Week) -> None:
    wanted = EXPECTED["tickets"]
    assert await week.one("tickets") == wanted["count"]
    by_category = await week.rows("tickets", ["category"])
    assert {category: n for (category,), n in by_category.items()} == wanted["by_category"]
    assert await week.one("resolution_time", stat="mean") == pytest.approx(wanted["resolution_hours_mean"] * 3_600, rel=1e-9)
