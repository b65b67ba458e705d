"""Cases of winning back subscribers, computed by hand on a handful of them."""

from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from service.catalog import Catalog, Window, resolve_window
from service.clock import DAY, HOUR, to_us
from tests.catalog.accounts import Desk, Said, Step, store_accounts, store_family
from tests.catalog.rollups import make_tenant

CATALOG = Catalog.load()


def at(month: int, day: int, hour: int = 12) -> int:
    return to_us(datetime(2025, month, day, hour, tzinfo=UTC))


def window(tenant: int, name: str = "month", end: int = at(11, 20)) -> Window:
    return resolve_window(tenant, "UTC", now_us=at(12, 31), name=name, end_us=end)


def case(moment: int, subject: str, action: str, account: str = "", amount: int = 0, incentive: int = 0, **more: Any) -> Step:
    currency = more.pop("currency", "USD")
    money = {"amount": amount, "amount_currency": currency} if amount else {}
    given = {"incentive": incentive, "incentive_currency": currency} if incentive else {}
    return Step(moment, subject, {"action": action} | money | given | more, account)


STEPS = [
    # Recovered after 23 hours; its nudge and its recovery cost.
    case(at(11, 3), "fast", "at_risk", "acme", amount=9_999),
    case(at(11, 3, 13), "fast", "nudged", "acme", incentive=300, channel="email"),
    case(at(11, 4, 11), "fast", "recovered", "acme", amount=60_000, incentive=200),
    # After exactly a week, by another channel.
    case(at(11, 10), "slow", "at_risk", "acme", channel="email"),
    case(at(11, 17), "slow", "recovered", "acme", amount=10_000, channel="call"),
    # Recovered, and then lost all the same.
    case(at(11, 5), "gone", "at_risk", "beta", channel="call"),
    case(at(11, 6), "gone", "recovered", "beta", amount=7_000, incentive=5),
    case(at(11, 8), "gone", "lost", "beta"),
    # Recovered in the month after, and in another currency.
    case(at(11, 28), "late", "at_risk", "beta"),
    case(at(12, 1), "late", "recovered", "beta", amount=4_000, incentive=100, currency="EUR"),
    # Still at risk; begun with a nudge.
    case(at(11, 12), "open", "nudged", "core", incentive=50),
]


@pytest.fixture
async def desk(connection: asyncpg.Connection) -> Desk:
    tenant = await make_tenant(connection, "pilot")
    await store_family(connection, tenant, "recovery", STEPS)
    accounts = [
        Said(at(1, 1), "acme", {"status": "active", "tier": "enterprise", "size": "500"}, {"niche": "food"}),
        Said(at(1, 1), "beta", {"status": "active", "tier": "starter", "size": "9"}, {"niche": "games"}),
        Said(at(11, 13), "beta", {"tier": "mid_market"}),
    ]
    await store_accounts(connection, tenant, accounts)
    return Desk(CATALOG, connection, window(tenant))


async def test_recovery_is_of_the_cases_that_became_at_risk_by_now(desk: Desk) -> None:
    assert await desk.ask("recovery") == {"": 3 / 5, "cases": 5, "recovered": 3}
    assert await desk.ask("recovery", "account") == {"acme": 1, "beta": 0.5, "core": 0}
    assert await desk.ask("recovery", "week") == {"2025-11-03": 0.5, "2025-11-10": 0.5, "2025-11-24": 1}
    assert await desk.ask("recovery", "channel") == {"email": 1, "call": 0.5, "": 0.5}
    assert await desk.ask("recovery", "tier") == {"enterprise": 1, "starter": 0, "mid_market": 1, "": 0}
    assert await desk.ask("recovery", "account.niche") == {"food": 1, "games": 0.5, "": 0}
    assert await desk.ask("recovery", "band.size", statistic="cases") == {"large": 2, "small": 2, "": 1}
    assert await desk.one("recovery", channel="call") == 0.5


