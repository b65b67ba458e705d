"""The query API of KPIs, asked over HTTP."""

import csv
import io
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from service.catalog import Catalog
from service.clock import DAY, HOUR, MINUTE, SECOND, SystemClock, to_datetime
from service.expose import kpis
from service.expose.cursors import write_cursor
from service.http.app import create_app
from service.http.auth import Keyring
from service.settings import Settings
from service.store.config import apply_config
from service.store.engine import create_pool
from service.store.keys import create_key
from service.store.segments import rebuild
from service.store.tenants import create_tenant
from service.telemetry import Telemetry
from tests.catalog.people import Use, store_people
from tests.catalog.rollups import Observation, store

NOW = SystemClock().now_us() // DAY * DAY - DAY // 2
"""Noon of yesterday, UTC: minutes are kept of it."""
CONFIG = """
[integrations.benevity]
limit_ms = 500
[integrations.sap]
limit_ms = 500
[feature_groups]
export = ["csv_export", "pdf_export"]
[[funnel]]
name = "adoption"
steps = [{ name = "provisioned", users = "provisioned" }, { name = "active", users = "active", base = "provisioned" }]
[properties.plan]
values = 20
[[target]]
kpi = "error_rate"
op = "<="
target = "10%"
limit = "50%"
[[target]]
kpi = "request_latency.p95"
window = "day"
op = "<="
target = "500ms"
[[target]]
kpi = "meter.sum"
where = { meter = "cost", currency = "USD" }
op = "<="
target = 1
[[target]]
kpi = "meter.sum"
where = { meter = "lcp" }
op = ">="
target = 5
[[target]]
kpi = "meter.mean"
where = { meter = "lcp", unit = "s" }
op = "<="
target = 3
"""


@dataclass
class FixedClock:
    us: int = NOW

    def now_us(self) -> int:
        return self.us


@dataclass
class Api:
    client: httpx.AsyncClient
    clock: FixedClock
    pool: Any
    tenant: int

    async def get(self, path: str, status: int = 200, /, **parameters: str) -> Any:
        answer = await self.client.get(path, params=parameters)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def flush(self) -> None:
        await self.pool.execute(
            "insert into tenant_dirty (tenant, flush) values ($1, 1)"
            " on conflict (tenant) do update set flush = tenant_dirty.flush + 1",
            self.tenant,
        )


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    """The API of a tenant with a day of requests, deliveries and uses."""
    pool = await create_pool(database_url, max_size=4)
    try:
        settings, clock = Settings(query_max_rows=100, query_max_steps=400), FixedClock()
        catalog = Catalog.load()
        async with pool.acquire() as connection:
            tenant = await create_tenant(connection, "pilot", "UTC")
            _, secret = await create_key(connection, tenant, ["read"])
            await apply_config(connection, "pilot", CONFIG, now_us=NOW - DAY, known_kpis=catalog.shapes())
            await fill(connection, tenant.id)
        keyring = Keyring(pool, SystemClock(), refresh_s=5)
        routes = kpis.router(pool, catalog, clock=clock, settings=settings)
        app = create_app(title="t", routers=[routes], telemetry=Telemetry("api"), keyring=keyring)
        headers = {"authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t", headers=headers) as client:
            yield Api(client, clock, pool, tenant.id)
    finally:
        await pool.close()


