"""Health and churn risk of customers from stored events, each figure worked by hand."""

import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import asyncpg
import pytest

from service.catalog import Catalog, Declared, Question, Value, Window, declared_of, resolve_window, run
from service.clock import DAY, HOUR
from service.domain.config import TenantConfig
from service.domain.config.scores import DEFAULT_HEALTH
from service.domain.selector import parse_selector
from service.errors import InvalidQuery
from service.store.engine import Connection
from tests.catalog.accounts import Step, store_family
from tests.catalog.people import Use, store_people
from tests.catalog.rollups import Observation, make_partitions, make_tenant, store
from tests.catalog.support import Ticket, store_tickets
from tests.catalog.test_facts_oracle import local

ZONE: Final = "UTC"
NOW: Final = local(ZONE, 2025, 11, 19, 12, 0, 0)
"""A Wednesday."""
KPIS: Final = Catalog.load().kpis
TODAY: Final = date(2025, 11, 19)
CONFIG: Final = {
    "tenant": {"timezone": ZONE},
    "health": {
        "adoption": {"wau": 1.0},
        "delivery": {"delivery_success": 1.0},
        "engagement": {"requests": 1.0},
        "satisfaction": {"nps": 1.0},
        "reliability": {"error_rate": 3.0, "request_latency.p95": 1.0},
    },
    "target": [
        {"kpi": "wau", "op": ">=", "target": 4},
        {"kpi": "wau", "where": {"account": ["acme"]}, "op": ">=", "target": 4},
        {"kpi": "delivery_success", "op": ">=", "target": 0.9},
        {"kpi": "error_rate", "op": "<=", "target": 0.05},
        {"kpi": "request_latency.p95", "op": "<=", "target": 500},
    ],
}


@dataclass(frozen=True, slots=True)
class Told:
    """What an event told of an account."""

    account: str
    field: str
    value: str
    at_us: int = NOW - 60 * DAY


async def tell(connection: Connection, tenant: int, *told: Told, live: dict[str, int] | None = None) -> None:
    rows = [
        (tenant, "account", one.field, one.account, one.account, one.at_us, "/s", f"e{n}", one.value)
        for n, one in enumerate(told)
    ]
    columns = ["tenant", "kind", "field", "who", "account", "time_us", "source", "id", "value"]
    await connection.copy_records_to_table("state_history", records=rows, columns=columns)
    known: dict[str, int] = {}
    for one in told:
        known[one.account] = min(known.get(one.account, one.at_us), one.at_us)
    reached = [("~known", name, at) for name, at in known.items()] + [("go_live", name, at) for name, at in (live or {}).items()]
    milestones = [(tenant, "account", what, name, name, at, "/s", "e") for what, name, at in reached]
    columns = ["tenant", "kind", "milestone", "who", "account", "time_us", "source", "id"]
    await connection.copy_records_to_table("milestone", records=milestones, columns=columns)
    for one in told:
        if one.field.startswith("signal."):
            insert = "insert into name (tenant, kind, name) values ($1, 'signal', $2) on conflict do nothing"
            await connection.execute(insert, tenant, one.field.removeprefix("signal."))


def used(user: str, account: str, days_ago: int = 0) -> Use:
    return Use(TODAY - timedelta(days=days_ago), user, "report", account)


@pytest.fixture
async def tenant(connection: asyncpg.Connection) -> int:
    await make_partitions(connection)
    return await make_tenant(connection, "pilot", ZONE)


def declared(tenant: int, **tables: Any) -> dict[int, Declared]:
    return {tenant: declared_of(TenantConfig.model_validate({**CONFIG, **tables}, by_alias=True))}


def window(tenant: int, name: str = "30d", key: Any = 0, end_us: int = NOW) -> Window:
    return resolve_window(tenant, ZONE, now_us=NOW, name=name, end_us=end_us, key=key)


async def scores(
    connection: asyncpg.Connection, kpi: str, of: Window, tables: dict[str, Any] | None = None, **asked: Any
) -> list[Value]:
    return await run(
        connection, Catalog.load().kpis[kpi], [of], Question(**asked), declared=declared(of.tenant, **(tables or {}))
    )


def of_accounts(values: list[Value]) -> dict[str, float | None]:
    return {value.dims["account"]: value.value for value in values if value.statistic == ""}


