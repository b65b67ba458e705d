"""Customers, MRR, its movement and churn, computed by hand on a handful of accounts."""

from collections.abc import Mapping
from datetime import UTC, datetime

import asyncpg
import pytest

from service.catalog import Catalog, Question, Window, declared_of, resolve_window, run
from service.clock import to_us
from service.domain.config import TenantConfig
from tests.catalog.accounts import Desk, Said, store_accounts
from tests.catalog.rollups import make_tenant

CATALOG = Catalog.load()
MOVES = ("new", "expansion", "reactivation", "contraction", "churned")


def at(month: int, day: int, year: int = 2025) -> int:
    return to_us(datetime(year, month, day, 12, tzinfo=UTC))


def window(tenant: int, name: str = "month", *, end: int = at(11, 30), now: int = at(6, 1, 2026)) -> Window:
    return resolve_window(tenant, "UTC", now_us=now, name=name, end_us=end)


def said(moment: int, account: str, traits: Mapping[str, str] | None = None, **fields: str) -> Said:
    return Said(moment, account, fields, traits or {})


ACCOUNTS = [
    # Grows in November.
    said(at(3, 1), "grows", {"region": "eu"}, status="active", tier="enterprise", mrr="1000 USD", usage_fees="300 USD"),
    said(at(11, 10), "grows", mrr="1500 USD"),
    # Shrinks, and is at risk, which is still a customer.
    said(at(3, 1), "shrinks", {"region": "us"}, status="active", tier="starter", mrr="400 USD"),
    said(at(11, 11), "shrinks", status="at_risk", mrr="250 USD"),
    # Leaves for its budget.
    said(at(3, 1), "leaves", {"region": "eu"}, status="active", tier="starter", mrr="600 USD"),
    said(at(11, 12), "leaves", status="churned", reason="budget"),
    # Comes anew, after a trial; its MRR was told before.
    said(at(10, 20), "comes", {"region": "us"}, status="trial", tier="mid_market", mrr="700 USD"),
    said(at(11, 13), "comes", status="active"),
    # Had left, and is back.
    said(at(2, 1), "returns", status="active", mrr="50 USD"),
    said(at(5, 1), "returns", status="churned", reason="merger"),
    said(at(11, 14), "returns", status="active", mrr="80 USD"),
    # Pays in another currency.
    said(at(3, 1), "abroad", status="active", tier="starter", mrr="900 EUR"),
    # A customer that pays nothing, and one that never became a customer.
    said(at(3, 1), "free", status="active"),
    said(at(3, 1), "looks", status="prospect"),
    # Told after the window.
    said(at(12, 2), "grows", mrr="9000 USD"),
    said(at(12, 2), "later", status="active", mrr="1 USD"),
]


@pytest.fixture
async def desk(connection: asyncpg.Connection) -> Desk:
    tenant, other = await make_tenant(connection, "pilot"), await make_tenant(connection, "other")
    await store_accounts(connection, tenant, ACCOUNTS)
    await store_accounts(connection, other, [said(at(3, 1), "theirs", status="active", mrr="5000 USD")])
    return Desk(CATALOG, connection, window(tenant))


async def test_customers_are_accounts_of_the_statuses_that_count_as_of_the_end(desk: Desk) -> None:
    assert await desk.ask("customers") == {"": 6, "accounts": 8}
    assert await desk.ask("customers", "tier") == {"enterprise": 1, "mid_market": 1, "starter": 2, "": 2}
    assert await desk.ask("customers", "status") == {"active": 5, "at_risk": 1, "churned": 0, "prospect": 0}
    assert await desk.ask("customers", "account.region") == {"eu": 1, "us": 2, "": 3}
    assert await desk.one("customers", account__region="eu,us") == 3
    desk.config = {"activity": {"customer_statuses": ["active"]}}
    assert await desk.one("customers") == 5


async def test_mrr_is_that_of_customers_each_currency_apart(desk: Desk) -> None:
    assert await desk.ask("mrr", "currency") == {"USD": 1500 + 250 + 700 + 80, "EUR": 900}
    assert await desk.ask("mrr", "tier", currency="USD") == {"enterprise": 1500, "mid_market": 700, "starter": 250, "": 80}
    assert await desk.ask("mrr", "currency", statistic="usage_fees") == {"USD": 300}
    assert await desk.ask("mrr", "account", currency="USD", account="grows,leaves") == {"grows": 1500}
    assert await desk.ask("mrr", "currency", tier="starter") == {"USD": 250, "EUR": 900}
    assert await desk.ask("arr", "currency") == {"USD": 12 * 2530, "EUR": 12 * 900}
    assert await desk.ask("mrr_enterprise_share", "currency") == {"USD": pytest.approx(1500 / 2530), "EUR": 0}


