"""Scorecards over HTTP: windows, targets with two ends, names, and versions that are planned."""

import csv

import pytest

from service.catalog import Catalog
from service.clock import DAY, HOUR, SystemClock
from service.domain.localtime import day_of, start_of_day_us
from service.expose.moments import rfc3339
from service.store.config import apply_config
from tests.operations.events import envelope, minutes_ago, request, usage
from tests.operations.running import Running

ZONE = "America/New_York"
TODAY = day_of(SystemClock().now_us(), ZONE)
"""The day on which the run began: midnight may strike in the middle of a test."""
FIRST = """
[[target]]
kpi = "error_rate"
op = "<="
target = "10%"
limit = "50%"
benchmark = [0.01, 0.02]
[[target]]
kpi = "average_dau"
range = [1, 3]
limit = [1, 6]
[scorecard.sla]
critical = ["error_rate"]
rows = ["error_rate", "error_rate.5xx", "average_dau", "requests{service=api}"]
[scorecard.small]
rows = ["requests"]
"""
LATER = FIRST.replace('"10%"', '"1%"').replace("[scorecard.small]", "[scorecard.planned]")


def instant(instant_us: int) -> str:
    return rfc3339(instant_us) or ""


async def declare(site: Running, text: str) -> None:
    async with site.base.pool.acquire() as connection:
        await apply_config(
            connection, "acme", text, now_us=site.base.clock.now_us(), known_kpis=Catalog.load().shapes(), warn=lambda _: None
        )


@pytest.fixture
async def declared(site: Running) -> Running:
    """Yesterday: 8 requests, one of them an error, and two users; the day before: 4 requests, 2 of them errors."""
    await declare(site, FIRST)
    noon = start_of_day_us(TODAY - 1, ZONE) + 12 * HOUR
    events = [request(f"a{n}", status=500 if n == 0 else 200, time=instant(noon + n)) for n in range(8)]
    events += [request(f"b{n}", status=500 if n < 2 else 200, time=instant(noon - DAY + n)) for n in range(4)]
    events += [usage(f"u{n}", subject=f"user-{n}", time=instant(noon)) for n in range(2)]
    await site.send(events)
    await site.consumed()
    return site


def yesterday() -> dict[str, str]:
    """The parameters of yesterday, a closed day."""
    return {"window": "day", "end": instant(start_of_day_us(TODAY, ZONE))}


async def test_a_closed_window_is_judged_and_compared_with_the_one_before(declared: Running) -> None:
    card = await declared.get("/v1/scorecards/sla", **yesterday())
    rows = {row["row"]: row for row in card["rows"]}
    assert card["provisional"] is False
    assert card["before"]["end"] == card["window"]["start"]
    error_rate = rows["error_rate"]
    assert [error_rate[name] for name in ("value", "numerator", "denominator", "before")] == [0.125, 1, 8, 0.5]
    assert [error_rate[name] for name in ("op", "target", "limit", "benchmark", "status")] == [
        "<=",
        0.1,
        0.5,
        [0.01, 0.02],
        "yellow",
    ]
    assert (rows["error_rate.5xx"]["value"], rows["error_rate.5xx"]["status"]) == (0.125, "none")
    assert rows["error_rate.5xx"]["reason"] == "no_target"
    average = rows["average_dau"]
    assert [average[name] for name in ("value", "target", "limit", "status")] == [2.0, [1, 3], [1, 6], "green"]
    assert rows["requests{service=api}"]["value"] == 8
    assert [card[name] for name in ("met", "judged", "share_met", "state")] == [1, 2, 0.5, "yellow"]
    long_ago = await declared.get("/v1/scorecards/sla", window="week", end=instant(start_of_day_us(TODAY - 100, ZONE)))
    assert (long_ago["decision"], long_ago["health"]["score"], long_ago["health"]["reason"]) == (None, None, "no_data")


async def test_an_open_window_is_provisional(declared: Running) -> None:
    card = await declared.get("/v1/scorecards/sla")
    assert (card["window"]["name"], card["provisional"]) == ("week", True)