async def test_money_is_that_of_cases_recovered_in_the_window(desk: Desk) -> None:
    assert await desk.ask("recovered_revenue", "currency") == {"USD": 70_000}
    assert await desk.ask("recovered_revenue", currency="USD") == {
        "": 70_000,
        "per_month": 70_000,
        "per_account": 70_000,
        "per_account_month": 70_000,
    }
    assert await desk.ask("recovery_incentive", "currency") == {"USD": 500}
    assert await desk.one("recovery_net", currency="USD") == 69_500
    assert await desk.one("recovery_roi", currency="USD") == 69_500 / 500
    desk.window = window(desk.window.tenant, "year")
    assert await desk.ask("recovered_revenue", "currency") == {"USD": 70_000, "EUR": 4_000}
    assert await desk.ask("recovered_revenue", "account", currency="USD,EUR") == {"acme": 70_000, "beta": 4_000}
    assert await desk.ask("recovery_roi", "currency") == {"USD": 139, "EUR": 39}


async def test_leaders_are_the_accounts_with_most(desk: Desk, connection: asyncpg.Connection) -> None:
    more = [
        case(at(11, 14), f"{name}-{number}", "recovered", name, amount=amount)
        for number, (name, amount) in enumerate((("core", 500), ("dune", 80_000)))
    ]
    await store_family(connection, desk.window.tenant, "recovery", more)
    top = await desk.ask("recovered_revenue", "account", currency="USD", parameters={"top": "2"})
    assert top == {"acme": 70_000, "dune": 80_000}


async def test_times_to_recover_are_shares_below_a_limit_and_percentiles(desk: Desk) -> None:
    times = await desk.ask("recovery_time")
    assert (times["mean"], times["min"], times["max"]) == ((23 + 7 * 24) / 2 * 3_600, 23 * 3_600, 7 * 86_400)
    assert times["p75"] == (23 + 0.75 * (7 * 24 - 23)) * 3_600
    assert (times["within_24h"], times["within_48h"], times["within_7d"], times["count"]) == (0.5, 0.5, 0.5, 2)
    assert await desk.ask("first_recovery_time", "account", statistic="mean") == {"acme": 23 * 3_600, "beta": 86_400}
    desk.window = window(desk.window.tenant, "month", end=at(12, 20))
    assert (await desk.ask("first_recovery_time"))["count"] == 0


async def test_accounts_are_put_into_buckets_by_rate_and_by_revenue_a_month(desk: Desk) -> None:
    assert await desk.one("recovery_buckets") == 3
    assert await desk.ask("recovery_buckets", "rate") == {"<0.15": 1, "0.15-0.25": 0, "0.25-0.35": 0, ">=0.35": 2}
    assert await desk.ask("recovery_buckets", "revenue") == {"<50000": 2, "50000-200000": 1, ">=200000": 0}
    assert await desk.ask("recovery_buckets", "account", "rate") == {
        ("acme", ">=0.35"): 1,
        ("beta", ">=0.35"): 1,
        ("core", "<0.15"): 1,
    }
    desk.config = {"recovery": {"rate_buckets": [0.6], "revenue_buckets": [70_000]}}
    assert await desk.ask("recovery_buckets", "rate") == {"<0.6": 2, ">=0.6": 1}
    assert await desk.ask("recovery_buckets", "revenue", rate=">=0.6") == {"<70000": 0, ">=70000": 1}


async def test_without_cases_there_is_no_share_and_nothing_to_divide(connection: asyncpg.Connection) -> None:
    desk = Desk(CATALOG, connection, window(await make_tenant(connection, "pilot")))
    assert await desk.ask("recovery") == {"": None, "cases": 0, "recovered": 0}
    assert await desk.one("recovered_revenue") == 0
    assert await desk.one("recovery_net") == 0
    assert await desk.one("recovery_roi") is None
    assert await desk.one("recovery_time", "within_24h") is None
    assert await desk.ask("recovery_buckets", "rate", statistic="") == {"<0.15": 0, "0.15-0.25": 0, "0.25-0.35": 0, ">=0.35": 0}


async def test_a_case_whose_recovery_was_told_before_it_was_at_risk_has_no_duration(connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    steps = [case(at(11, 5), "odd", "recovered", "acme", amount=1), case(at(11, 5) + DAY + HOUR, "odd", "at_risk", "acme")]
    await store_family(connection, tenant, "recovery", steps)
    desk = Desk(CATALOG, connection, window(tenant))
    assert (await desk.ask("recovery_time"))["count"] == 0
    assert await desk.one("recovered_revenue", currency="USD") == 1
