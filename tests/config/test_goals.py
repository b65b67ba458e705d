"""A goal is met by so many windows in a row, missed when its day has come without them, and open till then."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from service.catalog import Catalog
from service.clock import DAY, HOUR, SystemClock, to_us
from service.domain.config import parse
from service.domain.goals import Progress, standing
from service.expose import goals
from service.http.app import create_app
from service.http.auth import Keyring
from service.settings import Settings
from service.store.config import apply_config
from service.store.engine import create_pool
from service.store.keys import create_key
from service.store.partitions import ensure_partitions
from service.store.tenants import create_tenant
from service.telemetry import Telemetry
from tests.catalog.rollups import Observation, store

NOW = to_us(datetime(2025, 12, 17, 12, tzinfo=UTC))
TODAY = to_us(datetime(2025, 12, 17, tzinfo=UTC))
ERRORS = "[[goal]]\nkpi = 'error_rate'\nop = '<='\ntarget = 0.1\nwindow = 'day'\n"
(TWO,) = parse(ERRORS + "windows_in_a_row = 2\n").goals


@pytest.mark.parametrize(
    ("values", "is_due", "progress", "in_a_row"),
    [
        ([0.1, 0.0], False, Progress.MET, 2),
        ([0.1, 0.0], True, Progress.MET, 2),
        ([0.1, 0.2], False, Progress.OPEN, 1),
        ([0.1, None], False, Progress.OPEN, 1),
        ([0.2, 0.1], False, Progress.OPEN, 0),
        ([0.2, 0.1], True, Progress.MISSED, 0),
        ([None, 0.1], False, Progress.NONE, 0),
        ([None, 0.1], True, Progress.MISSED, 0),
        ([], False, Progress.NONE, 0),
    ],
)
def test_a_goal_stands_by_its_newest_windows(
    values: list[float | None],
    is_due: bool,  # noqa: FBT001  # a row of the table
    progress: Progress,
    in_a_row: int,
) -> None:
    stands = standing(TWO, values, is_due=is_due)
    assert (stands.progress, stands.in_a_row) == (progress, in_a_row)


class _Noon:
    def now_us(self) -> int:
        return NOW


@pytest.fixture(name="client")
async def answering(database_url: str) -> AsyncIterator[tuple[httpx.AsyncClient, Any, int]]:
    """The API of a tenant whose days had 20 %, 10 % and 0 % of errors, the newest last."""
    pool = await create_pool(database_url, max_size=4)
    try:
        catalog = Catalog.load()
        async with pool.acquire() as connection:
            await ensure_partitions(connection, now_us=NOW, settings=Settings())
            tenant = await create_tenant(connection, "pilot", "UTC")
            _, secret = await create_key(connection, tenant, ["read"])
            counts = {3: 2, 2: 1, 1: 0}
            seen = [
                Observation(TODAY - days * DAY + HOUR, {"service": "api", "status": status}, "", 1_000_000, count)
                for days, failed in counts.items()
                for status, count in (("500", failed), ("200", 10 - failed))
                if count
            ]
            await store(connection, tenant.id, "request", "UTC", seen)
        app = create_app(
            title="t",
            routers=[goals.router(pool, catalog, clock=_Noon())],
            telemetry=Telemetry("api"),
            keyring=Keyring(pool, SystemClock(), refresh_s=5),
        )
        headers = {"authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t", headers=headers) as client:
            yield client, pool, tenant.id
    finally:
        await pool.close()


async def stands(client: tuple[httpx.AsyncClient, Any, int], text: str) -> list[dict[str, Any]]:
    http, pool, _ = client
    async with pool.acquire() as connection:
        await apply_config(connection, "pilot", text, now_us=NOW, known_kpis=Catalog.load().shapes())
    found: list[dict[str, Any]] = (await http.get("/v1/goals")).json()["goals"]
    return found


async def test_whole_windows_that_have_ended_by_its_day_judge_a_goal(client: tuple[httpx.AsyncClient, Any, int]) -> None:
    days = ("2025-12-31", "2025-12-16", "2025-12-15")
    text = ERRORS + "windows_in_a_row = 3\n" + "".join(f"{ERRORS}windows_in_a_row = 2\ndue = {day}\n" for day in days)
    three, ahead, over, too_early = await stands(client, text)
    assert (three["progress"], three["in_a_row"], three["due"]) == ("open", 2, None)
    assert [each["value"] for each in three["windows"]] == [0.0, 0.1, 0.2]
    assert three["windows"][0]["end"] == "2025-12-17T00:00:00Z"
    assert (ahead["progress"], ahead["due"]) == ("met", "2026-01-01T00:00:00Z")
    assert over["progress"] == "met"
    assert (too_early["progress"], too_early["in_a_row"]) == ("missed", 1)
    assert too_early["windows"][0]["end"] == "2025-12-16T00:00:00Z"


async def test_a_goal_is_due_so_many_days_after_its_accounts_milestone(client: tuple[httpx.AsyncClient, Any, int]) -> None:
    _, pool, tenant = client
    await pool.execute(
        "insert into milestone (tenant, kind, milestone, who, account, time_us, source, id)"
        " values ($1, 'account', 'go_live', 'acme', 'acme', $2, '/s', '1')",
        tenant,
        TODAY - 60 * DAY + HOUR,
    )
    after = ERRORS + "due_after = 'milestone:go_live + 30d'\n"
    of_both = f"{after}where = {{ account = ['acme', 'globex'] }}\n"
    goals = f"{after}where = {{ account = 'acme' }}\n{after}where = {{ account = 'globex' }}\n{of_both}{after}"
    of_acme, of_globex, waiting, of_all = await stands(client, goals)
    assert (of_acme["due"], of_acme["progress"]) == ("2025-11-18T00:00:00Z", "missed")
    assert (of_globex["due"], waiting["due"], of_all["due"], of_all["progress"]) == (None, None, None, "met")
    await pool.execute(
        "insert into milestone (tenant, kind, milestone, who, account, time_us, source, id)"
        " values ($1, 'account', 'go_live', 'globex', 'globex', $2, '/s', '2')",
        tenant,
        TODAY - 50 * DAY + HOUR,
    )
    of_the_last = (await client[0].get("/v1/goals")).json()["goals"][2]
    assert of_the_last["due"] == "2025-11-28T00:00:00Z"