async def test_a_window_that_closed_after_the_watermark_is_provisional(declared: Running) -> None:
    await declared.worker.stop()
    async with declared.base.pool.acquire() as connection:
        await connection.execute("update partition_progress set newest_received_us = 1, drained_us = 1")
    assert (await declared.get("/v1/scorecards/sla", **yesterday()))["provisional"] is True


async def test_bounds_of_one_s_own_may_be_dates(declared: Running) -> None:
    first = TODAY - 2
    start, end = (instant(start_of_day_us(day, ZONE)) for day in (first, first + 2))
    card = await declared.get("/v1/scorecards/sla", start=start[:10], end=end)
    assert (card["window"]["start"], card["window"]["name"]) == (start, None)
    assert next(row["value"] for row in card["rows"] if row["row"] == "error_rate") == 0.25


async def test_an_unknown_name_or_parameter_is_told_what_there_is(declared: Running) -> None:
    answer = await declared.get("/v1/scorecards/slo", 404)
    assert answer["detail"] == "there is no scorecard slo; there is sla, small"
    assert (await declared.get("/v1/scorecards/sla", 400, window="fortnight"))["parameter"] == "window"
    assert (await declared.get("/v1/scorecards/sla", 400, start="1980-01-01"))["parameter"] == "start"
    assert (await declared.get("/v1/scorecards/sla", 400, end="x"))["parameter"] == "end"
    refused = await declared.get("/v1/scorecards/sla", 400, acount="acme")
    assert (refused["parameter"], "it takes account, window, start, end, format" in refused["detail"]) == ("acount", True)
    assert (await declared.get("/v1/scorecards", 400, window="week"))["parameter"] == "window"
    assert (await declared.get("/v1/scorecards/sla", 400, account=""))["parameter"] == "account"
    twice = await declared.client.get("/v1/scorecards/sla", params=[("account", "a"), ("account", "b")])
    assert (twice.status_code, "given twice" in twice.json()["detail"]) == (400, True)


async def test_a_planned_version_does_not_show_before_it_begins(declared: Running) -> None:
    begins = start_of_day_us(TODAY + 2, ZONE)
    await declare(declared, f"valid_from = {instant(begins)}\n{LATER}")
    names = [each["name"] for each in (await declared.get("/v1/scorecards"))["scorecards"]]
    assert names == ["sla", "small"]
    card = await declared.get("/v1/scorecards/sla", window="month")
    assert next(row["target"] for row in card["rows"] if row["row"] == "error_rate") == 0.1
    await declared.get("/v1/scorecards/planned", 404)
    figure = await declared.get("/v1/kpis/error_rate", window="month")
    assert figure["target"] == 0.1


