"""A delivery is overdue from its limit on until it is final, as of any instant; and what was redelivered by hand, a week."""

from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from service.catalog import Catalog, Question, resolve_window, run
from service.clock import DAY, HOUR, MINUTE, SECOND, to_us
from tests.catalog.rollups import Observation, make_partitions, make_tenant, store
from tests.catalog.test_users import declared
from tests.catalog.told import tell

NOON = to_us(datetime(2025, 11, 20, 12, tzinfo=UTC))
INTEGRATIONS = {"sap": {"limit_ms": 60_000, "tracks_accepted": True}, "new": {"tracks_accepted": True}, "other": {}}
COLUMNS = ("tenant", "delivery", "accepted_us", "source", "id", "account", "integration", "direction", "limit_ns", "is_excluded", "final_us")  # fmt: skip  # noqa: E501


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


async def accept(
    connection: asyncpg.Connection,
    tenant: int,
    delivery: str,
    *,
    at: int | None,
    final: int | None = None,
    limit_s: int | None = 60,
    account: str = "",
    is_excluded: bool = False,
) -> None:
    limit_ns = None if limit_s is None else limit_s * 10**9
    told = (at, "/s", delivery, account, "sap", "inbound", limit_ns, is_excluded) if at is not None else (None,) * 8
    await connection.copy_records_to_table("tracked_delivery", records=[(tenant, delivery, *told, final)], columns=COLUMNS)


async def overdue(
    catalog: Catalog,
    connection: asyncpg.Connection,
    tenant: int,
    question: Question,
    *,
    at: int = NOON,
    integrations: Any = INTEGRATIONS,
) -> dict[tuple[str, ...], Any]:
    window = resolve_window(tenant, "UTC", now_us=NOON, name="1h", end_us=at)
    known = {tenant: declared(integrations=integrations)}
    found = await run(connection, catalog.kpis["delivery_overdue"], [window], question, declared=known)
    return {tuple(value.dims[name] for name in question.by): value.value for value in found}


async def filled(connection: asyncpg.Connection) -> int:
    tenant, other = await make_tenant(connection, "pilot"), await make_tenant(connection, "other")
    await accept(connection, tenant, "late", at=NOON - 2 * MINUTE, account="acme")
    await accept(connection, tenant, "very-late", at=NOON - 40 * DAY)
    await accept(connection, tenant, "on-its-limit", at=NOON - MINUTE)
    await accept(connection, tenant, "in-time", at=NOON - 59 * SECOND)
    await accept(connection, tenant, "done", at=NOON - HOUR, final=NOON - 10 * MINUTE, account="beta")
    await accept(connection, tenant, "excluded", at=NOON - HOUR, is_excluded=True)
    await accept(connection, tenant, "without-a-limit", at=NOON - HOUR, limit_s=None)
    await accept(connection, tenant, "never-accepted", at=None, final=NOON - HOUR)
    await accept(connection, other, "of-another", at=NOON - HOUR)
    return tenant


async def test_what_is_not_final_past_its_limit_is_overdue(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await filled(connection)
    assert await overdue(catalog, connection, tenant, Question()) == {(): 2}
    assert await overdue(catalog, connection, tenant, Question(("account",))) == {("acme",): 1}
    assert await overdue(catalog, connection, tenant, Question(filters={"account": ("beta",)})) == {(): 0}
    assert await overdue(catalog, connection, tenant, Question(filters={"integration": ("other",)})) == {(): 0}


async def test_what_is_tracked_shows_though_nothing_is_overdue(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await filled(connection)
    assert await overdue(catalog, connection, tenant, Question(("integration",))) == {("sap",): 2, ("new",): 0}


async def test_an_earlier_moment_counts_what_was_final_only_later(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await filled(connection)
    assert await overdue(catalog, connection, tenant, Question(), at=NOON - 20 * MINUTE) == {(): 2}
    assert await overdue(catalog, connection, tenant, Question(("account",)), at=NOON - 20 * MINUTE) == {("beta",): 1}
    assert await overdue(catalog, connection, tenant, Question(), at=NOON - DAY) == {(): 1}


async def test_nothing_is_overdue_of_an_integration_that_is_tracked_no_more(
    catalog: Catalog, connection: asyncpg.Connection
) -> None:
    tenant = await filled(connection)
    for now in ({"sap": {"limit_ms": 60_000}}, {"sap": {"tracks_accepted": False}}, {}):
        assert await overdue(catalog, connection, tenant, Question(), integrations=now) == {(): 0}
    others = {"sap": {"limit_ms": 60_000}, "new": {"tracks_accepted": True}}
    assert await overdue(catalog, connection, tenant, Question(("integration",)), integrations=others) == {("new",): 0}


async def test_overdue_ones_can_be_had_by_tier(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await filled(connection)
    await tell(connection, tenant, "acme", NOON - DAY, tier="enterprise")
    assert await overdue(catalog, connection, tenant, Question(("account.tier",))) == {("enterprise",): 1}


async def test_deliveries_by_hand_are_counted_a_week(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    await make_partitions(connection)
    by_hand = {"integration": "sap", "direction": "inbound", "outcome": "redelivered", "automated": "false"}
    seen = [Observation(NOON - day * DAY, by_hand) for day in (1, 2, 9)]
    seen += [Observation(NOON - DAY, by_hand | {"excluded": "drill"}), Observation(NOON - DAY, {**by_hand, "automated": "true"})]
    await store(connection, tenant, "delivery", "UTC", seen)
    window = resolve_window(tenant, "UTC", now_us=NOON + DAY, name="28d", end_us=NOON // DAY * DAY)
    found = await run(connection, catalog.kpis["delivery_manual"], [window], declared={tenant: declared()})
    assert {value.statistic: value.value for value in found} == {"": 3, "per_week": 3 / 4}