async def test_several_currencies_have_no_sum_unless_one_is_chosen(desk: Desk) -> None:
    question = Question(statistics=("",))
    declared = {desk.window.tenant: declared_of(TenantConfig())}
    found = await run(desk.connection, CATALOG.kpis["mrr"], [desk.window], question, declared=declared)
    assert [(value.value, value.reason) for value in found if not value.dims] == [(None, "mixed_units")]
    assert await desk.one("mrr", currency="EUR") == 900


async def test_movement_tells_new_from_returned_and_left_from_less(desk: Desk) -> None:
    moved = {name: await desk.ask("mrr_movement", "currency", statistic=name) for name in ("", *MOVES)}
    assert moved == {
        "": {"USD": 500 - 150 - 600 + 700 + 80, "EUR": 0},
        "new": {"USD": 700, "EUR": 0},
        "expansion": {"USD": 500, "EUR": 0},
        "reactivation": {"USD": 80, "EUR": 0},
        "contraction": {"USD": 150, "EUR": 0},
        "churned": {"USD": 600, "EUR": 0},
    }
    assert await desk.ask("mrr_movement", "account", currency="USD") == {
        "grows": 500,
        "shrinks": -150,
        "leaves": -600,
        "comes": 700,
        "returns": 80,
    }
    assert await desk.ask("mrr_movement", "account.region", statistic="churned", currency="USD") == {"eu": 600, "us": 0, "": 0}