async def test_a_scorecard_is_a_table_and_has_an_etag(declared: Running) -> None:
    lines = list(csv.DictReader(await declared.csv("/v1/scorecards/sla", **yesterday())))
    assert [lines[0][name] for name in ("row", "value", "target")] == ["error_rate", "0.125", "0.1"]
    assert lines[2]["target"] == "1.0 3.0"
    # Delays are flushed a moment after what was delayed: that would be another answer.
    await declared.worker.stop()
    first = await declared.client.get("/v1/scorecards/sla", params=yesterday())
    again = await declared.client.get("/v1/scorecards/sla", params=yesterday(), headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    other = await declared.client.get(
        "/v1/scorecards/small", params=yesterday(), headers={"if-none-match": first.headers["etag"]}
    )
    assert other.status_code == 200


async def test_a_row_has_plain_numbers_and_the_unit_that_its_events_name(site: Running) -> None:
    await declare(site, '[scorecard.mixed]\nrows = ["feature_uses", "meter.mean{meter=lcp}", "meter.count{meter=lcp}"]')
    at = minutes_ago(1)
    await site.send(
        [
            usage("u", time=at, data={"feature": "dashboard", "quantity": 2.5}),
            envelope("m", "measurement", {"meter": "lcp", "value": 1.5, "unit": "s"}, time=at),
        ]
    )
    await site.consumed()
    card = await site.get("/v1/scorecards/mixed", window="1h")
    assert [(row["value"], row["numerator"], row["unit"]) for row in card["rows"]] == [
        (2.5, 2.5, "uses"),
        (1.5, 1.5, "s"),
        (1, 1, ""),
    ]


OF_ACCOUNTS = """
[[target]]
kpi = "error_rate"
op = "<="
target = "10%"
[[target]]
kpi = "error_rate"
where = { account = "acme" }
op = "<="
target = "30%"
[[target]]
kpi = "feature_uses"
op = ">="
target = 100
[[target]]
kpi = "feature_uses"
where = { account = "acme" }
op = ">="
target = 3
[scorecard.card]
critical = ["error_rate"]
rows = ["error_rate", "feature_uses", "feature_uses{account=globex}", "timeliness.p95"]
[health.adoption]
feature_uses = 1
[health.engagement]
delivery_recovered = 1
[health.reliability]
error_rate = 1
"""


def _of(account: str, event: dict[str, object]) -> dict[str, object]:
    return {**event, "account": account}


async def test_a_scorecard_of_one_account_shows_its_own_figures_judged_by_its_own_targets_and_what_health_decides(
    site: Running,
) -> None:
    await declare(site, OF_ACCOUNTS)
    noon = start_of_day_us(TODAY - 1, ZONE) + 12 * HOUR
    at = instant(noon)
    events = [request(f"p{n}", status=500 if n < 2 else 200, time=at) for n in range(6)]
    events += [_of("acme", request(f"a{n}", time=at)) for n in range(4)]
    events += [_of("globex", request(f"g{n}", status=500, time=at)) for n in range(10)]
    events += [_of("acme", usage(f"u{n}", subject="ann", time=at)) for n in range(3)]
    events += [_of("globex", usage(f"v{n}", subject="bob", time=at)) for n in range(20)]
    await site.send(events)
    await site.consumed()
    await _says_what_is_of_the_account(site)
    await _says_what_is_of_the_tenant(site)
    for account in ("no-such-customer", "ACME"):
        missing = await site.get("/v1/scorecards/card", 404, account=account)
        assert f"no event names an account '{account}': GET /v1/accounts" in missing["detail"]


async def _says_what_is_of_the_account(site: Running) -> None:
    """Service level takes what is platform-wide, uses are the account's own; both are judged by what is declared for it."""
    card = await site.get("/v1/scorecards/card", account="acme", **yesterday())
    rows = {row["row"]: row for row in card["rows"]}
    assert card["account"] == "acme"
    shown = [rows["error_rate"][name] for name in ("value", "denominator", "target", "status", "note")]
    assert shown == [0.2, 10, 0.3, "green", "with what is platform-wide"]
    assert [rows["feature_uses"][name] for name in ("value", "target", "status", "note")] == [3, 3, "green", None]
    others = [
        [rows[name][each] for each in ("value", "status", "reason")]
        for name in ("feature_uses{account=globex}", "timeliness.p95")
    ]
    assert others == [[None, "none", "other_account"], [None, "none", "not_by_account"]]
    assert (card["met"], card["judged"], card["state"]) == (2, 2, "green")
    assert (card["decision"], card["health"]["score"], card["health"]["window"]) == ("go", 100, card["window"])
    # Bounds of one's own are no window of health: it is of the 30 days that end with them.
    start, end = (instant(start_of_day_us(day, ZONE)) for day in (TODAY - 2, TODAY))
    of_own = await site.get("/v1/scorecards/card", account="acme", start=start, end=end)
    assert [of_own["health"][name] for name in ("score", "reason")] == [100, None]
    assert [of_own["health"]["window"][name] for name in ("name", "end")] == ["30d", of_own["window"]["end"]]


async def _says_what_is_of_the_tenant(site: Running) -> None:
    """Of 20 requests 12 failed, which scores 10 % ÷ 60 %; of 100 uses there were 23: of 40 points in two categories 8."""
    card = await site.get("/v1/scorecards/card", **yesterday())
    rows = {row["row"]: row for row in card["rows"]}
    assert (card["account"], rows["error_rate"]["value"], rows["error_rate"]["status"]) == (None, 0.6, "red")
    assert (rows["feature_uses"]["value"], rows["feature_uses{account=globex}"]["value"]) == (23, 20)
    assert (card["decision"], card["health"]["score"], card["health"]["reason"]) == ("no_go", 20, None)