async def risk(
    connection: asyncpg.Connection, tenant: int, account: str, tables: dict[str, Any] | None = None
) -> tuple[float | None, str]:
    filters = {"account": (account,)}
    [value] = await scores(connection, "churn_risk", window(tenant, "1d"), tables, filters=filters, statistics=("",))
    return value.value, value.note


async def test_the_risk_of_a_customer_names_every_factor(connection: asyncpg.Connection, tenant: int) -> None:
    await tell(
        connection,
        tenant,
        Told("acme", "status", "active"),
        Told("acme", "contract_end", "2026-01-15"),
        Told("acme", "renewal", "2025-11-10"),
        Told("acme", "licensed_users", "20"),
        Told("acme", "signal.merger", "true", NOW - 10 * DAY),
        Told("acme", "signal.delayed", "true", NOW - 50 * DAY),
        Told("acme", "signal.delayed", "false", NOW - 5 * DAY),
        Told("acme", "signal.budget_cut", "true", NOW - 91 * DAY),
    )
    # One of 20 licensed users on one business day: 1/22 of a user a day, under 10 %.
    await store_people(connection, tenant, [used("u1", "acme")])
    value, note = await risk(connection, tenant, "acme")
    # 25 past renewal + 20 active share + 15 nobody trained + 10 contract in its last 90 days + 10 merger
    assert value == 80
    assert [part.rpartition(" (")[2] for part in note.split("; ")] == ["+25)", "+20)", "+15)", "+10)", "+10)"]
    assert "the customer merges with another company (+10)" in note
    own = {"churn": {**TenantConfig().churn, "signal_days": 100, "budget_cut": 7}}
    assert (await risk(connection, tenant, "acme", own))[0] == 87


async def test_mrr_that_does_not_rise_for_half_a_year_after_going_live_is_a_risk(
    connection: asyncpg.Connection, tenant: int
) -> None:
    old = NOW - 300 * DAY
    told = [Told(name, "status", "active", old) for name in ("flat", "rising", "young")]
    told += [Told(name, "mrr", "1000 USD", old) for name in ("flat", "rising", "young")]
    told += [Told("flat", "mrr", "900 USD", NOW - 40 * DAY), Told("rising", "mrr", "1100 USD", NOW - 40 * DAY)]
    await tell(connection, tenant, *told, live={"flat": old, "rising": old, "young": NOW - 100 * DAY})
    await store_people(connection, tenant, [used(f"u-{name}", name) for name in ("flat", "rising", "young")])
    values = await scores(connection, "churn_risk", window(tenant, "1d"), by=("account",))
    assert of_accounts(values) == {"flat": 20, "rising": 15, "young": 15}  # 15: nobody is trained


async def test_more_than_five_tickets_and_escalations_of_a_month_are_a_risk_even_of_older_tickets(
    connection: asyncpg.Connection, tenant: int
) -> None:
    names = ("five", "six", "older", "both", "past")
    await tell(connection, tenant, *(Told(name, "status", "active") for name in names))
    await store_people(connection, tenant, [used(f"u-{name}", name) for name in names])

    def tickets(account: str, n: int, opened_days_ago: int, escalated_days_ago: int | None = None) -> list[Ticket]:
        opened = (NOW - opened_days_ago * DAY, {"action": "opened", "priority": "P2", "account": account})
        later = [] if escalated_days_ago is None else [(NOW - escalated_days_ago * DAY, {"action": "escalated", "level": 2})]
        return [Ticket(f"{account}-{opened_days_ago}-{number}", [opened, *later]) for number in range(n)]

    told = [
        *tickets("five", 5, 10),
        *tickets("six", 6, 10),
        *tickets("older", 4, 10),
        *tickets("older", 2, 40, 5),
        *tickets("both", 3, 10, 5),
        *tickets("past", 3, 10),
        *tickets("past", 3, 60, 40),
    ]
    await store_tickets(connection, tenant, told, random.Random(1))
    values = await scores(connection, "churn_risk", window(tenant, "1d"), by=("account",))
    # 15: nobody is trained; 10 more from the sixth ticket or escalation on.
    assert of_accounts(values) == {"five": 15, "six": 25, "older": 25, "both": 25, "past": 15}
    assert "more than 5 tickets or escalations in a month (+10)" in (await risk(connection, tenant, "older"))[1]


