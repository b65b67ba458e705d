"""Scores over HTTP: one customer's with every reason, and the portfolio by band, with its moves since a week ago."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest

from service.catalog import Catalog
from service.clock import DAY
from service.domain.config import TenantConfig
from service.expose import scores
from service.http.app import create_app
from service.http.auth import Keyring
from service.settings import Settings
from service.store.engine import create_pool
from service.store.keys import create_key
from service.store.tenants import tenant_by_name
from service.telemetry import Telemetry
from tests.catalog.people import store_people
from tests.catalog.rollups import make_partitions, make_tenant
from tests.catalog.test_customer_scores import CONFIG, NOW, Told, events, tell, used
from tests.catalog.test_query_api import FixedClock

PERSONS: Final = 20


@dataclass(frozen=True, slots=True)
class Portfolio:
    """The API of a tenant with some customers."""

    client: httpx.AsyncClient
    pool: Any
    tenant: int

    async def get(self, path: str, status: int = 200, **parameters: str) -> Any:
        answer = await self.client.get(path, params=parameters)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
async def portfolio(database_url: str) -> AsyncIterator[Portfolio]:
    pool = await create_pool(database_url, max_size=4)
    try:
        clock = FixedClock(NOW)
        async with pool.acquire() as connection:
            await make_partitions(connection)
            tenant = await make_tenant(connection, "pilot")
            _, secret = await create_key(connection, await tenant_by_name(connection, "pilot"), ["read"])
            config = TenantConfig.model_validate(CONFIG, by_alias=True).to_json()
            await connection.execute("insert into config_version values ($1, 1, null, '', $2, now())", tenant, config)
            await connection.execute("update tenant set config_version = 1")
        router = scores.router(pool, Catalog.load(), clock=clock, settings=Settings())
        app = create_app(title="t", routers=[router], telemetry=Telemetry("api"), keyring=Keyring(pool, clock, refresh_s=5))
        headers = {"authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t", headers=headers) as client:
            yield Portfolio(client, pool, tenant)
    finally:
        await pool.close()


async def test_a_customer_s_health_says_why_it_lost_points(portfolio: Portfolio) -> None:
    async with portfolio.pool.acquire() as connection:
        await events(connection, portfolio.tenant)
    body = await portfolio.get("/v1/accounts/acme/health")
    assert (body["score"], body["band"], body["partial"], body["before"]) == (71, "yellow", True, None)
    assert [(each["category"], each["points"]) for each in body["categories"]] == [
        ("adoption", 15.0),
        ("delivery", 17.8),
        ("engagement", None),
        ("satisfaction", None),
        ("reliability", 10.0),
    ]
    assert [(each["kpi"], each["points"]) for each in body["lost"]] == [
        ("error_rate", 12.5),  # 7.5 of its category's 20, and three of five categories stand for all
        ("wau", 8.3),
        ("request_latency.p95", 4.2),
        ("delivery_success", 3.7),
    ]
    assert [kpi["lost"] for kpi in body["categories"][0]["kpis"] if kpi["kpi"] == "wau"] == [5.0]
    reasons = {kpi["kpi"]: kpi["reason"] for category in body["categories"] for kpi in category["kpis"] if kpi["reason"]}
    assert reasons == {"requests": "no_target", "nps": "no_data"}
    assert "is no customer" in (await portfolio.get("/v1/accounts/nobody/health", 404))["detail"]


async def customers(portfolio: Portfolio) -> None:
    """One at high risk since yesterday, one that nobody uses, one that is well; and a lead, who is no customer."""
    names = ("sour", "idle", "well")
    async with portfolio.pool.acquire() as connection:
        await tell(
            connection,
            portfolio.tenant,
            *(Told(name, "status", "active") for name in names),
            Told("lead", "status", "prospect"),
            *(Told(name, "mrr", f"{amount} USD") for name, amount in zip(names, (6_000, 3_000, 1_000), strict=True)),
            *(Told("sour", f"signal.{name}", "true", NOW - DAY) for name in ("contract_disputed", "stakeholder_departed")),
        )
        await store_people(
            connection, portfolio.tenant, [used(f"u{n}", name) for name in ("sour", "well") for n in range(PERSONS)]
        )


async def test_a_customer_s_risk_names_every_factor_and_where_it_came_from(portfolio: Portfolio) -> None:
    await customers(portfolio)
    body = await portfolio.get("/v1/accounts/sour/churn-risk")
    assert (body["score"], body["band"]) == (70, "red")
    assert [(each["name"], each["points"]) for each in body["reasons"]] == [
        ("contract_disputed", 30),
        ("stakeholder_departed", 25),
        ("training_below_30", 15),
    ]
    # A week ago nobody had used it for a month, and no user was there to be trained.
    assert body["before"] == {"score": 20, "band": "green"}
    assert "is no customer" in (await portfolio.get("/v1/accounts/lead/churn-risk", 404))["detail"]


async def test_the_portfolio_has_bands_with_their_share_of_mrr_and_moves(portfolio: Portfolio) -> None:
    await customers(portfolio)
    await portfolio.pool.execute(
        'insert into kpi_history (tenant, kpi, statistic, "window", end_at, dims, start_at, value, status, at)'
        " select $1, 'churn_risk', '', 'day', to_timestamp($2) - d * interval '1 day', '{\"account\": \"sour\"}',"
        " to_timestamp($2), 10 * d, 'none', now() from generate_series(1, 3) d",
        portfolio.tenant,
        NOW / 1_000_000,
    )
    body = await portfolio.get("/v1/portfolio")
    assert [(each["account"], each["churn_risk"]["score"]) for each in body["accounts"]] == [
        ("sour", 70),
        ("idle", 20),
        ("well", 15),
    ]
    bands = {each["band"]: (each["customers"], each["mrr"][0]["share"]) for each in body["bands"]}
    assert bands == {"green": (2, 0.4), "yellow": (0, 0.0), "orange": (0, 0.0), "red": (1, 0.6)}
    assert body["moves"] == [{"from": "green", "to": "red", "customers": 1}]
    assert [(each["name"], each["customers"], each["mrr"][0]["amount"]) for each in body["reasons"]] == [
        ("training_below_30", 2, 7000),
        ("contract_disputed", 1, 6000),
        ("no_use_30_days", 1, 3000),
        ("stakeholder_departed", 1, 6000),
    ]
    sour = body["accounts"][0]
    assert (sour["mean_90d"], sour["mrr"]) == (20.0, {"amount": 6000, "currency": "USD"})
    assert len((await portfolio.get("/v1/portfolio", limit="1"))["accounts"]) == 1


async def test_the_portfolio_of_no_customers_is_empty(portfolio: Portfolio) -> None:
    body = await portfolio.get("/v1/portfolio")
    assert (body["customers"], body["accounts"], body["reasons"], body["moves"]) == (0, [], [], [])
    assert [each["customers"] for each in body["bands"]] == [0, 0, 0, 0]


async def test_a_week_ago_can_be_asked_for(portfolio: Portfolio) -> None:
    await customers(portfolio)
    body = await portfolio.get("/v1/accounts/sour/churn-risk", end="2025-11-12")
    assert (body["score"], body["at"]) == (20, "2025-11-12T00:00:00Z")


async def test_retention_by_band_counts_who_stayed_of_those_a_quarter_ago_and_what_they_still_pay(portfolio: Portfolio) -> None:
    long_ago, lately = NOW - 200 * DAY, NOW - 10 * DAY
    async with portfolio.pool.acquire() as connection:
        await tell(
            connection,
            portfolio.tenant,
            *(Told(name, "status", "active", long_ago) for name in ("left", "stays", "less", "more", "euro")),
            *(Told(name, "mrr", "1000 USD", long_ago) for name in ("left", "stays", "less", "more")),
            Told("euro", "mrr", "1000 USD", long_ago),
            *(
                Told(name, f"signal.{signal}", "true", NOW - 100 * DAY)
                for name in ("left", "stays")
                for signal in ("contract_disputed", "stakeholder_departed")
            ),
            Told("left", "status", "churned", lately),
            Told("less", "mrr", "400 USD", lately),
            Told("more", "mrr", "1500 USD", lately),
            Told("euro", "mrr", "900 EUR", lately),
            Told("late", "status", "active", lately),
        )
    body = await portfolio.get("/v1/portfolio")
    assert body["retained_from"] == "2025-08-20T00:00:00Z"
    found = {each["band"]: (each["customers"], each["retained"], each["share"], each["mrr"]) for each in body["retention"]}
    # Then nobody used it, which made 20: green for three of them. Who pays in another currency now pays nothing of what it was.
    usd = {"currency": "USD"}
    assert found == {
        "green": (3, 3, 1.0, [usd | {"amount": 3000, "retained": 1400, "share": pytest.approx(1400 / 3000)}]),
        "yellow": (0, 0, None, []),
        "orange": (0, 0, None, []),
        "red": (2, 1, 0.5, [usd | {"amount": 2000, "retained": 1000, "share": 0.5}]),
    }


async def test_the_tenant_s_currency_is_shown_first(portfolio: Portfolio) -> None:
    tenant = {"timezone": "UTC", "currency": "USD"}
    config = TenantConfig.model_validate({**CONFIG, "tenant": tenant}, by_alias=True).to_json()
    long_ago = NOW - 200 * DAY
    async with portfolio.pool.acquire() as connection:
        await connection.execute("update config_version set parsed = $1", config)
        paid = {"a": "100 EUR", "b": "200 USD", "c": "300 CHF"}
        told = [Told(name, "status", "active", long_ago) for name in paid]
        await tell(connection, portfolio.tenant, *told, *(Told(name, "mrr", mrr, long_ago) for name, mrr in paid.items()))
    body = await portfolio.get("/v1/portfolio")
    shown = [
        [each["currency"] for each in row["mrr"]] for part in ("bands", "reasons", "matrix", "retention") for row in body[part]
    ]
    assert ["USD", "CHF", "EUR"] in shown
    assert all(each in ([], ["USD", "CHF", "EUR"]) for each in shown)


async def test_risk_stands_beside_contract_value_and_expansion(portfolio: Portfolio) -> None:
    await customers(portfolio)
    async with portfolio.pool.acquire() as connection:
        values = (("sour", "90000 USD"), ("idle", "10000 USD"), ("well", "500 EUR"))
        rows = [(account, "contract_value", value) for account, value in values]
        rows += [("sour", "expansion_potential", "0 USD"), ("idle", "expansion_potential", "70 USD")]
        await connection.executemany(
            "insert into state_history (tenant, kind, field, who, account, time_us, source, id, value)"
            " values ($1, 'account', $3, $2, $2, $5, '/s', 'w-' || $3, $4)",
            [(portfolio.tenant, account, field, value, NOW - 50 * DAY) for account, field, value in rows],
        )
    cells = (await portfolio.get("/v1/portfolio"))["matrix"]
    # Euros are compared with euros; nothing to be sold is no potential.
    assert [(each["band"], each["contract_value"], each["expansion"], each["customers"]) for each in cells] == [
        ("red", "high", "none", 1),
        ("green", "high", "none", 1),
        ("green", "low", "high", 1),
    ]
    assert [each["mrr"][0]["share"] for each in cells] == [0.6, 0.1, 0.3]
    assert sum(each["customers"] for each in cells) == 3
