"""Tracked things and their pipeline, computed by hand on a handful of them."""

from datetime import UTC, datetime

import asyncpg
import pytest

from service.catalog import Catalog, Window, resolve_window
from service.clock import to_us
from tests.catalog.accounts import Desk, Said, Step, store_accounts, store_family
from tests.catalog.rollups import make_tenant

CATALOG = Catalog.load()


def at(day: int, month: int = 11) -> int:
    return to_us(datetime(2025, month, day, 12, tzinfo=UTC))


def window(tenant: int, end: int = at(20)) -> Window:
    """The week from the 17th to the 23rd of November."""
    return resolve_window(tenant, "UTC", now_us=at(31, 12), name="week", end_us=end)


def item(moment: int, subject: str, kind: str, status: str, account: str = "", **fields: object) -> Step:
    return Step(moment, subject, {"kind": kind, "status": status} | fields, account)


STEPS = [
    item(at(3), "old", "risk", "open", "acme", probability="high", impact="medium", owner="ann", due="2025-11-20"),
    item(at(18), "old", "risk", "mitigating", "acme", due="2025-11-22"),
    item(at(4), "done", "action", "open", owner="bob", due="2025-11-05"),
    item(at(19), "done", "action", "closed"),
    item(at(5), "back", "blocker", "closed", "beta", probability="low", impact="low"),
    item(at(18), "back", "blocker", "open", "beta", due="2025-11-23"),
    item(at(18), "fresh", "risk", "open", "beta", probability="medium", impact="medium"),
    item(at(18), "brief", "action", "open", owner="ann"),
    item(at(19), "brief", "action", "closed"),
    item(at(1), "past", "action", "open"),
    item(at(10), "past", "action", "closed"),
    item(at(6), "deal", "opportunity", "open", "acme", value=500_000, value_currency="USD", owner="bob"),
    item(at(19), "deal", "opportunity", "open", "acme", value=450_000, value_currency="USD"),
    item(at(6), "won", "opportunity", "closed", "acme", value=90_000, value_currency="USD"),
    item(at(6), "euro", "opportunity", "open", "beta", value=10, value_currency="EUR"),
    item(at(2, 12), "later", "risk", "open"),
]


@pytest.fixture
async def desk(connection: asyncpg.Connection) -> Desk:
    tenant = await make_tenant(connection, "pilot")
    await store_family(connection, tenant, "item", STEPS)
    await store_accounts(connection, tenant, [Said(at(1), "acme", {"status": "active"}, {"region": "eu"})])
    return Desk(CATALOG, connection, window(tenant))


async def test_items_are_counted_between_the_ends_of_the_window(desk: Desk) -> None:
    # Open at the end: old, back, fresh, deal, euro. At the start: old, done, deal, euro.
    counted = await desk.ask("items")
    assert counted == {"": 5, "open": 5, "new": 2, "closed": 2, "reopened": 1, "net": 1, "overdue": 1}
    assert counted["net"] == 2 + 1 - 2


async def test_items_are_told_apart_by_kind_colour_owner_and_account(desk: Desk) -> None:
    assert await desk.ask("items", "kind") == {"risk": 2, "action": 0, "blocker": 1, "opportunity": 2}
    assert await desk.ask("items", "colour") == {"red": 1, "green": 1, "yellow": 1, "": 2}
    assert await desk.ask("items", "owner", statistic="closed") == {"ann": 1, "bob": 1, "": 0}
    assert await desk.ask("items", "account") == {"acme": 2, "beta": 3}
    assert await desk.ask("items", "account.region") == {"eu": 2, "": 3}
    assert await desk.ask("items", "status", statistic="open") == {"open": 4, "mitigating": 1, "closed": 0}
    assert await desk.one("items", "overdue", colour="red") == 1
    desk.config = {"items": {"colours": {"medium_medium": "red"}}}
    assert await desk.ask("items", "colour") == {"red": 2, "green": 1, "": 2}


async def test_the_pipeline_is_the_value_of_open_opportunities(desk: Desk) -> None:
    assert await desk.ask("pipeline", "currency") == {"USD": 450_000, "EUR": 10}
    assert await desk.ask("pipeline", "owner", currency="USD") == {"bob": 450_000}
    assert await desk.one("pipeline", currency="EUR") == 10


async def test_without_items_all_counts_are_nought(connection: asyncpg.Connection) -> None:
    desk = Desk(CATALOG, connection, window(await make_tenant(connection, "pilot")))
    assert set((await desk.ask("items")).values()) == {0}
    assert await desk.one("pipeline") == 0
