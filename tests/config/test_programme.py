"""The weeks of a declared programme are windows like any other, by number or as of now."""

from datetime import UTC, datetime

import httpx
import pytest

from service.catalog import Catalog
from service.clock import SystemClock, to_datetime, to_us
from service.domain.config import TenantConfig, parse
from service.errors import InvalidQuery
from service.expose import configuration, kpis, scorecards
from service.expose.programmes import programme_bounds_us
from service.http.app import create_app
from service.http.auth import Keyring
from service.settings import Settings
from service.store.config import apply_config
from service.store.engine import create_pool
from service.store.keys import create_key
from service.store.tenants import create_tenant
from service.telemetry import Telemetry

ZONE = "America/New_York"
TEXT = f"[tenant]\ntimezone = '{ZONE}'\n[programme]\nstart = 2025-10-20\nweeks = 8\n[scorecard.sla]\nrows = ['requests']\n"
CONFIG = parse(TEXT)
IN_WEEK_3 = to_us(datetime(2025, 11, 5, 12, tzinfo=UTC))


def bounds(name: str, at_us: int = IN_WEEK_3) -> tuple[str, str]:
    found = programme_bounds_us(name, CONFIG, ZONE, at_us)
    assert found is not None
    start, end = (to_datetime(each).isoformat() for each in found)
    return start, end


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("programme", "2025-10-20T04:00:00+00:00", "2025-12-15T05:00:00+00:00"),
        ("programme:1", "2025-10-20T04:00:00+00:00", "2025-10-27T04:00:00+00:00"),
        ("programme:2", "2025-10-27T04:00:00+00:00", "2025-11-03T05:00:00+00:00"),
        ("programme:week", "2025-11-03T05:00:00+00:00", "2025-11-10T05:00:00+00:00"),
        ("programme:8", "2025-12-08T05:00:00+00:00", "2025-12-15T05:00:00+00:00"),
    ],
)
def test_a_week_begins_and_ends_at_local_midnights(name: str, start: str, end: str) -> None:
    assert bounds(name) == (start, end)


def test_a_week_that_has_just_ended_is_the_one_of_its_end() -> None:
    end = to_us(datetime(2025, 11, 10, 5, tzinfo=UTC))
    assert bounds("programme:week", end) == bounds("programme:3")
    assert bounds("programme:week", end + 1) == bounds("programme:4")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("programme:9", "has no week 9"),
        ("programme:0", "write programme, programme:week"),
        ("programme:", "write programme, programme:week"),
        ("programme:weeks", "write programme, programme:week"),
    ],
)
def test_a_week_that_there_is_not_is_refused_with_the_way_out(name: str, says: str) -> None:
    with pytest.raises(InvalidQuery, match=says):
        bounds(name)


def test_a_time_outside_of_the_programme_has_no_week() -> None:
    with pytest.raises(InvalidQuery, match="no week of it holds that time"):
        bounds("programme:week", to_us(datetime(2025, 10, 20, 4, tzinfo=UTC)))
    with pytest.raises(InvalidQuery, match=r"\[programme\]"):
        programme_bounds_us("programme", TenantConfig(), ZONE, IN_WEEK_3)


def test_other_windows_are_none_of_it() -> None:
    assert programme_bounds_us("week", CONFIG, ZONE, IN_WEEK_3) is None
    assert programme_bounds_us(None, CONFIG, ZONE, IN_WEEK_3) is None


class _InWeek3:
    def now_us(self) -> int:
        return IN_WEEK_3


async def test_figures_series_and_scorecards_are_asked_for_by_week(database_url: str) -> None:
    pool = await create_pool(database_url, max_size=4)
    try:
        catalog, clock, settings = Catalog.load(), _InWeek3(), Settings()
        async with pool.acquire() as connection:
            tenant = await create_tenant(connection, "pilot", ZONE)
            _, secret = await create_key(connection, tenant, ["read"])
            await apply_config(connection, "pilot", TEXT, now_us=IN_WEEK_3, known_kpis=catalog.shapes())
        routes = [each.router(pool, catalog, clock=clock, settings=settings) for each in (kpis, scorecards, configuration)]
        app = create_app(title="t", routers=routes, telemetry=Telemetry("api"), keyring=Keyring(pool, SystemClock(), refresh_s=5))
        headers = {"authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t", headers=headers) as client:
            for path in ("/v1/kpis/requests", "/v1/scorecards/sla"):
                body = (await client.get(path, params={"window": "programme:2"})).json()
                assert (body["window"]["start"], body["window"]["end"]) == ("2025-10-27T04:00:00Z", "2025-11-03T05:00:00Z")
                now = (await client.get(path, params={"window": "programme:week"})).json()
                assert now["window"]["start"] == "2025-11-03T05:00:00Z"
                assert (await client.get(path, params={"window": "programme:9"})).status_code == 400
            series = (await client.get("/v1/kpis/wau/series", params={"window": "programme", "step": "week"})).json()
            assert len(series["points"]) == 3
            assert (await client.get("/v1/config")).json()["programme_week"] == {"week": 3, "of": 8}
    finally:
        await pool.close()