async def test_who_pays_in_another_currency_now_has_less_of_the_one_and_more_of_the_other(connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    moves = [said(at(3, 1), "a", status="active", mrr="300 USD"), said(at(11, 5), "a", mrr="280 EUR")]
    await store_accounts(connection, tenant, moves)
    desk = Desk(CATALOG, connection, window(tenant))
    assert await desk.ask("mrr_movement", "currency", statistic="contraction") == {"USD": 300, "EUR": 0}
    assert await desk.ask("mrr_movement", "currency", statistic="expansion") == {"USD": 0, "EUR": 280}
    assert await desk.one("mrr_movement", currency="USD") == -300


async def test_new_customers_are_those_who_never_were_one_before(desk: Desk) -> None:
    assert await desk.ask("new_customers") == {"": 1, "per_month": 1}
    assert await desk.ask("new_customers", "account") == {"comes": 1}
    desk.config = {"activity": {"customer_statuses": ["active", "trial"]}}
    assert await desk.one("new_customers") == 0
    desk.window = window(desk.window.tenant, end=at(10, 31))
    assert await desk.one("new_customers") == 1


async def test_churn_is_of_the_customers_of_the_start(desk: Desk) -> None:
    # grows, shrinks, leaves, abroad and free were customers when November began.
    assert await desk.one("customer_churn") == 1 / 5
    assert await desk.one("customer_retention") == 4 / 5
    assert await desk.ask("customer_churn", "reason") == {"budget": 1 / 5}
    assert await desk.one("customer_churn", reason="merger") == 0
    assert await desk.ask("customer_churn", "tier") == {"enterprise": 0, "starter": 1 / 3, "": 0}
    assert await desk.ask("revenue_churn", "currency") == {"USD": 600 / 2000, "EUR": 0}
    assert await desk.ask("revenue_churn", "reason", currency="USD") == {"budget": 600 / 2000}
    assert await desk.one("customer_churn", "per_month") == 1 / 5


async def test_churn_of_a_year_is_what_its_months_lost_over_their_mean(desk: Desk) -> None:
    desk.window = window(desk.window.tenant, "year")
    # At the starts of months: returns from March to May, five others from April on; then comes and returns again in December.
    held = [0, 0, 1, 6, 6, 5, 5, 5, 5, 5, 5, 6]
    assert await desk.one("customer_churn") == pytest.approx(2 / (sum(held) / 12))
    dollars = [0, 0, 50, 2050, 2050, *[2000] * 6, 2530]
    assert (await desk.ask("revenue_churn", "currency"))["USD"] == pytest.approx(650 / (sum(dollars) / 12))
    assert await desk.ask("customer_churn", "reason") == {
        "budget": pytest.approx(1 / (sum(held) / 12)),
        "merger": pytest.approx(1 / (sum(held) / 12)),
    }


async def test_a_churn_has_the_reason_told_with_it_or_after_it_and_never_that_of_an_earlier_one(
    connection: asyncpg.Connection,
) -> None:
    tenant = await make_tenant(connection, "pilot")
    moves = [
        # Left for the price in spring and came back; left again, and nobody said why.
        said(at(2, 1), "silent", status="active", mrr="100 USD"),
        said(at(3, 5), "silent", status="churned", reason="price"),
        said(at(6, 1), "silent", status="active"),
        said(at(11, 9), "silent", status="churned"),
        # The same, but the reason of the second time was told later.
        said(at(2, 1), "asked", status="active", mrr="200 USD"),
        said(at(3, 5), "asked", status="churned", reason="price"),
        said(at(6, 1), "asked", status="active"),
        said(at(11, 9), "asked", status="churned"),
        said(at(11, 12), "asked", reason="merger"),
        # The same status again is no other churn; what was told in between of no churn is no reason of the next.
        said(at(2, 1), "again", status="active", mrr="300 USD"),
        said(at(11, 2), "again", reason="support"),
        said(at(11, 9), "again", status="churned", reason="budget"),
        said(at(11, 20), "again", status="churned"),
        # Of two statuses of one instant the one of the greater id counts: it began to be churned then.
        said(at(2, 1), "instant", status="active", mrr="400 USD"),
        said(at(11, 9), "instant", status="at_risk", reason="product"),
        said(at(11, 9), "instant", status="churned"),
    ]
    await store_accounts(connection, tenant, moves)
    desk = Desk(CATALOG, connection, window(tenant))
    assert await desk.ask("customer_churn", "reason") == {"": 1 / 4, "merger": 1 / 4, "budget": 1 / 4, "product": 1 / 4}
    assert await desk.one("customer_churn", reason="price") == 0
    assert (await desk.ask("revenue_churn", "reason", currency="USD"))[""] == 100 / 1000
    desk.window = window(tenant, end=at(3, 31))
    assert await desk.ask("customer_churn", "reason") == {"price": 2 / 4}


async def test_a_year_that_is_open_has_the_months_that_have_begun(desk: Desk) -> None:
    desk.window = window(desk.window.tenant, "year", end=at(6, 15), now=at(6, 15))
    assert await desk.one("customer_churn") == pytest.approx(1 / ((0 + 0 + 1 + 6 + 6 + 5) / 6))


async def test_contracts_are_measured_in_calendar_months_and_renewals_in_days(desk: Desk, connection: asyncpg.Connection) -> None:
    dates = [
        said(at(4, 1), "grows", contract_start="2025-01-01", contract_end="2026-12-31", renewal="2026-01-10"),
        said(at(4, 1), "shrinks", contract_start="2025-03-16", contract_end="2026-03-15", renewal="2025-11-20"),
        said(at(4, 1), "abroad", renewal="2025-12-05"),
        said(at(4, 1), "leaves", contract_start="2025-01-01", contract_end="2025-01-31", renewal="2025-12-01"),
    ]
    for number, one in enumerate(dates):
        rows = [
            (desk.window.tenant, "account", k, one.account, one.account, one.at_us, "/s", f"d{number}", v)
            for k, v in one.fields.items()
        ]
        columns = ("tenant", "kind", "field", "who", "account", "time_us", "source", "id", "value")
        await connection.copy_records_to_table("state_history", records=rows, columns=columns)
    assert await desk.ask("contract_length") == {"": 18, "count": 2}
    assert await desk.ask("contract_length", "tier") == {"enterprise": 24, "starter": 12}
    assert await desk.ask("renewals_due") == {"": 1, "next_30_days": 1, "next_90_days": 2, "overdue": 1}
    assert await desk.one("days_to_renewal") == (5 + 41) / 2
    assert await desk.ask("days_to_renewal", "account") == {"grows": 41, "abroad": 5}
    desk.window = window(desk.window.tenant, "quarter", end=at(11, 21), now=at(11, 21))
    assert await desk.ask("renewals_due") == {"": 2, "next_30_days": 1, "next_90_days": 2, "overdue": 1}


async def test_without_accounts_counts_are_nought_and_shares_have_no_value(connection: asyncpg.Connection) -> None:
    desk = Desk(CATALOG, connection, window(await make_tenant(connection, "pilot")))
    assert await desk.ask("customers") == {"": 0, "accounts": 0}
    assert await desk.one("mrr") == 0
    assert (await desk.ask("mrr_movement")) == dict.fromkeys(("", *MOVES), 0)
    for kpi in ("customer_churn", "revenue_churn", "customer_retention", "contract_length", "days_to_renewal", "arpa", "clv"):
        assert await desk.one(kpi) is None, kpi


async def test_of_two_values_of_one_instant_the_greater_source_and_id_count(connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    same = [said(at(11, 5), "a", status="active", mrr="1 USD"), said(at(11, 5), "a", status="prospect", mrr="2 USD")]
    await store_accounts(connection, tenant, same)
    desk = Desk(CATALOG, connection, window(tenant))
    assert await desk.ask("customers") == {"": 0, "accounts": 1}
    assert await desk.one("new_customers") == 0
