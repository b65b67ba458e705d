"""Compliance, error budgets and burn rates of SLOs: worked by hand, and against plain arithmetic on every event."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import asyncpg
import pytest

from service.catalog import Catalog, Declared, Question, Window, declared_of, resolve_window, run
from service.clock import DAY, HOUR, MINUTE, SECOND, to_us
from service.domain.config import TenantConfig
from service.domain.localtime import day_of, start_of_day_us
from tests.catalog import budgets
from tests.catalog.budgets import Counted
from tests.catalog.health import Probe, store_probes
from tests.catalog.rollups import Observation, make_partitions, make_tenant, store
from tests.catalog.test_sources import random_events, store_receipts

ZONE = "America/New_York"
NOW = to_us(datetime(2025, 11, 19, 13, 20, 31, tzinfo=UTC))
LIMITS = {"/billing": 3_600, "/web": 90, "/never": 600}
BY = Question(by=("slo",))


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


def declares(*slos: Mapping[str, Any], **tables: Any) -> Declared:
    return declared_of(TenantConfig.model_validate({"slo": list(slos), **tables}))


def on_time(window: str = "30d", objective: float = 0.95, name: str = "on-time") -> dict[str, Any]:
    return {"name": name, "kind": "delivery_on_time", "objective": objective, "window": window}


def seen(at_us: int, good: int, bad: int = 0, *, name: str = "on-time", account: str = "", **dims: str) -> list[Observation]:
    """So many good and bad events of an SLO at an instant."""
    named = {"slo": name, **dims}
    return [Observation(at_us, named, account, value, count) for value, count in ((1, good), (0, bad)) if count]


async def put(connection: asyncpg.Connection, events: Sequence[Observation], zone: str = ZONE) -> int:
    await make_partitions(connection)
    tenant = await make_tenant(connection, "acme", zone)
    await store(connection, tenant, "slo", zone, events, distribution=False)
    return tenant


def window(tenant: int, name: str, *, now_us: int = NOW, end_us: int | None = None) -> Window:
    return resolve_window(tenant, ZONE, now_us=now_us, name=name, end_us=end_us, key=name)


async def figures(
    catalog: Catalog, connection: asyncpg.Connection, kpi: str, asked: Window, known: Declared, question: Question = BY
) -> dict[tuple[str, str], tuple[Any, str]]:
    """By the first dimension asked for and statistic: the value and why there is none."""
    values = await run(connection, catalog.kpis[kpi], [asked], question, declared={asked.tenant: known})
    return {("/".join(each.dims.values()), each.statistic): (each.value, each.reason) for each in values}


async def test_a_budget_is_what_the_objective_leaves_of_the_events_of_the_window(
    catalog: Catalog, connection: asyncpg.Connection
) -> None:
    # 30 days: 2,000 finals of which 60 were bad, where 100 may be; today 200 of which 20 were: a burn rate of 2.
    tenant = await put(connection, [*seen(NOW - 10 * DAY, 1_760, 40), *seen(NOW - HOUR, 180, 20), *seen(NOW - 40 * DAY, 1, 999)])
    known = declares(on_time())
    assert await figures(catalog, connection, "error_budget", window(tenant, "day"), known) == {
        ("on-time", ""): (0.4, ""),
        ("on-time", "spent"): (0.6, ""),
        ("on-time", "days_to_exhaustion"): (0.4 * 30 / 2, ""),
    }
    assert await figures(catalog, connection, "burn_rate", window(tenant, "24h"), known) == {("on-time", ""): (2.0, "")}
    assert await figures(catalog, connection, "slo", window(tenant, "30d"), known) == {
        ("on-time", ""): (0.97, ""),
        ("on-time", "objective"): (0.95, ""),
    }


async def test_an_overspent_budget_is_less_than_nothing_and_is_exhausted_now(
    catalog: Catalog, connection: asyncpg.Connection
) -> None:
    tenant = await put(connection, seen(NOW - 3 * DAY, 80, 20))
    found = await figures(catalog, connection, "error_budget", window(tenant, "day"), declares(on_time(objective=0.9)))
    assert found == {
        ("on-time", ""): (-1.0, ""),
        ("on-time", "spent"): (2.0, ""),
        ("on-time", "days_to_exhaustion"): (0.0, ""),
    }


async def test_an_slo_without_events_has_no_value_and_says_so(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await put(connection, [])
    known = declares(on_time(), {"name": "up", "kind": "availability", "objective": 0.999})
    for kpi in ("slo", "burn_rate", "error_budget"):
        found = await figures(catalog, connection, kpi, window(tenant, "day"), known)
        assert {name for name, _ in found} == {"on-time", "up"}
        assert {each for (_, statistic), each in found.items() if statistic != "objective"} == {(None, "no_data")}


async def test_a_budget_that_nothing_burns_lasts_no_number_of_days(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await put(connection, [*seen(NOW - 3 * DAY, 990, 10), *seen(NOW - HOUR, 100)])
    found = await figures(catalog, connection, "error_budget", window(tenant, "day"), declares(on_time()))
    assert found["on-time", "days_to_exhaustion"] == (None, "no_data")
    assert found["on-time", ""] == (pytest.approx(1 - 10 / 55), "")


async def test_excluded_events_are_in_no_slo(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await put(connection, [*seen(NOW - HOUR, 9, 1), *seen(NOW - HOUR, 0, 90, excluded="maintenance")])
    found = await figures(catalog, connection, "slo", window(tenant, "24h"), declares(on_time()))
    assert found["on-time", ""] == (0.9, "")


async def test_an_account_has_what_names_it_and_what_names_none_and_a_split_only_what_names_one(
    catalog: Catalog, connection: asyncpg.Connection
) -> None:
    events = [*seen(NOW - HOUR, 8, 2, account="acme"), *seen(NOW - HOUR, 10), *seen(NOW - HOUR, 0, 80, account="globex")]
    tenant = await put(connection, events)
    known, day = declares(on_time(), {"name": "up", "kind": "availability", "objective": 0.999}), window(tenant, "24h")
    chosen = Question(filters={"slo": ("on-time",), "account": ("acme",)})
    assert (await figures(catalog, connection, "slo", day, known, chosen))["", ""] == (0.9, "")
    split = Question(by=("account", "slo"))
    for kpi, acme in (("slo", 0.8), ("burn_rate", 4.0)):
        found = await figures(catalog, connection, kpi, day, known, split)
        assert found["acme/on-time", ""] == (pytest.approx(acme), "")
        assert {name for name, _ in found} == {"acme/on-time", "globex/on-time"}
    found = await figures(catalog, connection, "error_budget", window(tenant, "day"), known, split)
    assert found["globex/on-time", ""] == (pytest.approx(-19.0), "")


def tally(events: Sequence[Observation], start_us: int, end_us: int) -> Counted:
    inside = [each for each in events if start_us <= each.at_us < end_us]
    return Counted(sum(each.count * each.value for each in inside), sum(each.count for each in inside))


def own_window(name: str, until_us: int) -> tuple[int, int]:
    """Start and number of days of the window that a budget is over, as of an instant."""
    today = day_of(until_us - 1, ZONE)
    local = datetime.fromtimestamp((until_us - 1) / 1_000_000, UTC)
    if name in {"28d", "30d"}:
        days = int(name[:-1])
        return start_of_day_us(today + 1 - days, ZONE), days
    months = {"month": 1, "quarter": 3}[name]
    begin = (local.month - 1) // months * months + 1
    first, after = (
        (datetime(local.year + (month > 12), (month - 1) % 12 + 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days
        for month in (begin, begin + months)
    )
    return start_of_day_us(first, ZONE), after - first


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_figure_is_that_of_plain_arithmetic_on_the_events(
    catalog: Catalog, connection: asyncpg.Connection, seed: int
) -> None:
    dice = random.Random(seed)
    events = [
        each
        for _ in range(400)
        for each in seen(
            NOW - dice.choice((dice.randrange(DAY), dice.randrange(60 * DAY))), dice.randrange(50), dice.randrange(3)
        )
    ]
    tenant = await put(connection, events)
    for own, objective in (("28d", 0.9), ("30d", 0.999), ("month", 0.95), ("quarter", 0.99)):
        known, exact = declares(on_time(own, objective)), Fraction(str(objective))
        for end_us in (None, NOW - 5 * DAY // 900_000_000 * 900_000_000, start_of_day_us(day_of(NOW, ZONE) - 3, ZONE)):
            asked = window(tenant, "24h", end_us=end_us)
            until_us = -(-asked.until_us // MINUTE) * MINUTE
            start_us, days = own_window(own, asked.until_us)
            whole, last_day = tally(events, start_us, until_us), tally(events, until_us - DAY, until_us)
            expected = {
                "": budgets.left(whole, exact),
                "spent": budgets.spent(whole, exact),
                "days_to_exhaustion": budgets.days_to_exhaustion(whole, last_day, exact, window_days=days),
            }
            found = await figures(catalog, connection, "error_budget", asked, known)
            for statistic, value in expected.items():
                assert found["on-time", statistic][0] == (None if value is None else pytest.approx(float(value), abs=1e-12))
    known = declares(on_time("30d", 0.99))
    for name, minutes in (("5m", 5), ("30m", 30), ("1h", 60), ("2h", 120), ("6h", 360), ("24h", 1_440), ("72h", 4_320)):
        until_us = -(-NOW // MINUTE) * MINUTE
        there = tally(events, until_us - minutes * MINUTE, until_us)
        found = await figures(catalog, connection, "burn_rate", window(tenant, name), known)
        value = budgets.burn_rate(there, Fraction("0.99"))
        assert found["on-time", ""][0] == (None if value is None else pytest.approx(float(value)))
        share = budgets.compliance(there)
        found = await figures(catalog, connection, "slo", window(tenant, name), known)
        assert found["on-time", ""][0] == (None if share is None else pytest.approx(float(share)))


async def test_a_past_window_is_judged_by_the_objective_that_was_valid_then(
    catalog: Catalog, connection: asyncpg.Connection
) -> None:
    events = [*seen(NOW - 9 * DAY, 90, 10), *seen(NOW - HOUR, 90, 10)]
    tenant = await put(connection, events)
    versions = [TenantConfig.model_validate({"slo": [on_time(objective=objective)]}) for objective in (0.5, 0.8, 0.9)]
    # The second was to begin four days ago and was replaced before that by one that began six days ago.
    for number, (config, days) in enumerate(zip(versions, (None, 4, 6), strict=True), 1):
        begins = None if days is None else datetime.fromtimestamp((NOW - days * DAY) / 1_000_000, UTC)
        await connection.execute(
            "insert into config_version (tenant, version, valid_from, source, parsed) values ($1, $2, $3, '', $4)",
            tenant, number, begins, config.to_json(),
        )  # fmt: skip
    await connection.execute("update tenant set config_version = 3 where id = $1", tenant)
    known = declared_of(versions[-1])
    now = await figures(catalog, connection, "burn_rate", window(tenant, "day"), known)
    then = await figures(catalog, connection, "burn_rate", window(tenant, "day", end_us=NOW - 9 * DAY), known)
    assert (now["on-time", ""][0], then["on-time", ""][0]) == (pytest.approx(1.0), pytest.approx(0.2))
    objective = await figures(catalog, connection, "slo", window(tenant, "day", end_us=NOW - 9 * DAY), known)
    assert objective["on-time", "objective"] == (0.5, "")


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"component": ("mail",)},
        {"component": ("web", "api")},
        {"monitor": ("b",)},
        {"region": ("eu",), "component": ("api",)},
        {"account": ("acme",)},
    ],
)
async def test_an_slo_of_availability_is_the_availability_of_what_it_chooses(
    catalog: Catalog, connection: asyncpg.Connection, where: dict[str, tuple[str, ...]]
) -> None:
    dice = random.Random(str(where))
    tenant = await put(connection, [])
    second = NOW // SECOND - 6 * 3_600
    probes = [
        Probe(
            second + dice.randrange(6 * 3_600),
            dice.choice((30, 300)),
            up=dice.random() < 0.7,
            component=dice.choice(("web", "api", "mail")),
            monitor=dice.choice(("a", "b")),
            region=dice.choice(("", "eu")),
            account=dice.choice(("", "", "acme", "globex")),
        )
        for _ in range(120)
    ]
    await store_probes(connection, tenant, probes)
    components = {"web": {"critical": True}, "api": {"critical": True, "quorum": 2}, "mail": {}}
    declared_slo = {"name": "up", "kind": "availability", "objective": 0.99, "where": where, "window": "28d"}
    known = declares(declared_slo, {**declared_slo, "name": "all", "where": {}}, components=components)
    hours = window(tenant, "6h")
    [expected] = await run(connection, catalog.kpis["availability"], [hours], Question(filters=where), declared={tenant: known})
    [found] = [
        each
        for each in await run(connection, catalog.kpis["slo"], [hours], BY, declared={tenant: known})
        if each.dims == {"slo": "up"} and each.statistic == ""
    ]
    assert (found.numerator, found.denominator) == (expected.numerator, expected.denominator)
    assert expected.denominator
    budget = await figures(catalog, connection, "error_budget", window(tenant, "day"), known)
    spent = (1 - Fraction(found.numerator or 0) / Fraction(found.denominator or 1)) * 100
    assert budget["up", "spent"][0] == pytest.approx(float(spent))
    burn = await figures(catalog, connection, "burn_rate", hours, known)
    assert burn["up", ""][0] == pytest.approx(float(spent))


@pytest.mark.parametrize("sources", [None, ("/web",), ("/billing", "/never")])
async def test_an_slo_of_freshness_is_that_of_the_sources_it_chooses(
    catalog: Catalog, connection: asyncpg.Connection, sources: tuple[str, ...] | None
) -> None:
    tenant = await put(connection, [])
    await store_receipts(connection, tenant, random_events(7))
    where = {} if sources is None else {"source": sources}
    limits = {source: {"limit_s": limit} for source, limit in LIMITS.items()}
    known = declares({"name": "fresh", "kind": "freshness", "objective": 0.9, "where": where}, freshness=limits)
    day = window(tenant, "24h")
    values = await run(connection, catalog.kpis["freshness"], [day], Question(filters=where), declared={tenant: known})
    [expected] = [each for each in values if each.statistic == ""]
    values = await run(connection, catalog.kpis["slo"], [day], BY, declared={tenant: known})
    [found] = [each for each in values if each.statistic == ""]
    assert (found.numerator, found.denominator) == (expected.numerator, expected.denominator)
    assert expected.denominator == 1_440 * (3 if sources is None else len(sources))
