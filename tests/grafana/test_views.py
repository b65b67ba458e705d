"""What the views show of a tenant's rows, worked out by hand, and that docs/grafana-views.md says what they are."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.grafana.stored import store_tenants, views

PAGE = Path(__file__).resolve().parents[2] / "docs" / "grafana-views.md"
_SECTION = re.compile(r"^## `grafana\.(\w+)`\n\n(.+?)\.\n\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
_ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", re.MULTILINE)
_EXAMPLE = re.compile(r"```sql\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def filled(make_database: Callable[[], str]) -> str:
    """A database with one tenant in it: the owner's session is asked for no policy, and sees what its role would."""
    url = make_database()

    async def build() -> None:
        connection = await asyncpg.connect(url)
        await store_tenants(connection, "pilot")
        await connection.close()

    asyncio.run(build())
    return url


@pytest.fixture
async def stored(filled: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(filled)
    yield connection
    await connection.close()


async def one(connection: asyncpg.Connection, question: str) -> dict[str, Any]:
    """The one row of an answer."""
    [row] = await connection.fetch(question)
    return dict(row)


async def shown(connection: asyncpg.Connection, question: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await connection.fetch(question)]


async def test_the_page_names_every_view_with_its_columns_types_and_meanings(stored: asyncpg.Connection) -> None:
    sections = {name: (says, body) for name, says, body in _SECTION.findall(PAGE.read_text())}
    assert sorted(sections) == await views(stored)
    for name, (says, body) in sections.items():
        assert await stored.fetchval("select obj_description(('grafana.' || $1)::regclass)", name) == says
        columns = await shown(
            stored,
            "select attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum) from pg_attribute"
            f" where attrelid = 'grafana.{name}'::regclass and attnum > 0 order by attnum",
        )
        assert _ROW.findall(body) == columns, name


async def test_every_example_of_the_page_is_answered(stored: asyncpg.Connection) -> None:
    sections = _SECTION.findall(PAGE.read_text())
    for name, _, body in sections:
        examples = _EXAMPLE.findall(body)
        assert examples, name
        for example in examples:
            assert f"grafana.{name}" in example
            await stored.fetch(example)


async def test_values_of_kpis_have_readable_dimensions_and_say_why_there_is_no_status(stored: asyncpg.Connection) -> None:
    row = await one(stored, "select * from grafana.kpi where kpi = 'mean_of'")
    assert (row["statistic"], row["window_name"], row["account"], row["split"]) == ("p95", "7d", "pilot", "pilot")
    assert (row["value"], row["target"], row["limit_value"], row["status"], row["reason"]) == (1.0, 2.0, 3.0, "green", None)
    whole = await one(stored, "select split, dimensions, account from grafana.kpi where kpi = 'dau'")
    assert (whole["split"], json.loads(whole["dimensions"]), whole["account"]) == ("", {}, None)
    assert await shown(stored, "select distinct reason from grafana.kpi where kpi = 'funnel'") == [("no_target",)]
    assert await shown(
        stored, "select value from grafana.kpi where slo = 'pilot api' and kpi = 'burn_rate' and window_name = '5m'"
    ) == [(3,)]
    assert len(await shown(stored, "select value from grafana.kpi_history where account = 'pilot' and window_name = 'day'")) == 3


async def test_a_scorecard_has_its_rows_with_their_titles_and_units(stored: asyncpg.Connection) -> None:
    row = await one(stored, "select * from grafana.scorecard")
    assert (row["scorecard"], row["place"], row["row"], row["is_critical"], row["window_name"]) == (
        "pilot sla",
        1,
        "dau",
        True,
        "7d",
    )
    assert (row["value"], row["target"], row["limit_value"], row["status"], row["reason"]) == (1, 2, 3, "green", None)
    assert (row["title"], row["unit"]) == ("Active users", "users")


async def test_a_funnel_has_its_steps_with_their_shares(stored: asyncpg.Connection) -> None:
    row = await one(stored, "select * from grafana.funnel")
    assert (row["funnel"], row["place"], row["step"], row["counts"]) == ("pilot way", 1, "in", "users")
    assert (row["reached"], row["share"], row["share_of_first"], row["drop_share"]) == (1.0, 1.0, 1.0, 1.0)


async def test_an_account_stands_as_its_newest_values_say(stored: asyncpg.Connection) -> None:
    row = await one(stored, "select * from grafana.account")
    assert (row["account"], row["status"], row["tier"], row["industry"]) == ("pilot", "active", "starter", "pilot")
    assert (row["mrr"], row["mrr_currency"], row["contract_value"], row["contract_value_currency"]) == (12300, "USD", None, None)
    assert (row["health"], row["health_band"], row["churn_risk"], row["churn_band"]) == (1.0, "red", 1.0, "green")
    assert (row["signals"], row["open_tickets"], json.loads(row["traits"])) == (["budget_cut"], 1, {"industry": "pilot"})
    assert row["days_to_renewal"] < 0


async def test_the_time_between_resolved_and_reopened_does_not_count(stored: asyncpg.Connection) -> None:
    row = await one(stored, "select *, resolved_at - opened_at as span from grafana.incident")
    assert (row["state"], row["severity"], row["title"], row["accounts"]) == ("resolved", "P1", "down", ["pilot"])
    assert (row["detect_s"], row["acknowledge_s"]) == (120, None)
    assert row["resolve_s"] == (15 - 2 - 5) * 60
    assert row["span"].total_seconds() == 15 * 60


async def test_an_open_ticket_has_time_left_and_a_level(stored: asyncpg.Connection) -> None:
    row = await one(stored, "select *, due_at = resolution_due_at as same from grafana.ticket")
    assert (row["state"], row["priority"], row["tier"], row["escalation"], row["same"]) == ("open", "P1", "starter", 2, True)
    assert 0 < row["left_s"] <= 3600
    assert row["age_s"] > 0
    assert (row["response_due_at"], row["resolution_s"]) == (None, None)


async def test_an_item_has_its_colour_and_is_overdue_after_its_day(stored: asyncpg.Connection) -> None:
    row = await one(stored, "select * from grafana.item")
    assert (row["kind"], row["status"], row["colour"], row["is_overdue"]) == ("risk", "open", "red", True)
    assert (row["value"], row["currency"], row["account"]) == (100, "USD", "pilot")


async def test_a_source_is_late_when_its_newest_event_is_older_than_declared(stored: asyncpg.Connection) -> None:
    row = await one(stored, "select * from grafana.source")
    assert (row["source"], row["limit_s"], row["is_late"], row["stored"]) == ("pilot/s", 60, True, 5)
    assert row["age_s"] >= 120
    assert await shown(stored, "select stored, duplicate, dead_lettered from grafana.ledger") == [(5, 2, 1)]
    assert await shown(stored, "select reason, copies from grafana.dead_letter") == [("malformed", 3)]


@pytest.mark.parametrize("grain", ["minute", "quarter", "day"])
async def test_facts_are_shown_in_milliseconds_and_units(stored: asyncpg.Connection, grain: str) -> None:
    sla = f"select distinct finals, delivered, on_time, failed, on_time_share, latency_mean_ms from grafana.delivery_sla_{grain}"
    assert await shown(stored, sla) == [(4, 2, 2, 2, Decimal("0.5"), 3000)]
    steps = f"select outcome, on_time, excluded, sum(steps) from grafana.delivery_{grain} group by 1, 2, 3 order by 1, 3"
    assert await shown(stored, steps) == [("delivered", True, None, 6), ("failed", None, "test", 6), ("failed", None, None, 6)]
    requests = f"select status, is_error, sum(requests) from grafana.request_{grain} group by 1, 2 order by 1"
    assert await shown(stored, requests) == [("200", False, 6), ("503", True, 6), ("timeout", True, 6)]
    meter = f"select distinct meter, unit, attributes ->> 'page', count, sum, mean, min, max, newest from grafana.meter_{grain}"
    assert await shown(stored, meter) == [("web_vital.lcp", "ms", "home", 2, 6, 3, 1, 5, 5)]
    usage = f"select feature, ok, properties ->> 'plan', sum(events), sum(uses) from grafana.usage_{grain} group by 1, 2, 3"
    assert await shown(stored, usage) == [("export", True, "pro", 6, 18)]


async def test_an_slo_has_its_budget_and_burns_over_its_own_window(stored: asyncpg.Connection) -> None:
    row = await one(stored, "select * from grafana.slo")
    assert (row["slo"], row["kind"], row["objective"], row["window_name"]) == (
        "pilot api",
        "request_success",
        Decimal("0.99"),
        "30d",
    )
    assert (row["good"], row["total"], row["compliance"], row["budget_left"], row["budget_spent"]) == (995, 1000, 0.995, 0.5, 0.5)
    assert (row["days_to_exhaustion"], row["burn_5m"], row["burn_72h"], row["burn_1h"], row["status"]) == (
        7,
        3,
        0.5,
        None,
        "none",
    )
    for grain in ("minute", "quarter", "day"):
        assert await shown(stored, f"select slo, good, total from grafana.slo_{grain}") == [("api", 1, 2)] * 3, (
            "the excluded are out"
        )
    assert await shown(stored, "select name, currency from grafana.tenant") == [("pilot", "USD")]


async def test_seconds_of_probes_are_down_where_a_monitor_said_so(stored: asyncpg.Connection) -> None:
    row = await one(stored, "select up_s, down_s, degraded_s, probes, probes_up from grafana.probe_quarter")
    assert tuple(row.values()) == (3, 2, 0, 5, 4)


async def test_users_are_counted_exactly_and_cohorts_leave_out_whom_was_there_before(stored: asyncpg.Connection) -> None:
    assert await shown(stored, "select users, count(*) from grafana.active_users_day group by users") == [(3, 4)]
    heat = await shown(stored, "select weekday, week + weekday - 1 = day, users from grafana.feature_heatmap order by day")
    assert [(same, users) for _, same, users in heat] == [(True, 3)] * 4
    assert {weekday for weekday, _, _ in heat} <= set(range(1, 8))
    triangle = "select cohort_users, age, users, share from grafana.retention where age <= {} order by cohort, age"
    assert await shown(stored, triangle.format(0)) == [(3, 0, 3, 1), (1, 0, 0, 0)]
    assert (3, 1, 3, 1) in await shown(stored, triangle.format(1))