async def fill(connection: Any, tenant: int) -> None:
    requests = [
        Observation(NOW - 2 * MINUTE, {"service": "api", "status": "200"}, "", 100_000_000, 8),
        Observation(NOW - HOUR, {"service": "api", "status": "500"}, "acme", 900_000_000, 2),
        Observation(NOW - 30 * HOUR, {"service": "web", "status": "200"}, "", 50_000_000, 5),
    ]
    await store(connection, tenant, "request", "UTC", requests)
    delivered = {"integration": "benevity", "direction": "inbound", "outcome": "delivered"}
    deliveries = [
        Observation(NOW - HOUR, {**delivered, "on_time": "true", "limited": "true"}, "", 300_000_000, 3),
        Observation(NOW - HOUR, {**delivered, "on_time": "false", "limited": "true", "retried": "true"}, "", 700_000_000),
        Observation(NOW - HOUR, {**delivered, "integration": "free"}, "", 700_000_000),
        Observation(NOW - HOUR, {**delivered, "outcome": "failed", "limited": "true"}, "", 0, 2),
    ]
    await store(connection, tenant, "delivery", "UTC", deliveries)
    uses = [
        Observation(NOW - HOUR, {"feature": name}, "acme", 1_500_000_000, count)
        for name, count in (("csv_export", 2), ("pdf_export", 1), ("dashboard", 4))
    ]
    await store(connection, tenant, "usage", "UTC", uses, distribution=False)
    meters = [
        Observation(NOW - HOUR - SECOND, {"meter": "lcp", "unit": "s"}, "", 1_000_000_000, 3),
        Observation(NOW - HOUR, {"meter": "lcp", "unit": "s"}, "", 5_000_000_000),
        Observation(NOW - 30 * HOUR, {"meter": "lcp", "unit": "s"}, "", 2_000_000_000),
        Observation(NOW - HOUR, {"meter": "cost", "currency": "USD"}, "", 2_000_000_000),
        Observation(NOW - HOUR, {"meter": "cost", "currency": "EUR"}, "", 3_000_000_000),
    ]
    await store(connection, tenant, "meter", "UTC", meters)


async def test_a_value_comes_with_its_bounds_target_and_status(api: Api) -> None:
    body = await api.get("/v1/kpis/error_rate", window="day")
    assert (body["value"], body["numerator"], body["denominator"]) == (0.2, 2, 10)
    assert (body["target"], body["limit"], body["op"], body["status"]) == (0.1, 0.5, "<=", "yellow")
    midnight = NOW // DAY * DAY
    shown = [to_datetime(at).isoformat().replace("+00:00", "Z") for at in (midnight, midnight + DAY)]
    assert [body["window"]["start"], body["window"]["end"]] == shown
    assert body["provisional"] is True
    assert body["statistics"]["5xx"]["value"] == 0.2
    assert body["statistics"]["4xx"]["value"] == 0


async def test_all_statistics_of_a_distribution_come_when_none_is_named(api: Api) -> None:
    body = await api.get("/v1/kpis/request_latency", window="day")
    assert body["statistic"] == "p95"
    assert body["value"] == pytest.approx(900, rel=0.01)
    assert body["statistics"]["mean"]["value"] == 260
    assert body["statistics"]["count"]["value"] == 10
    assert body["status"] == "red"
    assert "share_within" not in body["statistics"]
    within = await api.get("/v1/kpis/request_latency", window="day", stat="share_within", limit_ms="500")
    assert within["value"] == 0.8


async def test_an_event_of_this_moment_is_in_the_five_minutes(api: Api) -> None:
    body = await api.get("/v1/kpis/requests", window="5m", stat="per_minute")
    assert body["numerator"] == 8
    assert body["value"] == pytest.approx(8 / 5)


async def test_rows_go_on_behind_the_cursor_until_all_were_shown(api: Api) -> None:
    seen: list[tuple[str, float]] = []
    cursor: dict[str, Any] = {}
    while True:
        body = await api.get("/v1/kpis/error_rate", window="28d", by="service", limit="1", **cursor)
        seen += [(row["dims"]["service"], row["value"]) for row in body["rows"]]
        assert body["denominator"] == 15
        if body["cursor"] is None:
            break
        cursor = {"cursor": body["cursor"]}
    assert seen == [("api", 0.2), ("web", 0.0)]


