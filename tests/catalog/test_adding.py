"""Splits that are kept current together are what each is when it is asked for by itself."""

import random
from itertools import cycle

import asyncpg
import pytest

from service.catalog import Catalog, Kept, Kpi, Question, Value, Window, declared_of, resolve_window, run, run_splits
from service.catalog.adding import added_up, finest
from service.clock import DAY
from service.demo import pilot
from service.domain.config import parse
from service.evaluate.values import splits
from tests.catalog.pilot import store_pilot_week
from tests.catalog.rollups import Observation, make_partitions, make_tenant, store
from tests.catalog.support import ACCOUNTS, random_tickets, store_tickets, store_values
from tests.catalog.test_pilot_sets import MONDAY

CATALOG = Catalog.load()
TOGETHER = [kpi for kpi in CATALOG.kpis.values() if kpi.head.adds_up]


def windows(tenant: int) -> list[Window]:
    """Whole days, a day cut into minutes, and one in which nothing happened."""
    asked = (("7d", 7 * DAY), ("24h", 3 * DAY + 7_380_000_000), ("month", 40 * DAY))
    return [
        resolve_window(tenant, "UTC", now_us=MONDAY + 60 * DAY, name=name, end_us=MONDAY + at, key=name) for name, at in asked
    ]


def told(values: list[Value]) -> dict[tuple[object, ...], tuple[object, ...]]:
    return {
        (v.window, v.statistic, *sorted(v.dims.items())): (v.value, v.numerator, v.denominator, v.reason, v.row) for v in values
    }


async def store_streams(connection: asyncpg.Connection, tenant: int) -> None:
    """Facts of a month with and without each dimension, and tickets of all kinds."""
    dice = random.Random(7)
    outcomes = ("delivered", "failed", "dead_lettered", "redelivered")
    dims: dict[str, dict[str, tuple[str, ...]]] = {
        "request": {"service": ("api", "web"), "status": ("200", "404", "500", "timeout"), "route": ("/a", "/b")},
        "delivery": {
            "integration": ("benevity", "sap", "hris"),
            "direction": ("inbound", "outbound"),
            "outcome": outcomes,
            **dict.fromkeys(("retried", "exhausted", "automated"), ("true", "false")),
        },
        "usage": {"feature": ("export", "report"), "ok": ("true", "false")},
    }
    await make_partitions(connection)
    for kind, names in dims.items():
        seen = [
            Observation(
                MONDAY + dice.randrange(30 * DAY),
                {name: dice.choice(values) for name, values in names.items() if name == "outcome" or dice.random() < 0.8},
                dice.choice(("", "acme", "umbrella")),
                dice.randrange(10**12),
                dice.randrange(1, 5),
            )
            for _ in range(80)
        ]
        await store(connection, tenant, kind, "UTC", seen)
    await store_tickets(connection, tenant, random_tickets(7, MONDAY), dice)
    tiers = cycle(("enterprise", "mid_market", "starter"))
    await store_values(connection, tenant, "tier", {name: [(MONDAY - DAY, next(tiers))] for name in ACCOUNTS if name})


async def test_splits_kept_together_are_those_asked_for_by_themselves(connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "several")
    await store_streams(connection, tenant)
    declared = {tenant: declared_of(parse(pilot.configuration(), known_kpis=CATALOG.shapes()))}
    kept = Kept()
    shown = set()
    for kpi in TOGETHER:
        questions = [Question(by=by) for by in ((), *((name,) for name in kpi.head.dimensions if name != "account"))]
        together = await run_splits(connection, kpi, windows(tenant), questions, declared=declared, kept=kept)
        apart = [
            value
            for each in questions
            for value in await run(connection, kpi, windows(tenant), each, declared=declared, kept=kept)
        ]
        assert told(together) == told(apart), kpi.id
        assert len(together) == len(apart)
        shown |= {kpi.id for value in together if value.dims}
    assert shown == {kpi.id for kpi in TOGETHER}


async def test_a_score_of_all_and_of_each_customer_is_what_either_is(connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    await store_pilot_week(connection, tenant)
    declared = {tenant: declared_of(parse(pilot.configuration(), known_kpis=CATALOG.shapes()))}
    for kpi in (CATALOG.kpis["health"], CATALOG.kpis["churn_risk"]):
        asked = windows(tenant)[:1]
        questions = [Question(), Question(by=("account",))]
        together = await run_splits(connection, kpi, asked, questions, declared=declared, kept=Kept())
        apart = [value for each in questions for value in await run(connection, kpi, asked, each, declared=declared)]
        assert together == apart, kpi.id


@pytest.mark.parametrize("kpi", TOGETHER, ids=lambda kpi: kpi.id)
def test_what_adds_up_is_a_count_a_ratio_or_a_distribution_and_is_kept_in_several_splits(kpi: Kpi) -> None:
    assert kpi.head.kind in {"count", "ratio", "distribution"}
    assert not kpi.head.apart
    if kpi.head.kind == "distribution":
        assert not kpi.head.statistics, "columns of its own would have to add up, too"
    else:
        assert all(each.kind in {"count", "ratio"} or each.per for each in kpi.statistics.values())
    assert finest(kpi, list(splits(kpi))) is not None


def test_a_split_by_accounts_adds_up_to_nothing() -> None:
    kpi = CATALOG.kpis["deliveries"]
    assert finest(kpi, [(), ("integration",)]) == ("integration",)
    for name in ("account", "account.region", "band.mrr"):
        assert finest(kpi, [(), (name,)]) is None


def test_sums_of_long_numbers_are_not_rounded() -> None:
    great, small = 10**40, 1
    rows = [
        {"win": 0, "dims": f'{{"feature": "{name}"}}', "statistic": "", "numerator": number, "denominator": None}
        for name, number in (("a", great), ("b", small))
    ]
    assert added_up(rows, ()) == [{"win": 0, "dims": "{}", "statistic": "", "numerator": great + small, "denominator": None}]
