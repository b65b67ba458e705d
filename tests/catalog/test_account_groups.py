"""Whatever can be had per account can be had by what is known of accounts: traits, tiers, bands."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

import asyncpg
import pytest

from service.catalog import Catalog, Declared, Kpi, Question, Window, declared_of, resolve_window, run
from service.clock import DAY, HOUR, MINUTE, SECOND, to_us
from service.domain.config import TenantConfig
from service.errors import InvalidQuery
from tests.catalog.health import Probe, store_probes, store_steps
from tests.catalog.people import Told, Use, store_milestones, store_people, store_statuses
from tests.catalog.rollups import Observation, make_partitions, make_tenant, store
from tests.catalog.told import describe, reach, tell

MONDAY = to_us(datetime(2025, 11, 17, tzinfo=UTC))
ACCOUNTS = ("acme", "beta", "core")
KINDS = ("usage", "session", "delivery", "request", "meter")
Rows = dict[tuple[tuple[str, ...], str], tuple[Any, Any, Any]]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


def of_accounts(catalog: Catalog) -> list[Kpi]:
    """The KPIs that can be had per account, but those that others give."""
    return [kpi for kpi in catalog.kpis.values() if "account" in kpi.head.dimensions and kpi.sql]


def window(tenant: int, kpi: Kpi, *, key: object = 0, end: int = MONDAY + 7 * DAY) -> Window:
    name = next(name for name in ("week", "1d", "7d", *kpi.head.windows) if kpi.takes(name))
    return resolve_window(tenant, "UTC", now_us=MONDAY + 30 * DAY, name=name, end_us=end, key=key)


async def rows(
    connection: asyncpg.Connection,
    kpi: Kpi,
    tenant: int,
    question: Question,
    *,
    declared: Declared | None = None,
    end: int = MONDAY + 7 * DAY,
) -> Rows:
    """Figures by the values of the split, in its order, and statistic."""
    needed = {name: ("m",) for name in kpi.head.required if name not in question.by} | dict(question.filters)
    asked = Question(question.by, needed, within=Fraction(500))
    known = {tenant: declared or declared_of(TenantConfig())}
    found = await run(connection, kpi, [window(tenant, kpi, end=end)], asked, declared=known)
    return {
        (tuple(value.dims[name] for name in (*question.by, *kpi.head.apart) if name in value.dims), value.statistic):
        (value.value, value.numerator, value.denominator)
        for value in found
    }  # fmt: skip


async def filled(connection: asyncpg.Connection, catalog: Catalog) -> int:
    """Something of everything that names accounts, and of what names none."""
    tenant, dice = await make_tenant(connection, "pilot"), random.Random(4)
    named = ("", *ACCOUNTS)
    uses = [
        Use(
            date(2025, 11, 17) + timedelta(days=dice.randrange(7)),
            f"u{dice.randrange(40)}",
            dice.choice(("m", "n")),
            dice.choice(named),
        )
        for _ in range(200)
    ]
    given = await store_people(connection, tenant, uses)
    people = sorted(given.users)
    told = [Told(dice.choice(people), MONDAY + dice.randrange(6 * DAY), status, dice.choice(named), id=str(number))
            for number, status in enumerate(dice.choices(("provisioned", "active", "deactivated"), k=90))]  # fmt: skip
    await store_statuses(connection, tenant, told)
    reached = [Told(dice.choice(people), MONDAY + dice.randrange(6 * DAY), milestone, dice.choice(named), id=str(number))
               for number, milestone in enumerate(dice.choices(("first_login", "first_value"), k=90))]  # fmt: skip
    await store_milestones(connection, tenant, reached)
    await make_partitions(connection)
    for kind in KINDS:
        await store(connection, tenant, kind, "UTC", [observation(dice, kind, dice.choice(named)) for _ in range(120)])
    probes = [
        Probe(
            (MONDAY + dice.randrange(6 * DAY)) // SECOND, 60, dice.random() < 0.8, account=account, degraded=dice.random() < 0.3
        )
        for account in named
        for _ in range(20)
    ]
    await store_probes(connection, tenant, probes)
    for number in range(20):
        opened = MONDAY + dice.randrange(5 * DAY)
        accounts = dice.sample(ACCOUNTS, k=dice.randrange(3))
        steps: list[tuple[int, Mapping[str, Any]]] = [
            (opened, {"action": "opened", "severity": "P1", "accounts": accounts}),
            (opened + MINUTE, {"action": "detected"}),
            (opened + HOUR, {"action": "resolved"}),
        ]
        await store_steps(connection, tenant, f"i{number}", steps)
    return tenant


def observation(dice: random.Random, kind: str, account: str) -> Observation:
    dims = {
        "usage": {"feature": dice.choice(("m", "n"))},
        "session": {},
        "delivery": {
            "integration": "sap",
            "direction": "inbound",
            "outcome": dice.choice(("delivered", "failed", "redelivered")),
        },
        "request": {"service": dice.choice(("api", "web")), "status": dice.choice(("200", "404", "500"))},
        "meter": {"meter": "m", "unit": "s"},
    }[kind]
    return Observation(MONDAY + dice.randrange(7 * DAY), dims, account, dice.randrange(1, 10**9), id=str(dice.random()))


def renamed(found: Rows, by: Sequence[str], dimension: str, names: Mapping[str, str]) -> Rows:
    """The same figures under other names of one dimension."""
    place = by.index(dimension)
    return {
        ((*dims[:place], names[dims[place]], *dims[place + 1 :]), statistic): each for (dims, statistic), each in found.items()
    }


def there(found: Rows) -> Rows:
    """What has a value: a split has no rows of nothing."""
    return {key: each for key, each in found.items() if each[0]}


async def test_a_split_by_trait_is_one_by_account_where_each_has_a_value_of_its_own(
    catalog: Catalog, connection: asyncpg.Connection
) -> None:
    tenant = await filled(connection, catalog)
    names = dict(zip(ACCOUNTS, ("r1", "r2", "r3"), strict=True))
    for account, region in names.items():
        await describe(connection, tenant, account, region=region)
    for kpi in of_accounts(catalog):
        apart = await rows(connection, kpi, tenant, Question(("account",)))
        assert await rows(connection, kpi, tenant, Question(("account.region",))) == renamed(
            apart, ("account",), "account", names
        ), kpi
        some = await rows(connection, kpi, tenant, Question(filters={"account": ("acme", "core")}))
        assert await rows(connection, kpi, tenant, Question(filters={"account.region": ("r1", "r3")})) == some, kpi
        both = await rows(connection, kpi, tenant, Question(("account", "account.region"), {"account": ("beta",)}))
        assert {dims[:2] for dims, _ in both} <= {("beta", "r2")}, kpi


async def test_accounts_of_one_value_are_taken_together_and_nobody_counts_twice(
    catalog: Catalog, connection: asyncpg.Connection
) -> None:
    tenant = await filled(connection, catalog)
    for account, region in (("acme", "eu"), ("core", "eu"), ("beta", "us")):
        await describe(connection, tenant, account, region=region)
    for kpi in of_accounts(catalog):
        if kpi.head.platform_wide:  # chosen accounts take what names none, a split does not
            continue
        split = await rows(connection, kpi, tenant, Question(("account.region",)))
        for region, accounts in (("eu", ("acme", "core")), ("us", ("beta",))):
            whole = await rows(connection, kpi, tenant, Question(filters={"account": accounts}))
            ours = {(dims[1:], statistic): each for (dims, statistic), each in split.items() if dims[0] == region}
            assert there(ours) == there(whole), (kpi, region)
        assert {dims[0] for dims, _ in split} <= {"eu", "us"}, kpi


async def test_a_tier_counts_as_of_the_end_of_the_window_and_a_trait_as_it_is_now(
    catalog: Catalog, connection: asyncpg.Connection
) -> None:
    tenant = await make_tenant(connection, "pilot")
    day = date(2025, 11, 17)
    await store_people(connection, tenant, [Use(day, "a", "m", "acme"), Use(day + timedelta(days=7), "a", "m", "acme"),
                                            Use(day, "b", "m", "beta"), Use(day, "c", "m", "nobody_told_of")])  # fmt: skip
    await tell(connection, tenant, "acme", MONDAY - 30 * DAY, tier="starter")
    await tell(connection, tenant, "acme", MONDAY + 7 * DAY, tier="enterprise")
    await describe(connection, tenant, "acme", region="eu")
    wau = catalog.kpis["wau"]
    first = await rows(connection, wau, tenant, Question(("account.tier",)))
    assert {dims[0]: n for (dims, _), (n, _, _) in first.items()} == {"starter": 1, "": 2}
    second = await rows(connection, wau, tenant, Question(("account.tier",)), end=MONDAY + 14 * DAY)
    assert {dims[0]: n for (dims, _), (n, _, _) in second.items()} == {"enterprise": 1}
    regions = await rows(connection, wau, tenant, Question(("account.region",)))
    assert {dims[0]: n for (dims, _), (n, _, _) in regions.items()} == {"eu": 1, "": 2}
    chosen = await rows(connection, wau, tenant, Question(filters={"account.tier": ("starter",)}))
    assert {n for n, _, _ in chosen.values()} == {1}


async def test_bands_are_those_that_are_declared_an_edge_being_of_the_band_above(
    catalog: Catalog, connection: asyncpg.Connection
) -> None:
    tenant = await make_tenant(connection, "pilot")
    day = date(2025, 11, 17)
    mrr = {"a": "99999 USD", "b": "100000 USD", "c": "1000000 USD", "d": "5000000 EUR", "e": "1 USD"}
    await store_people(connection, tenant, [Use(day, f"u-{name}", "m", name) for name in mrr])
    for name, money in mrr.items():
        await tell(connection, tenant, name, MONDAY - DAY, mrr=money, size={"a": "10", "b": "50"}.get(name, "9000"))
    for name, live in (("a", 30), ("b", 100), ("c", 190), ("d", 400)):
        await reach(connection, tenant, name, MONDAY - live * DAY, "go_live")
    wau = catalog.kpis["wau"]

    async def by(dimension: str, **tables: Any) -> dict[str, Any]:
        known = declared_of(TenantConfig.model_validate(tables))
        found = await rows(connection, wau, tenant, Question((dimension,)), declared=known)
        return {dims[0]: n for (dims, _), (n, _, _) in found.items()}

    assert await by("band.mrr") == {"low": 2, "medium": 1, "high": 2}
    assert await by("band.mrr", tenant={"currency": "USD"}) == {"low": 2, "medium": 1, "high": 1, "": 1}
    assert await by("band.size") == {"small": 1, "medium": 1, "large": 3}
    assert await by("band.tenure_months") == {"0-3": 1, "3-6": 1, "6-12": 1, "12+": 1, "": 1}
    assert await by("band.mrr", bands={"mrr": {"edges": [100_001], "names": ["few", "many"]}}) == {"few": 3, "many": 2}


async def test_a_meter_makes_bands_of_its_newest_value_at_the_end_of_the_window(
    catalog: Catalog, connection: asyncpg.Connection
) -> None:
    tenant = await make_tenant(connection, "pilot")
    await make_partitions(connection)
    day = date(2025, 11, 17)
    await store_people(connection, tenant, [Use(day, f"u-{name}", "m", name) for name in ("a", "b", "c")])
    seen = [
        Observation(MONDAY - 40 * DAY, {"meter": "seats"}, "a", 5 * 10**9, id="1"),
        Observation(MONDAY + 6 * DAY, {"meter": "seats", "attribute.site": "x"}, "a", 50 * 10**9, id="2"),
        Observation(MONDAY + 8 * DAY, {"meter": "seats"}, "a", 1 * 10**9, id="3"),
        Observation(MONDAY - 40 * DAY, {"meter": "seats"}, "b", 5 * 10**9, id="4"),
        Observation(MONDAY - 40 * DAY, {"meter": "other"}, "c", 5 * 10**9, id="5"),
    ]
    await store(connection, tenant, "meter", "UTC", seen)
    known = declared_of(TenantConfig.model_validate({"bands": {"meter:seats": {"edges": [10], "names": ["few", "many"]}}}))
    found = await rows(connection, catalog.kpis["wau"], tenant, Question(("band.meter:seats",)), declared=known)
    assert {dims[0]: n for (dims, _), (n, _, _) in found.items()} == {"many": 1, "few": 1, "": 1}


async def test_a_band_of_nothing_that_can_be_cut_is_refused(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    with pytest.raises(InvalidQuery, match=r"band\.colour"):
        await rows(connection, catalog.kpis["wau"], tenant, Question(("band.colour",)))