async def test_rows_of_an_account_go_on_behind_the_cursor_and_one_of_another_split_is_refused(api: Api) -> None:
    seen: list[tuple[str, float]] = []
    cursor: dict[str, Any] = {}
    while True:
        body = await api.get("/v1/kpis/feature_uses", window="day", by="feature,account", limit="1", **cursor)
        seen += [(row["dims"]["feature"], row["value"]) for row in body["rows"]]
        if body["cursor"] is None:
            break
        cursor = {"cursor": body["cursor"]}
    whole = await api.get("/v1/kpis/feature_uses", window="day", by="feature,account")
    assert seen == [(row["dims"]["feature"], row["value"]) for row in whole["rows"]]
    assert [name for name, _ in seen] == ["csv_export", "dashboard", "pdf_export"]
    page = await api.get("/v1/kpis/feature_uses", window="day", by="feature,account", limit="1", compare="before")
    assert [row["change"]["absolute"] for row in page["rows"]] == [seen[0][1]]
    for other in ("csv_export", '{"account": "a\\u0000"}', '{"account": "\\ud800"}', '{"account": null}', "[]"):
        refused = await api.get("/v1/kpis/feature_uses", 400, window="day", by="feature,account", cursor=write_cursor(other))
        assert refused["parameter"] == "cursor"


@pytest.mark.parametrize("limit", ["1", "2", "3"])
async def test_pages_of_meters_in_several_units_end_and_show_each_row_once(api: Api, limit: str) -> None:
    whole = (await api.get("/v1/kpis/meter", window="day", by="meter", stat="sum"))["rows"]
    assert [(row["dims"], row["value"]) for row in whole] == [
        ({"meter": "cost"}, None),
        ({"meter": "cost", "currency": "EUR"}, 3),
        ({"meter": "cost", "currency": "USD"}, 2),
        ({"meter": "lcp", "unit": "s"}, 8),
    ]
    seen: list[Any] = []
    cursor: dict[str, Any] = {}
    while len(seen) <= len(whole):
        body = await api.get("/v1/kpis/meter", window="day", by="meter", stat="sum", limit=limit, **cursor)
        seen += body["rows"]
        if body["cursor"] is None:
            break
        cursor = {"cursor": body["cursor"]}
    assert seen == whole


async def test_declared_integrations_are_rows_of_one_account_too(api: Api) -> None:
    body = await api.get("/v1/kpis/deliveries", window="day", by="integration,direction", account="acme")
    assert {tuple(row["dims"].values()): row["value"] for row in body["rows"]} == {
        ("benevity", "inbound"): 0,
        ("sap", "inbound"): 0,
    }


async def test_a_mean_over_days_that_have_not_begun_has_no_value(api: Api) -> None:
    ahead = to_datetime(NOW + 30 * DAY).isoformat()
    assert (await api.get("/v1/kpis/average_dau", window="7d", end=ahead))["reason"] == "no_data"


async def test_declared_integrations_are_rows_though_nothing_was_delivered(api: Api) -> None:
    pages = []
    cursor: dict[str, Any] = {}
    for _ in range(3):
        body = await api.get("/v1/kpis/deliveries", window="day", by="integration", limit="1", **cursor)
        pages.append([(row["dims"]["integration"], row["value"]) for row in body["rows"]])
        cursor = {"cursor": body["cursor"]}
    assert pages == [[("benevity", 6)], [("free", 1)], [("sap", 0)]]
    assert body["cursor"] is None
    rates = await api.get("/v1/kpis/delivery_on_time", window="day", by="integration")
    assert {row["dims"]["integration"]: (row["value"], row["reason"]) for row in rates["rows"]} == {
        "benevity": (0.5, "no_target"),
        "free": (1, "no_target"),
        "sap": (None, "no_data"),
    }
    assert "no limit" in rates["note"]


async def test_what_names_no_value_of_a_dimension_is_found_by_an_empty_text_in_quotes(api: Api) -> None:
    split = await api.get("/v1/kpis/requests", window="28d", by="region,service")
    shown = {(row["dims"]["region"], row["dims"]["service"]): row["value"] for row in split["rows"]}
    assert shown == {("", "api"): 10, ("", "web"): 5}
    assert (await api.get("/v1/kpis/requests", window="28d", region='""'))["value"] == 15
    assert (await api.get("/v1/kpis/requests", window="28d", region="eu"))["value"] == 0
    assert (await api.get("/v1/kpis/requests", 400, window="28d", region=""))["parameter"] == "region"
    assert (await api.get("/v1/kpis/requests", 400, window="28d", account='""'))["parameter"] == "account"


