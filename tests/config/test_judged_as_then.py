"""What a window that is over comes out as never changes with what is declared later: in a series, in a goal, in a window."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from service.catalog import Catalog
from service.clock import DAY, HOUR, SystemClock, to_datetime, to_us
from service.expose import goals, kpis
from service.http.app import create_app
from service.http.auth import Keyring
from service.settings import Settings
from service.store.config import apply_config
from service.store.engine import create_pool
from service.store.keys import create_key
from service.store.partitions import ensure_partitions
from service.store.tenants import create_tenant
from service.telemetry import Telemetry
from tests.catalog.accounts import Said, store_accounts

TODAY = to_us(datetime(2025, 12, 17, tzinfo=UTC))
GOAL = "[[goal]]\nkpi = 'customers'\nop = '>='\ntarget = 1\nwindow = 'day'\nwindows_in_a_row = 3\n"
CHANGED = TODAY - DAY
"""From here on accounts on trial are customers, too."""


class _Noon:
    def now_us(self) -> int:
        return TODAY + 12 * HOUR


@dataclass(frozen=True)
class Reader:
    client: httpx.AsyncClient

    async def get(self, path: str, **parameters: str) -> dict[str, Any]:
        answer = await self.client.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body


@pytest.fixture(name="reader")
async def reading(database_url: str) -> AsyncIterator[Reader]:
    """The API of a tenant with an account on trial for a week, which counts as a customer since yesterday."""
    pool = await create_pool(database_url, max_size=4)
    try:
        catalog, settings, clock = Catalog.load(), Settings(), _Noon()
        async with pool.acquire() as connection:
            await ensure_partitions(connection, now_us=clock.now_us(), settings=settings)
            tenant = await create_tenant(connection, "pilot", "UTC")
            _, secret = await create_key(connection, tenant, ["read"])
            await store_accounts(connection, tenant.id, [Said(TODAY - 6 * DAY, "acme", {"status": "trial"})])
            then = f"valid_from = {to_datetime(CHANGED).isoformat()}\n[activity]\ncustomer_statuses = ['active', 'trial']\n"
            for text in (GOAL, then + GOAL):
                await apply_config(connection, "pilot", text, now_us=TODAY - 2 * DAY, known_kpis=catalog.shapes())
        app = create_app(
            title="t",
            routers=[goals.router(pool, catalog, clock=clock), kpis.router(pool, catalog, clock=clock, settings=settings)],
            telemetry=Telemetry("api"),
            keyring=Keyring(pool, SystemClock(), refresh_s=5),
        )
        headers = {"authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t", headers=headers) as client:
            yield Reader(client)
    finally:
        await pool.close()


async def test_each_point_of_a_series_is_what_its_window_says_by_itself(reader: Reader) -> None:
    bounds = {"start": "2025-12-13T00:00:00Z", "end": "2025-12-18T00:00:00Z"}
    points = (await reader.get("/v1/kpis/customers/series", step="1d", **bounds))["points"]
    alone = [await reader.get("/v1/kpis/customers", window="day", end=point["end"]) for point in points]
    assert [point["value"] for point in points] == [each["value"] for each in alone] == [0, 0, 0, 1, 1]


async def test_rows_of_a_series_are_those_of_their_windows_too(reader: Reader) -> None:
    bounds = {"start": "2025-12-15T00:00:00Z", "end": "2025-12-17T00:00:00Z", "by": "account"}
    (acme,) = (await reader.get("/v1/kpis/customers/series", step="1d", **bounds))["rows"]
    assert (acme["dims"], [point["value"] for point in acme["points"]]) == ({"account": "acme"}, [0, 1])


async def test_windows_of_a_goal_are_judged_by_what_was_declared_then(reader: Reader) -> None:
    (goal,) = (await reader.get("/v1/goals"))["goals"]
    assert [window["value"] for window in goal["windows"]] == [1, 0, 0]