async def test_only_customers_are_at_risk_and_the_whole_is_their_mean(connection: asyncpg.Connection, tenant: int) -> None:
    await tell(
        connection,
        tenant,
        Told("acme", "status", "active"),
        Told("beta", "status", "at_risk"),
        Told("gone", "status", "churned"),
        Told("lead", "status", "prospect"),
        Told("beta", "signal.contract_disputed", "true", NOW - DAY),
    )
    # Known for 60 days and used by nobody: 20 points each.
    by = await scores(connection, "churn_risk", window(tenant, "1d"), by=("account",))
    assert of_accounts(by) == {"acme": 20, "beta": 50}
    whole = {value.statistic: value for value in await scores(connection, "churn_risk", window(tenant, "1d"))}
    assert (whole[""].value, whole[""].numerator, whole[""].denominator) == (35, 70, 2)
    assert {name: whole[name].value for name in ("green", "yellow", "orange", "red")} == {
        "green": 1,
        "yellow": 0,
        "orange": 1,
        "red": 0,
    }
    assert (await risk(connection, tenant, "gone")) == (None, "")


async def test_who_is_no_customer_has_no_health_whoever_is_asked_for(connection: asyncpg.Connection, tenant: int) -> None:
    await store_people(connection, tenant, [used("u1", "gone", day) for day in range(20)])

    async def healthy() -> list[set[str]]:
        asked = [await scores(connection, "health", window(tenant, "30d"), by=("account",), filters=filters)
                 for filters in ({"account": ("gone",)}, {})]  # fmt: skip
        return [{value.dims["account"] for value in values if "account" in value.dims} for values in asked]

    # While none tells what it is, all are taken for customers.
    assert await healthy() == [{"gone"}, {"gone"}]
    await tell(connection, tenant, Told("gone", "status", "churned"))
    assert await healthy() == [set(), set()]


async def test_what_is_older_than_the_window_s_end_counts_alone(connection: asyncpg.Connection, tenant: int) -> None:
    await tell(
        connection, tenant, Told("acme", "status", "active"), Told("acme", "signal.merger", "true", NOW - 3 * DAY), live={}
    )
    await store_people(connection, tenant, [used("u1", "acme", day) for day in range(20)])
    week_ago = window(tenant, "1d", end_us=NOW - 7 * DAY)
    assert of_accounts(await scores(connection, "churn_risk", week_ago, by=("account",))) == {"acme": 15}
    assert of_accounts(await scores(connection, "churn_risk", window(tenant, "1d"), by=("account",))) == {"acme": 25}


async def events(connection: asyncpg.Connection, tenant: int) -> None:
    await tell(connection, tenant, Told("acme", "status", "active"), Told("beta", "status", "active"))
    await store_people(connection, tenant, [used(f"u{n}", "acme") for n in range(3)])
    at, dims = NOW - HOUR, {"integration": "sap", "direction": "inbound"}
    deliveries = [
        Observation(at, {**dims, "outcome": "delivered"}, "acme", 1_000_000, 8),
        Observation(at, {**dims, "outcome": "failed"}, "acme", 0, 2),
    ]
    await store(connection, tenant, "delivery", ZONE, deliveries)
    requests = [
        Observation(at, {"service": "api", "status": "200"}, "acme", 1_000_000_000, 9),
        Observation(at, {"service": "api", "status": "500"}, "acme", 1_000_000_000, 1),
        Observation(at, {"service": "api", "status": "200"}, "", 100_000_000, 90),
    ]
    await store(connection, tenant, "request", ZONE, requests)


async def test_health_of_a_customer_is_the_weighted_share_of_its_targets(connection: asyncpg.Connection, tenant: int) -> None:
    await events(connection, tenant)
    values = await scores(connection, "health", window(tenant), by=("account",))
    acme = {value.statistic: value.value for value in values if value.dims["account"] == "acme"}
    # 3 of 4 users: 15.0. 0.8 of 0.9 delivered: 17.8. Requests have no target, NPS no answer: both leave.
    # Errors 0.1 against 0.05: half, weight 3; p95 1,000 against 500: half, weight 1: 10.0. In all 42.8 of 60.
    assert acme == {"": 71, "adoption": 15.0, "delivery": 17.8, "engagement": None, "satisfaction": None, "reliability": 10.0}
    [note] = [value.note for value in values if value.dims["account"] == "acme" and not value.statistic]
    # What lacks of 60 is a half more of 100: 29 points, all of them named.
    assert note == "error_rate (-12.5); wau (-8.3); request_latency.p95 (-4.2); delivery_success (-3.7)"