async def test_a_group_of_features_stands_where_a_feature_can(api: Api) -> None:
    whole = await api.get("/v1/kpis/feature_uses", window="day", feature="export")
    assert whole["value"] == 4.5
    split = await api.get("/v1/kpis/feature_uses", window="day", feature="export,dashboard", by="feature")
    assert {row["dims"]["feature"]: row["value"] for row in split["rows"]} == {"export": 4.5, "dashboard": 6}
    assert whole["statistics"]["per_day"]["value"] == 9  # half of the day has passed


async def test_units_of_a_meter_are_never_added_up(api: Api) -> None:
    one = await api.get("/v1/kpis/meter", window="day", meter="lcp")
    assert (one["unit"], one["statistics"]["mean"]["value"], one["statistics"]["sum"]["value"]) == ("s", 2, 8)
    assert (one["statistics"]["newest"]["value"], one["statistics"]["change"]["value"]) == (5, 3)
    two = await api.get("/v1/kpis/meter", window="day", meter="cost", stat="sum")
    assert (two["value"], two["reason"]) == (None, "mixed_units")
    rows = (await api.get("/v1/kpis/meter", window="day", by="meter", stat="sum"))["rows"]
    assert {(row["dims"]["meter"], row["unit"]): row["value"] for row in rows if row["value"] is not None} == {
        ("lcp", "s"): 8,
        ("cost", "USD"): 2,
        ("cost", "EUR"): 3,
    }
    problem = await api.get("/v1/kpis/meter", 400, window="day")
    assert "meter=" in problem["detail"]


async def test_a_meter_is_judged_by_the_target_of_its_unit_and_by_that_of_any(api: Api) -> None:
    rows = (await api.get("/v1/kpis/meter", window="day", by="meter", stat="sum"))["rows"]
    assert {(row["dims"]["meter"], row["unit"]): row["status"] for row in rows} == {
        ("cost", ""): "none",
        ("cost", "EUR"): "none",
        ("cost", "USD"): "red",
        ("lcp", "s"): "green",
    }
    mean = await api.get("/v1/kpis/meter", window="day", meter="lcp", stat="mean")
    assert (mean["target"], mean["status"]) == (3, "green")
    part = await api.get("/v1/kpis/meter", window="day", meter="lcp", account="acme", stat="sum")
    assert part["reason"] == "no_target"


async def test_a_series_has_a_point_a_step_also_where_nothing_happened(api: Api) -> None:
    body = await api.get("/v1/kpis/requests/series", step="1h", window="day", stat="value")
    assert len(body["points"]) == 12
    assert [point["value"] for point in body["points"]] == [0] * 11 + [10]
    assert [point["provisional"] for point in body["points"]] == [True] * 12
    days = await api.get("/v1/kpis/error_rate/series", step="1d", window="7d", by="service", stat="value")
    assert {row["dims"]["service"]: [point["value"] for point in row["points"]][-3:] for row in days["rows"]} == {
        "api": [None, None, 0.2],
        "web": [None, 0, None],
    }


async def test_a_property_that_nobody_declared_is_refused_with_those_that_are(api: Api) -> None:
    for path, asked in (("feature_uses", {"by": "property.colour"}), ("feature_uses/series", {"property.colour": "red"})):
        problem = await api.get(f"/v1/kpis/{path}", 400, window="7d", **asked)
        assert problem["parameter"] == ("by" if "by" in asked else "property.colour")
        assert "property.colour is no declared property of usage: there is plan; declare it as [properties.colour]" in str(
            problem
        )
    assert (await api.get("/v1/kpis/feature_uses", window="7d", by="property.plan"))["cursor"] is None


