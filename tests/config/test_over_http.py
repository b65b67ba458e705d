"""What a tenant declares is read and changed over HTTP as by the command: whole, with every mistake, and never unseen."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.catalog import Catalog
from service.clock import HOUR, SystemClock, to_datetime, to_us
from service.expose import configuration
from service.http.app import create_app
from service.http.auth import Keyring
from service.settings import Settings
from service.store.config import load_configs
from service.store.engine import create_pool
from service.store.keys import create_key
from service.store.tenants import create_tenant
from service.telemetry import Telemetry
from tests.config.test_versions import NOW

EXAMPLE = (Path(__file__).parent / "example.toml").read_text()
TOML = "application/toml"
WEEKS = "[activity]\nwau_window = 'week'\n"


@dataclass
class FixedClock:
    us: int = to_us(NOW)

    def now_us(self) -> int:
        return self.us


@dataclass
class Api:
    client: httpx.AsyncClient
    keys: dict[str, str]
    pool: Any
    tenant: int
    clock: FixedClock = field(default_factory=FixedClock)

    async def get(self, path: str = "", *, key: str = "admin", status: int = 200, **headers: str) -> httpx.Response:
        return await self._ask("GET", path, key, status, headers=headers)

    async def put(
        self, body: str | bytes, path: str = "", *, key: str = "admin", status: int = 200, form: str = TOML, **headers: str
    ) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._ask("PUT", path, key, status, content=body, headers=named | {"content-type": form})

    async def newest(self) -> int:
        async with self.pool.acquire() as connection:
            return (await load_configs(connection, [self.tenant]))[self.tenant].version

    async def _ask(self, method: str, path: str, key: str, status: int, **request: Any) -> httpx.Response:
        request["headers"] = request["headers"] | {"authorization": f"Bearer {self.keys[key]}"}
        answer = await self.client.request(method, f"/v1/config{path}", **request)
        assert answer.status_code == status, answer.text
        return answer


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    pool = await create_pool(database_url, max_size=4)
    try:
        async with pool.acquire() as connection:
            tenant = await create_tenant(connection, "pilot", "America/New_York")
            scopes = {"admin": ["read", "admin"], "read": ["read"]}
            keys = {name: (await create_key(connection, tenant, wanted))[1] for name, wanted in scopes.items()}
        made = Api(httpx.AsyncClient(), keys, pool, tenant.id)
        routes = configuration.router(pool, Catalog.load(), clock=made.clock, settings=Settings(kafka_topic_prefix="log"))
        app = create_app(
            title="t", routers=[routes], telemetry=Telemetry("api"), keyring=Keyring(pool, SystemClock(), refresh_s=5)
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as made.client:
            yield made
    finally:
        await pool.close()


async def test_a_tenant_that_declared_nothing_shows_every_default(api: Api) -> None:
    shown = (await api.get(key="read")).json()
    assert (shown["tenant"], shown["version"], shown["newest_version"], shown["valid_from"]) == ("pilot", 0, 0, None)
    assert shown["config"]["tenant"]["timezone"] == "America/New_York"
    assert shown["config"]["churn"]["signal_days"] == 90


async def test_the_whole_example_is_stored_and_comes_back_as_it_was_sent(api: Api) -> None:
    outcome = (await api.put(EXAMPLE)).json()
    assert (outcome["version"], outcome["stored"], outcome["valid_from"]) == (1, True, None)
    assert {"key": "tenant.currency", "before": None, "after": "USD"} in outcome["changes"]
    assert any("first version reaches back" in each for each in outcome["warnings"])
    file = await api.get("?format=toml")
    assert (file.text, file.headers["content-type"].partition(";")[0]) == (EXAMPLE, TOML)
    assert file.headers["tidegauge-config-version"] == "1"


async def test_what_json_shows_can_be_sent_as_json_again(api: Api) -> None:
    await api.put(EXAMPLE)
    shown = (await api.get()).json()["config"]
    shown["valid_from"] = to_datetime(to_us(NOW) + HOUR).isoformat()
    shown["activity"]["mau_window"] = "month"
    outcome = (await api.put(httpx.Request("PUT", "http://t", json=shown).content, form="application/json")).json()
    assert outcome["changes"] == [{"key": "activity.mau_window", "before": "28d", "after": "month"}]
    api.clock.us += HOUR
    assert (await api.get()).json()["config"] == shown | {"valid_from": "2027-01-04T11:30:00Z"}
    assert 'mau_window = "month"' in (await api.get("?format=toml")).text


async def test_every_mistake_comes_in_one_answer_with_its_line(api: Api) -> None:
    funnel = "[[funnel]]\nname = 'f'\nsteps = [{ name = 'a', users = 'active', base = 'b' }]\n"
    text = f"[activty]\n[tenant]\ntimezone = 'UCT+1'\n{funnel}"
    problem = (await api.put(text, status=422)).json()
    assert [(each["path"], each["line"]) for each in problem["mistakes"]] == [
        ("activty", 1),
        ("tenant.timezone", 3),
        ("funnel[0].steps[0].base", 6),
    ]
    assert problem["detail"] == "3 to mend, nothing is stored: see `mistakes`"
    assert await api.newest() == 0


async def test_a_mistake_in_json_has_its_path(api: Api) -> None:
    problem = (await api.put('{"target": [{"kpi": "nope"}]}', form="application/json", status=422)).json()
    assert ("target[0].kpi", None) in [(each["path"], each["line"]) for each in problem["mistakes"]]
    twice = (await api.put('{"tenant": {}, "tenant": {}}', form="application/json", status=422)).json()
    assert "stands twice" in twice["mistakes"][0]["message"]


async def test_a_dry_run_says_what_would_change_and_stores_nothing(api: Api) -> None:
    outcome = (await api.put(WEEKS, "?dry_run=true")).json()
    assert outcome["changes"] == [{"key": "activity.wau_window", "before": "7d", "after": "week"}]
    assert (outcome["version"], outcome["stored"], await api.newest()) == (1, False, 0)


async def test_of_two_changes_of_the_same_version_the_second_is_refused(api: Api) -> None:
    etag = (await api.get()).headers["etag"]
    first = await api.put(WEEKS, If_Match=etag)
    late = (await api.put("", If_Match=etag, status=412)).json()
    assert late["version"] == 1
    later = "valid_from = 2027-02-01\n"
    await api.put(later, If_Match=first.headers["etag"])
    await api.put(later + WEEKS, If_Match=(await api.get()).headers["etag"])
    assert await api.newest() == 3


async def test_a_first_version_can_be_asked_to_be_the_first(api: Api) -> None:
    await api.put(WEEKS, If_None_Match="*")
    await api.put("", If_None_Match="*", status=412)
    await api.put("", If_None_Match='"1"', status=400)
    await api.put("", If_Match='"v1"', status=412)


async def test_the_version_of_a_time_is_shown_and_those_that_are_planned(api: Api) -> None:
    await api.put("")
    await api.put("valid_from = 2027-02-01\n" + WEEKS)
    now = (await api.get()).json()
    assert (now["version"], now["newest_version"]) == (1, 2)
    assert now["planned"] == [{"version": 2, "valid_from": "2027-02-01T05:00:00Z"}]
    later = (await api.get("?at=2027-02-01")).json()
    assert (later["version"], later["config"]["activity"]["wau_window"], later["planned"]) == (2, "week", [])
    await api.get("?at=soon", status=400)


async def test_only_an_admin_changes_it_or_sees_where_reports_are_posted(api: Api) -> None:
    await api.put("", key="read", status=403)
    await api.put('[[report]]\nname = "weekly"\nschedule = "0 6 * * 1"\nwebhook = "https://hooks.example.com/secret"\n')
    assert "hooks.example.com" not in (await api.get(key="read")).text
    assert "hooks.example.com/secret" in (await api.get()).text
    await api.get("?format=toml", key="read", status=403)


async def test_a_body_of_another_form_is_refused_with_the_way_out(api: Api) -> None:
    assert "application/toml" in (await api.put("x", form="application/x-yaml", status=415)).json()["detail"]
    await api.put("x", form="text/toml; charset=latin-1", status=415)
    assert "line 2" in (await api.put(b"[tenant]\n# J\xfcrgen\n", form="text/plain; charset=utf-8", status=400)).json()["detail"]
    await api.put(b"#" * 5_000_000, status=413)
    assert "may have 1000000" in (await api.put("#" * 1_000_001, status=422)).json()["mistakes"][0]["message"]