async def test_an_account_without_events_of_its_own_has_what_is_platform_wide(
    connection: asyncpg.Connection, tenant: int
) -> None:
    await events(connection, tenant)
    asked: dict[str, Any] = {"filters": {"account": ("beta",)}, "statistics": ("reliability",)}
    [beta] = await scores(connection, "health", window(tenant), **asked)
    assert beta.value == 20.0


async def test_health_of_the_whole_is_made_of_whole_figures(connection: asyncpg.Connection, tenant: int) -> None:
    await events(connection, tenant)
    whole = {value.statistic: value.value for value in await scores(connection, "health", window(tenant))}
    # One error in 100 requests is within 0.05, and the p95 is 1,000 ms: 3 of 3 and half of 1.
    assert (whole["reliability"], whole["adoption"]) == (17.5, 15.0)


async def test_without_any_target_that_is_met_by_a_value_there_is_no_health(connection: asyncpg.Connection, tenant: int) -> None:
    await tell(connection, tenant, Told("acme", "status", "active"))
    none = {name: {"nps": 1.0} for name in ("adoption", "delivery", "engagement", "satisfaction", "reliability")}
    [value] = [v for v in await scores(connection, "health", window(tenant), {"health": none}) if not v.statistic]
    assert (value.value, value.reason) == (None, "no_data")


async def test_a_score_is_split_by_account_alone(connection: asyncpg.Connection, tenant: int) -> None:
    with pytest.raises(InvalidQuery, match="split by account alone"):
        await scores(connection, "health", window(tenant), by=("account.region",))
    with pytest.raises(InvalidQuery, match="name one"):
        await scores(connection, "health", window(tenant), filters={"account": ("a", "b")})


async def test_many_windows_and_tenants_are_scored_at_once(connection: asyncpg.Connection, tenant: int) -> None:
    other = await make_tenant(connection, "other", ZONE)
    await events(connection, tenant)
    await tell(connection, other, Told("acme", "status", "active"))
    windows = [window(each, "30d", (each, end), end) for each in (tenant, other) for end in (NOW, NOW - 40 * DAY)]
    found = await run(
        connection,
        Catalog.load().kpis["health"],
        windows,
        Question(statistics=("reliability",)),
        declared=declared(tenant) | declared(other),
    )
    assert {value.window: value.value for value in found} == {
        (tenant, NOW): 17.5, (tenant, NOW - 40 * DAY): None, (other, NOW): None, (other, NOW - 40 * DAY): None
    }  # fmt: skip


async def test_satisfaction_counts_without_any_target_declared(connection: asyncpg.Connection, tenant: int) -> None:
    await tell(connection, tenant, Told("acme", "status", "active"))
    scores_of_users = {"u1": 9, "u2": 9, "u3": 8, "u4": 9}
    told = [
        Step(NOW - DAY, user, {"survey": "nps", "action": "responded", "score": score, "scale": 10}, "acme")
        for user, score in scores_of_users.items()
    ]
    told += [
        Step(NOW - DAY, f"c{score}", {"survey": "csat", "action": "responded", "score": score, "scale": 5}, "acme")
        for score in (1, 2, 4, 5, 5)
    ]
    await store_family(connection, tenant, "feedback", told)
    declared = {tenant: declared_of(TenantConfig())}
    found = await run(connection, KPIS["health"], [window(tenant)], Question(("account",)), declared=declared)
    # 75 points against 50: all; 3 of 5 in the two top scores against 0.8: three quarters. 0.875 of 20.
    assert {value.statistic: value.value for value in found}["satisfaction"] == 17.5


def test_all_that_health_weighs_by_default_has_a_usual_target() -> None:
    weighed = [parse_selector(text) for weights in DEFAULT_HEALTH.values() for text in weights]
    assert [str(each) for each in weighed if KPIS[each.kpi].usual(each.statistic or "") is None] == []