async def test_a_dimension_named_like_a_parameter_is_filtered_by_its_longer_name(api: Api) -> None:
    bounds = {"start": "2025-11-18T00:00:00Z", "end": "2025-11-19T00:00:00Z"}
    whole = await api.get("/v1/kpis/funnel", **bounds, by="step", funnel="adoption")
    assert len({row["dims"]["step"] for row in whole["rows"]}) == 2
    plain = await api.get("/v1/kpis/funnel", **bounds, by="step", funnel="adoption", step="active")
    assert [row["dims"]["step"] for row in plain["rows"]] == ["active"]
    named = await api.get("/v1/kpis/funnel", **bounds, by="step", funnel="adoption", **{"by.step": "active"})
    assert named["rows"] == plain["rows"]
    series = await api.get("/v1/kpis/funnel/series", **bounds, step="1d", by="step", funnel="adoption", **{"by.step": "active"})
    assert [(row["dims"]["step"], len(row["points"])) for row in series["rows"]] == [("active", 1)]
    twice = await api.get("/v1/kpis/requests", 400, status="200", **{"by.status": "200"})
    assert "filtered twice" in twice["detail"]


async def test_a_series_finer_than_what_is_kept_has_no_value_and_says_so(api: Api) -> None:
    long_ago = to_datetime(NOW - 60 * DAY).isoformat().replace("+00:00", "Z")
    after = to_datetime(NOW - 60 * DAY + HOUR).isoformat().replace("+00:00", "Z")
    body = await api.get("/v1/kpis/requests/series", step="5m", start=long_ago, end=after)
    assert {(point["value"], point["reason"]) for point in body["points"]} == {(None, "expired")}


async def test_pages_of_a_window_that_is_finer_than_what_is_kept_end_with_the_first(api: Api) -> None:
    accounts = [(api.tenant, block, f"account-{block:03}", 1) for block in range(100, 200)]
    await api.pool.executemany("insert into seat_block (tenant, block, account, used) values ($1, $2, $3, $4)", accounts)
    start, end = (to_datetime(NOW - 60 * DAY + more).isoformat().replace("+00:00", "Z") for more in (0, 5 * MINUTE))
    page = await api.get("/v1/kpis/feature_uses", by="account,feature", limit="1", start=start, end=end)
    assert (page["reason"], page["rows"], page["cursor"]) == ("expired", [], None)


async def test_a_split_series_says_which_steps_are_expired(api: Api) -> None:
    start, end = (to_datetime(NOW + at).isoformat().replace("+00:00", "Z") for at in (-20 * DAY, -20 * DAY + HOUR))
    await store(
        api.pool, api.tenant, "request", "UTC", [Observation(NOW - 20 * DAY, {"service": "old", "status": "200"})], minutes=False
    )
    hourly = await api.get("/v1/kpis/requests/series", step="1h", by="service", stat="value", start=start, end=end)
    assert [point["value"] for row in hourly["rows"] for point in row["points"]] == [1]
    finer = await api.get("/v1/kpis/requests/series", step="5m", by="service", stat="value", start=start, end=end)
    assert finer["rows"] == []
    whole = await api.get("/v1/kpis/requests/series", step="5m", stat="value", start=start, end=end)
    assert {point["reason"] for point in whole["points"]} == {"expired"}
    split = await api.get("/v1/kpis/requests", by="service", start=start, end=start.replace(":00:00", ":07:00"))
    assert (split["reason"], split["rows"]) == ("expired", [])


async def test_no_question_of_random_parameters_ends_in_an_error_of_ours(api: Api) -> None:
    chance = random.Random(11)
    listed = (await api.get("/v1/kpis"))["kpis"]
    texts = [
        "",
        "a",
        "1",
        "-1",
        "1e9",
        "7d",
        "1h",
        "week",
        "2025-11-19",
        "2025-11-19T10:00:00Z",
        "p95",
        "service",
        "account,service",
        "café",
    ]
    texts += [
        "x" * 300,
        "'; drop table series; --",
        "{}",
        "%",
        "\\",
        "feature",
        "meter",
        "all",
        "business",
        "csv",
        "\t",
        "~other",
    ]
    for _ in range(400):
        kpi = chance.choice(listed)
        names = [
            "window",
            "start",
            "end",
            "stat",
            "by",
            "limit",
            "cursor",
            "step",
            "format",
            "limit_ms",
            "days",
            *kpi["dimensions"],
        ]
        known = [*kpi["windows"], *kpi["dimensions"], *(each["name"] or "value" for each in kpi["statistics"])]
        asked = {chance.choice(names): chance.choice(texts + known) for _ in range(chance.randrange(4))}
        answer = await api.client.get(f"/v1/kpis/{kpi['id']}{chance.choice(('', '/series'))}", params=asked)
        assert answer.status_code in {200, 400}, (kpi["id"], asked, answer.text)


