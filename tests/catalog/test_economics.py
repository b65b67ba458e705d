"""What customers bring and cost, and how long the money lasts, computed by hand."""

from datetime import UTC, datetime

import asyncpg
import pytest

from service.catalog import Catalog, Window, resolve_window
from service.clock import DAY, to_us
from tests.catalog.accounts import Desk, Said, store_accounts
from tests.catalog.rollups import Observation, make_partitions, make_tenant, store

CATALOG = Catalog.load()
NANO = 10**9


def at(month: int, day: int, hour: int = 12) -> int:
    return to_us(datetime(2025, month, day, hour, tzinfo=UTC))


def window(tenant: int, name: str = "month", end: int = at(11, 30), now: int = at(12, 31) + 30 * DAY) -> Window:
    return resolve_window(tenant, "UTC", now_us=now, name=name, end_us=end, whole_days=True)


def spent(moment: int, meter: str, value: int, currency: str = "USD", account: str = "", **attributes: str) -> Observation:
    dims = {"meter": meter, "currency": currency} | {f"attribute.{name}": told for name, told in attributes.items()}
    return Observation(moment, dims, account, value * NANO, id=f"{moment}")


ACCOUNTS = [
    Said(at(1, 1), "big", {"status": "active", "tier": "enterprise", "mrr": "9000 USD"}, {"region": "eu"}),
    Said(at(1, 1), "small", {"status": "active", "tier": "starter", "mrr": "1000 USD"}, {"region": "us"}),
    Said(at(1, 1), "lost", {"status": "active", "tier": "starter", "mrr": "500 USD"}, {"region": "us"}),
    Said(at(1, 1), "free", {"status": "active", "tier": "starter"}, {"region": "us"}),
    Said(at(1, 1), "euro", {"status": "active", "tier": "starter", "mrr": "700 EUR"}, {"region": "eu"}),
    Said(at(11, 5), "lost", {"status": "churned"}),
    Said(at(11, 6), "new", {"status": "active", "tier": "starter", "mrr": "2000 USD"}, {"region": "eu"}),
]
COSTS = [
    spent(at(11, 3), "cost.acquisition", 6_000, tier="enterprise", region="eu"),
    spent(at(11, 4), "cost.acquisition", 3_000, tier="starter", region="eu"),
    spent(at(10, 4), "cost.acquisition", 99_000, tier="starter"),
    spent(at(11, 1), "cost.goods_sold", 2_000, tier="enterprise"),
    spent(at(11, 20), "cost.goods_sold", 1_000, account="small"),
    spent(at(11, 20), "cost.operating", 15_000),
    spent(at(11, 20), "cash.balance", 120_000, bank="one"),
    spent(at(10, 20), "cash.balance", 30_000, bank="two"),
    spent(at(11, 10), "cash.balance", 999_999, bank="one"),
    spent(at(12, 5), "cash.balance", 1, bank="one"),
]


@pytest.fixture
async def desk(connection: asyncpg.Connection) -> Desk:
    tenant = await make_tenant(connection, "pilot")
    await make_partitions(connection)
    await store_accounts(connection, tenant, ACCOUNTS)
    await store(connection, tenant, "meter", "UTC", COSTS)
    return Desk(CATALOG, connection, window(tenant))


async def test_arpa_is_mrr_over_customers_who_pay_in_that_currency_or_not_at_all(desk: Desk) -> None:
    assert await desk.ask("arpa", "currency") == {"USD": 12_000 / 4, "EUR": 700 / 2}
    assert await desk.ask("arpa", "tier", currency="USD") == {"enterprise": 9_000, "starter": 1_000}
    assert await desk.one("arpa", currency="EUR", account="euro") == 700


async def test_the_cost_of_a_customer_is_that_of_its_segment(desk: Desk) -> None:
    assert await desk.one("cac") == 9_000 / 1
    assert await desk.ask("cac", "tier") == {"enterprise": None, "starter": 3_000}
    assert await desk.ask("cac", "account.region") == {"eu": 9_000}
    assert await desk.one("cac", tier="starter") == 3_000
    desk.window = window(desk.window.tenant, "year")
    assert await desk.one("cac") == (9_000 + 99_000) / 6


async def test_the_margin_is_what_the_month_s_goods_leave_of_mrr(desk: Desk) -> None:
    assert await desk.ask("gross_margin", "currency") == {"USD": pytest.approx((12_000 - 3_000) / 12_000), "EUR": None}
    assert await desk.ask("gross_margin", "tier", currency="USD") == {"enterprise": pytest.approx(7 / 9), "starter": None}
    assert await desk.ask("gross_margin", "account", currency="USD", account="small,big") == {"small": 0, "big": None}
    desk.window = window(desk.window.tenant, "quarter")
    margin = await desk.one("gross_margin", currency="USD")
    assert margin == pytest.approx((12_000 - 3_000 / (92 / 30.4375)) / 12_000)


async def test_a_month_s_costs_are_not_stretched_while_it_is_open(connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    await make_partitions(connection)
    await store_accounts(connection, tenant, ACCOUNTS[:1])
    await store(connection, tenant, "meter", "UTC", [spent(at(11, 1), "cost.goods_sold", 2_000)])
    desk = Desk(CATALOG, connection, window(tenant, end=at(11, 4), now=at(11, 4)))
    assert await desk.one("gross_margin", currency="USD") == pytest.approx(7 / 9)


async def test_what_burns_is_what_costs_exceed_mrr_by_and_the_balance_lasts_so_long(desk: Desk) -> None:
    assert await desk.ask("burn", "currency") == {"USD": 9_000 + 3_000 + 15_000 - 12_000}
    assert await desk.ask("runway", "currency") == {"USD": (120_000 + 30_000) / 15_000}
    assert await desk.one("burn", currency="USD") == 15_000
    desk.window = window(desk.window.tenant, end=at(10, 30))
    # 99,000 went out in October, and 11,200 came in; then one balance alone was known.
    assert await desk.one("burn", currency="USD") == 99_000 - 10_500
    assert await desk.one("runway") == pytest.approx(30_000 / 88_500)


async def test_nothing_that_burns_lasts_for_ever_and_without_costs_nobody_knows(
    desk: Desk, connection: asyncpg.Connection
) -> None:
    desk.window = window(desk.window.tenant, end=at(9, 30))
    assert await desk.one("burn", currency="USD") is None
    assert await desk.one("gross_margin", currency="USD") is None
    await store(connection, desk.window.tenant, "meter", "UTC", [spent(at(9, 5), "cost.operating", 1)])
    assert await desk.one("burn", currency="USD") == 1 - 10_500
    assert await desk.one("runway", currency="USD") is None


async def test_lifetime_value_follows_from_arpa_margin_and_churn(desk: Desk) -> None:
    margin, churn, arpa = 0.75, 1 / 5, 3_000
    assert await desk.one("clv", currency="USD") == pytest.approx(arpa * margin / churn)
    assert await desk.one("clv_cac", currency="USD") == pytest.approx(arpa * margin / churn / 9_000)
    assert await desk.one("cac_payback", currency="USD") == pytest.approx(9_000 / (arpa * margin))
    assert await desk.one("clv", tier="enterprise", currency="USD") is None
