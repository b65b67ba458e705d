"""The newest values: what changed is written, what is gone is dropped, and the rest is not even locked."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import asyncpg
import msgspec
import pytest

from service.clock import DAY
from service.store import live
from service.store.live import LiveValue
from tests.catalog.rollups import make_tenant

FIRST, LATER = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
WINDOWS: Final = ("7d", "30d")


def value(tenant: int, account: str, of: float | None, **other: Any) -> LiveValue:
    made = LiveValue(
        tenant=tenant,
        statistic="",
        window="30d",
        dims=(("account", account),) if account else (),
        value=of,
        numerator=Decimal(3),
        denominator=None,
        target=0.8,
        limit=None,
        status="green",
        start_us=0,
        end_us=30 * DAY,
    )
    return msgspec.structs.replace(made, **other)


async def rows(connection: asyncpg.Connection) -> dict[tuple[int, str, str], tuple[Any, ...]]:
    """What stands there, by tenant, KPI and account: value, when it was found, and the row's transactions."""
    found = await connection.fetch(
        "select *, dims ->> 'account' as account, xmin::text as made, xmax::text as held from kpi_latest"
    )
    return {
        (row["tenant"], row["kpi"], row["account"] or ""): (row["value"], row["at"], (row["made"], row["held"])) for row in found
    }


@pytest.fixture
async def tenant(connection: asyncpg.Connection) -> int:
    return await make_tenant(connection, "pilot", "UTC")


async def test_what_is_as_it_was_is_neither_written_nor_locked(connection: asyncpg.Connection, tenant: int) -> None:
    first = [value(tenant, "", 1.0), value(tenant, "acme", None), value(tenant, "beta", 3.0)]
    await live.replace(connection, "health", [tenant], WINDOWS, first, FIRST)
    before = await rows(connection)
    assert {key[2]: row[:2] for key, row in before.items()} == {"": (1.0, FIRST), "acme": (None, FIRST), "beta": (3.0, FIRST)}
    await live.replace(connection, "health", [tenant], WINDOWS, first[::-1], LATER)
    assert await rows(connection) == before


async def test_what_changed_is_written_and_what_is_gone_is_dropped(connection: asyncpg.Connection, tenant: int) -> None:
    other = await make_tenant(connection, "other", "UTC")
    first = [value(tenant, name, 1.0) for name in ("", "acme", "beta")]
    await live.replace(connection, "health", [tenant], WINDOWS, first, FIRST)
    await live.replace(connection, "mau", [tenant], WINDOWS, first[:1], FIRST)
    await live.replace(connection, "health", [other], WINDOWS, [value(other, "acme", 5.0)], FIRST)
    long = value(tenant, "acme", 7.0, window="year")
    await live.replace(connection, "mrr", [tenant], ("year",), [long], FIRST)
    changed = [value(tenant, "", None), value(tenant, "beta", 1.0, status="red"), value(tenant, "new", 2.0)]
    await live.replace(connection, "health", [tenant], WINDOWS, changed, LATER)
    assert {key: row[:2] for key, row in (await rows(connection)).items()} == {
        (tenant, "health", ""): (None, LATER),
        (tenant, "health", "beta"): (1.0, LATER),
        (tenant, "health", "new"): (2.0, LATER),
        (tenant, "mau", ""): (1.0, FIRST),
        (tenant, "mrr", "acme"): (7.0, FIRST),
        (other, "health", "acme"): (5.0, FIRST),
    }
    await live.replace(connection, "mrr", [tenant], ("7d",), [], LATER)
    assert (tenant, "mrr", "acme") in await rows(connection)
    await live.replace(connection, "health", [tenant, other], WINDOWS, [], LATER)
    assert {key[1] for key in await rows(connection)} == {"mau", "mrr"}