async def test_an_answer_that_has_not_changed_is_a_304_until_the_next_flush(api: Api) -> None:
    await api.flush()
    first = await api.client.get("/v1/kpis/error_rate", params={"window": "day"})
    api.clock.us += MINUTE
    again = {"if-none-match": first.headers["etag"]}
    assert (await api.client.get("/v1/kpis/error_rate", params={"window": "day"}, headers=again)).status_code == 304
    assert (await api.client.get("/v1/kpis/error_rate", params={"window": "7d"}, headers=again)).status_code == 200
    await api.flush()
    assert (await api.client.get("/v1/kpis/error_rate", params={"window": "day"}, headers=again)).status_code == 200


async def test_an_answer_is_no_longer_known_when_a_planned_version_has_begun(api: Api) -> None:
    begins = to_datetime(NOW + 10 * MINUTE).isoformat().replace("+00:00", "Z")
    planned = f"valid_from = {begins}\n{CONFIG}".replace('"10%"', '"1%"')
    async with api.pool.acquire() as connection:
        await apply_config(connection, "pilot", planned, now_us=NOW, known_kpis=Catalog.load().shapes())
    first = await api.client.get("/v1/kpis/error_rate", params={"window": "day"})
    assert first.json()["target"] == 0.1
    api.clock.us += 11 * MINUTE
    again = {"if-none-match": first.headers["etag"]}
    second = await api.client.get("/v1/kpis/error_rate", params={"window": "day"}, headers=again)
    assert (second.status_code, second.json()["target"]) == (200, 0.01)


async def test_uses_that_are_not_known_by_user_say_so_with_a_way_out(api: Api) -> None:
    way_out = "uses by user are kept of whole calendar weeks: ask for the window week, or start and end on Mondays"
    for by, dims in (("user.region", [{}]), ("feature,user.region", [{"feature": "dashboard"}, {"feature": "export"}])):
        body = await api.get("/v1/kpis/feature_uses", window="day", by=by, feature="dashboard,export", stat="value")
        assert [(row["dims"], row["value"], row["reason"], row["note"]) for row in body["rows"]] == [
            (each, None, "no_data", way_out) for each in dims
        ]
    series = await api.get("/v1/kpis/feature_uses/series", step="1d", window="7d", by="user.region", stat="value")
    [row] = series["rows"]
    assert {(point["value"], point["note"]) for point in row["points"]} == {(0, None), (None, way_out)}
    assert "kept by user, feature and account alone" in str(
        await api.get("/v1/kpis/feature_uses", 400, window="week", by="ok,user.region")
    )


async def test_an_answer_by_trait_is_no_longer_known_when_traits_have_changed(api: Api) -> None:
    async with api.pool.acquire() as connection:
        yesterday = to_datetime(NOW - DAY).date()
        await store_people(connection, api.tenant, [Use(yesterday, "ada", "dashboard")], traits={"ada": {"region": "eu"}})
        await api.flush()
        parameters = {"start": yesterday.isoformat(), "end": to_datetime(NOW).date().isoformat(), "by": "user.region"}
        first = await api.client.get("/v1/kpis/wau", params=parameters)
        assert first.json()["rows"][0]["dims"] == {"user.region": "eu"}
        await connection.execute(
            "insert into state values ($1, 'user', 'ada', '', 'trait.region', 1, 's', 'e', 'us')", api.tenant
        )
        await connection.execute("insert into segment_dirty values ($1, 0)", api.tenant)
        assert await rebuild(connection) == 1
    again = await api.client.get("/v1/kpis/wau", params=parameters, headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 200
    assert again.json()["rows"][0]["dims"] == {"user.region": "us"}


async def test_a_rate_of_an_open_window_is_never_taken_for_unchanged(api: Api) -> None:
    first = await api.client.get("/v1/kpis/requests", params={"window": "day", "stat": "per_minute"})
    api.clock.us += MINUTE
    again = {"if-none-match": first.headers["etag"]}
    second = await api.client.get("/v1/kpis/requests", params={"window": "day", "stat": "per_minute"}, headers=again)
    assert second.status_code == 200


async def test_a_dimension_named_like_a_column_of_figures_keeps_its_values_in_csv(api: Api) -> None:
    for path in ("/v1/kpis/requests", "/v1/kpis/requests/series"):
        answer = await api.client.get(path, params={"window": "28d", "by": "status", "stat": "value", "format": "csv"})
        found: dict[str, float] = {}
        for line in csv.DictReader(io.StringIO(answer.text)):
            assert line["status"] == "none"
            found[line["by.status"]] = found.get(line["by.status"], 0) + float(line["value"])
        assert found == {"200": 13, "500": 2}


async def test_the_same_as_csv(api: Api) -> None:
    answer = await api.client.get("/v1/kpis/requests", params={"window": "28d", "by": "service"}, headers={"accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert {(line["service"], line["statistic"]): line["value"] for line in lines if line["statistic"] == "value"} == {
        ("api", "value"): "10",
        ("web", "value"): "5",
    }
    series = await api.client.get(
        "/v1/kpis/requests/series", params={"step": "1d", "window": "7d", "stat": "value", "format": "csv"}
    )
    assert [line["value"] for line in csv.DictReader(io.StringIO(series.text))][-2:] == ["5", "10"]


async def test_the_catalog_says_of_every_kpi_what_can_be_asked(api: Api) -> None:
    listed = {each["id"]: each for each in (await api.get("/v1/kpis"))["kpis"]}
    assert listed["requests"]["unit"] == "requests"
    assert [each["name"] for each in listed["error_rate"]["statistics"]] == [None, "4xx", "5xx", "timeout"]
    assert listed["dau"]["windows"] == ["1d", "day"]
    assert listed["request_latency"]["suggested_target"]["target"] == 500


@pytest.mark.parametrize(
    ("path", "parameters", "names"),
    [
        ("/v1/kpis/requests", {"window": "2d"}, "window"),
        ("/v1/kpis/requests", {"window": "7d", "start": "2025-01-01"}, "start"),
        ("/v1/kpis/requests", {"start": "yesterday"}, "start"),
        ("/v1/kpis/requests", {"start": "2025-02-30"}, "start"),
        ("/v1/kpis/requests", {"start": "2020-01-01", "end": "2025-01-01"}, "start"),
        ("/v1/kpis/requests", {"start": "2025-01-02", "end": "2025-01-01"}, "end"),
        ("/v1/kpis/requests", {"by": "colour"}, "by"),
        ("/v1/kpis/requests", {"by": "service,service"}, "by"),
        ("/v1/kpis/requests", {"colour": "red"}, "colour"),
        ("/v1/kpis/requests", {"service": ""}, "service"),
        ("/v1/kpis/requests", {"stat": "p95"}, "stat"),
        ("/v1/kpis/requests", {"limit": "0"}, "limit"),
        ("/v1/kpis/requests", {"limit": "101"}, "limit"),
        ("/v1/kpis/requests", {"cursor": "?"}, "cursor"),
        ("/v1/kpis/requests", {"limit_ms": "5"}, "limit_ms"),
        ("/v1/kpis/retention", {"n": "1001"}, "n"),
        ("/v1/kpis/retention", {"n": "1.5"}, "n"),
        ("/v1/kpis/retention", {"n": "-1"}, "n"),
        ("/v1/kpis/requests", {"format": "xml"}, "format"),
        ("/v1/kpis/requests", {"days": "business"}, "days"),
        ("/v1/kpis/request_latency", {"stat": "share_within"}, "limit_ms"),
        ("/v1/kpis/request_latency", {"limit_ms": "1/0"}, "limit_ms"),
        ("/v1/kpis/request_latency", {"limit_ms": "1e999999999"}, "limit_ms"),
        ("/v1/kpis/requests", {"end": "9999-12-31T23:59:59Z"}, "end"),
        ("/v1/kpis/requests", {"end": "9999-12-31"}, "end"),
        ("/v1/kpis/requests", {"end": "0001-01-01"}, "end"),
        ("/v1/kpis/requests", {"service": "a\0b"}, "service"),
        ("/v1/kpis/meter", {"meter": "lcp", "attribute.a\0b": "c"}, "by"),
        ("/v1/kpis/requests", {"service": '"a'}, "service"),
        ("/v1/kpis/dau", {"window": "1h"}, "window"),
        ("/v1/kpis/requests/series", {"step": "3d"}, "step"),
        ("/v1/kpis/requests/series", {"step": "5m", "window": "7d"}, "step"),
        ("/v1/kpis/requests/series", {"step": "1d", "limit": "5"}, "limit"),
        ("/v1/kpis/dau/series", {"step": "1h", "window": "7d"}, "step"),
    ],
)
async def test_a_wrong_parameter_is_named_with_the_way_out(api: Api, path: str, parameters: dict[str, str], names: str) -> None:
    problem = await api.get(path, 400, **parameters)
    assert problem["parameter"] == names


async def test_there_is_no_kpi_of_another_name(api: Api) -> None:
    assert "GET /v1/kpis" in (await api.get("/v1/kpis/nonsense", 404))["detail"]


async def test_a_figure_is_compared_with_the_window_before(api: Api) -> None:
    body = await api.get("/v1/kpis/requests", compare="before", window="24h", by="service", stat="value")
    assert (body["value"], body["change"]["before"], body["change"]["absolute"]) == (10, 5, 5)
    assert body["change"]["test"] == "poisson"
    rows = {row["dims"]["service"]: row["change"]["before"] for row in body["rows"]}
    assert rows == {"api": 0}  # nothing of it happened before
    assert body["compared_with"]["window"]["end"] == body["window"]["start"]


async def test_a_figure_is_compared_with_a_baseline_and_with_another_segment(api: Api) -> None:
    day = f"{to_datetime(NOW - 2 * DAY):%Y-%m-%d}/{to_datetime(NOW):%Y-%m-%d}"
    baseline = await api.get("/v1/kpis/requests", compare=day, window="24h", stat="value")
    assert baseline["change"]["before"] == 5
    segment = await api.get("/v1/kpis/error_rate", compare="{service=web}", window="7d", service="api", stat="value")
    assert (segment["value"], segment["change"]["before"], segment["change"]["points"]) == (0.2, 0.0, 20.0)
    assert segment["change"]["few"]
    assert segment["compared_with"]["filters"] == {"service": ["web"]}
    table = (await api.client.get("/v1/kpis/requests", params={"compare": "before", "window": "24h", "format": "csv"})).text
    header, line, *_ = csv.DictReader(io.StringIO(table)).fieldnames or [], next(csv.DictReader(io.StringIO(table)))
    assert {"before", "relative", "trend", "verdict", "p"} <= set(header)
    assert (line["before"], line["relative"]) == ("5", "1.0")


@pytest.mark.parametrize("compare", ["yesterday", "2025-09-01", "{colour=red}", "{service", "2025-02-01/2025-01-01"])
async def test_what_cannot_be_compared_with_is_told(api: Api, compare: str) -> None:
    body = await api.get("/v1/kpis/requests", 400, compare=compare)
    assert body["parameter"] in {"compare", "end"}


async def test_a_series_is_not_compared(api: Api) -> None:
    assert (await api.get("/v1/kpis/requests/series", 400, compare="before"))["parameter"] == "compare"
