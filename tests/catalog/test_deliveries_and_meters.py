"""Deliveries, meters and uses of features against a plain-Python oracle over the same observations."""

import random
from collections.abc import Callable
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, Final

import asyncpg
import pytest

from loadtests import active_weeks
from service.catalog import Catalog, Question, Value, Window, resolve_window, run
from service.catalog.relations_pieces import SERIES_A_PIECE
from service.clock import DAY, HOUR, MINUTE, QUARTER, SECOND
from service.domain.localtime import day_of
from service.store.ordinals import ADD_SHARED
from tests.catalog.rollups import Observation, make_partitions, make_tenant, store
from tests.catalog.test_facts_oracle import counted, inside, local, rank, share

ZONE: Final = "Australia/Lord_Howe"
NOW: Final = local(ZONE, 2025, 10, 8, 9, 30, 5)
FINALS: Final = ("delivered", "failed", "dead_lettered")
NANO: Final = 1_000_000_000


def windows(tenant: int) -> list[Window]:
    named = [resolve_window(tenant, ZONE, now_us=NOW, name=name, key=name) for name in ("1h", "24h", "day", "7d", "month", "90d")]
    own = resolve_window(tenant, ZONE, now_us=NOW, start_us=NOW - 3 * DAY - 7 * MINUTE, end_us=NOW - 2 * HOUR, key="own")
    return [*named, own]


def deliveries(chance: random.Random, how_many: int = 500) -> list[Observation]:
    """Finals and what follows them, as the fold describes them."""
    seen = []
    for _ in range(how_many):
        dims = {"integration": chance.choice(("sap", "workday")), "direction": chance.choice(("inbound", "outbound"))}
        dims["outcome"] = outcome = chance.choice((*FINALS, "delivered", "delivered", "redelivered", "accepted", "retrying"))
        latency = 0
        if outcome in FINALS:
            dims |= chance.choice(({}, {"limited": "true"})) | chance.choice(({}, {"retried": "true"}))
            dims |= chance.choice(({}, {}, {"exhausted": "true"})) | chance.choice(({}, {}, {}, {"excluded": "maintenance"}))
            if outcome == "delivered":
                latency = chance.randrange(1, 2 * NANO)
                dims |= {"on_time": chance.choice(("true", "false"))} if "limited" in dims else {}
        if outcome == "redelivered":
            dims |= chance.choice(({}, {"automated": "false"}))
        at = NOW - chance.choice((chance.randrange(DAY), chance.randrange(80 * DAY)))
        seen.append(Observation(at, dims, chance.choice(("", "acme")), latency))
    return seen


def oracle(ours: list[Observation]) -> dict[str, float | None]:
    judged = [one for one in ours if "excluded" not in one.dims]
    finals = [one for one in judged if one.dims["outcome"] in FINALS]

    def of_finals(picked: Callable[[dict[str, str]], bool]) -> float | None:
        return share(sum(picked(dict(one.dims)) for one in finals), len(finals))

    again = sum(one.dims["outcome"] == "delivered" and "retried" in one.dims for one in finals)
    by_machine = sum(one.dims["outcome"] == "redelivered" and "automated" not in one.dims for one in judged)
    failed_first = again + sum(one.dims["outcome"] != "delivered" for one in finals)
    return {
        "deliveries": sum(one.dims["outcome"] in FINALS for one in ours),
        "delivery_success": of_finals(lambda d: d["outcome"] == "delivered"),
        "delivery_failed": of_finals(lambda d: d["outcome"] != "delivered"),
        "delivery_dead_lettered": of_finals(lambda d: d["outcome"] == "dead_lettered"),
        "delivery_retried": of_finals(lambda d: "retried" in d),
        "delivery_exhausted": of_finals(lambda d: "exhausted" in d),
        "delivery_on_time": of_finals(lambda d: d.get("on_time") == "true" if "limited" in d else d["outcome"] == "delivered"),
        "delivery_recovered": share(again + by_machine, failed_first),
    }


async def test_every_kpi_of_deliveries_is_what_was_delivered(connection: asyncpg.Connection) -> None:
    kpis, chance = Catalog.load().kpis, random.Random(7)
    tenant = await make_tenant(connection, "pilot", ZONE)
    await make_partitions(connection)
    seen = deliveries(chance)
    await store(connection, tenant, "delivery", ZONE, seen)
    for window in windows(tenant):
        ours = inside(seen, window)
        for account, of_account in (("", ours), ("acme", [one for one in ours if one.account == "acme"])):
            question = Question(filters={"account": (account,)} if account else {}, statistics=("",))
            for name, expected in oracle(of_account).items():
                (value,) = await run(connection, kpis[name], [window], question)
                assert value.value == expected, (name, window.key, account)
                assert value.reason == ("" if expected is not None else "no_data")


async def test_delivery_latency_is_of_what_arrived_within_one_percent(connection: asyncpg.Connection) -> None:
    kpi = Catalog.load().kpis["delivery_latency"]
    tenant = await make_tenant(connection, "pilot", ZONE)
    await make_partitions(connection)
    seen = deliveries(random.Random(8))
    await store(connection, tenant, "delivery", ZONE, seen)
    window = windows(tenant)[-2]
    question = Question(by=("direction",), within=Fraction(500))
    found = {(value.dims["direction"], value.statistic): value.value for value in await run(connection, kpi, [window], question)}
    for direction in ("inbound", "outbound"):
        ours = [one for one in inside(seen, window) if one.dims["direction"] == direction and "excluded" not in one.dims]
        values = [one.value for one in ours if one.dims["outcome"] == "delivered"]
        assert found[direction, "count"] == len(values)
        assert found[direction, "mean"] == sum(values) / (len(values) * 1_000_000)
        assert found[direction, "p95"] == pytest.approx(rank(values, 0.95) / 1_000_000, rel=0.01)
        near = [sum(value <= limit * 5_000_000 for value in values) / len(values) for limit in (99, 101)]
        share_within = found[direction, "share_within"]
        assert share_within is not None
        assert near[0] <= share_within <= near[1]


async def test_latencies_of_many_accounts_are_one_distribution_in_many_rows_too(
    connection: asyncpg.Connection,
) -> None:
    kpi, chance = Catalog.load().kpis["delivery_latency"], random.Random(11)
    tenant = await make_tenant(connection, "pilot", ZONE)
    await make_partitions(connection)
    accounts = [f"account-{number}" for number in range(3 * SERIES_A_PIECE)]
    seen = [
        Observation(one.at_us, one.dims, account, one.value)
        for account in accounts
        for one in deliveries(chance, 12)
        if one.dims["outcome"] == "delivered" and "excluded" not in one.dims
    ]
    await store(connection, tenant, "delivery", ZONE, seen)
    asked = windows(tenant)
    for by in ((), ("account",), ("direction",), ("account", "direction")):
        expected: dict[tuple[object, ...], list[int]] = {}
        for window in asked:
            for one in inside(seen, window):
                dims = {"account": one.account, **one.dims}
                expected.setdefault((window.key, *(dims[name] for name in by)), []).append(one.value)
        found: dict[tuple[object, ...], dict[str, Value]] = {}
        values = await run(connection, kpi, asked, Question(by=by))
        for value in values:
            found.setdefault((value.window, *(value.dims[name] for name in by)), {})[value.statistic] = value
        rows = [(value.dims.get("account", ""), value.row) for value in values if value.row]
        assert rows == sorted(rows), "rows are in the order of their accounts and texts"
        assert {key for key, of in found.items() if of["count"].value} == set(expected)
        for key, latencies in expected.items():
            shown = {name: found[key][name].value for name in ("count", "min", "max", "mean")}
            assert shown == {
                "count": len(latencies),
                "min": min(latencies) / 1_000_000,
                "max": max(latencies) / 1_000_000,
                "mean": sum(latencies) / (len(latencies) * 1_000_000),
            }
            assert found[key]["p75"].value == pytest.approx(rank(latencies, 0.75) / 1_000_000, rel=0.01)


async def test_the_newest_value_of_a_meter_and_its_change_follow_the_time_of_events(connection: asyncpg.Connection) -> None:
    kpi, chance = Catalog.load().kpis["meter"], random.Random(9)
    tenant = await make_tenant(connection, "pilot", ZONE)
    await make_partitions(connection)
    seen = [
        Observation(
            NOW - chance.choice((chance.randrange(DAY), chance.randrange(60 * DAY), chance.randrange(3) * QUARTER)),
            {"meter": "disk", "unit": "bytes"} | chance.choice(({}, {"attribute.host": "a"})),
            chance.choice(("", "acme")),
            chance.randrange(-5 * NANO, 5 * NANO),
            chance.randrange(1, 4),
            id=str(number),
        )
        for number in range(300)
    ]
    await store(connection, tenant, "meter", ZONE, seen)
    asked = windows(tenant)
    found = {
        (value.window, value.statistic): value.value
        for value in await run(connection, kpi, asked, Question(filters={"meter": ("disk",)}))
    }
    for window in asked:
        ours = inside(seen, window)
        before = max((one for one in seen if one.at_us < window.start_us), key=lambda one: (one.at_us, one.id), default=None)
        newest = max(ours, key=lambda one: (one.at_us, one.id)).value
        assert found[window.key, "newest"] == newest / NANO
        assert found[window.key, "change"] == (None if before is None else (newest - before.value) / NANO)
        assert found[window.key, "sum"] == sum(one.value * one.count for one in ours) / NANO
        assert found[window.key, "mean"] == sum(one.value * one.count for one in ours) / (counted(ours) * NANO)
        assert found[window.key, "min"] == min(one.value for one in ours) / NANO


async def test_uses_per_active_user_count_a_user_of_several_accounts_once(connection: asyncpg.Connection) -> None:
    kpi = Catalog.load().kpis["feature_uses"]
    tenant = await make_tenant(connection, "pilot", ZONE)
    await make_partitions(connection)
    uses = [Observation(NOW - HOUR, {"feature": "dashboard"}, account, NANO, 6) for account in ("acme", "umbrella")]
    await store(connection, tenant, "usage", ZONE, uses, distribution=False)
    await activity(
        connection, tenant, users=[0, 1, 2], seats={("acme", 0): 0, ("acme", 1): 1, ("umbrella", 0): 64, ("umbrella", 2): 65}
    )
    window = resolve_window(tenant, ZONE, now_us=NOW, name="28d", key="28d")

    async def per_user(question: Question) -> Any:
        values = await run(connection, kpi, [window], question)
        return {
            value.dims.get("account", ""): (value.value, by_month(values, value))
            for value in values
            if value.statistic == "per_user"
        }

    def by_month(values: list[Value], like: Value) -> float | None:
        return next(value.value for value in values if value.statistic == "per_user_month" and value.dims == like.dims)

    months = ((28 * DAY - (window.end_us - NOW)) / DAY) / 30.4375
    assert await per_user(Question()) == {"": (4, pytest.approx(4 / months, rel=1e-6))}
    assert await per_user(Question(filters={"account": ("acme", "umbrella")})) == {"": (4, pytest.approx(4 / months, rel=1e-6))}
    assert {account: one for account, (one, _) in (await per_user(Question(by=("account",)))).items()} == {
        "acme": 3,
        "umbrella": 3,
    }


async def test_uses_a_day_and_a_week_are_those_of_the_time_that_has_passed(connection: asyncpg.Connection) -> None:
    kpi = Catalog.load().kpis["feature_uses"]
    tenant = await make_tenant(connection, "pilot", ZONE)
    await make_partitions(connection)
    uses = [Observation(NOW - HOUR, {"feature": name}, "acme", NANO, n) for name, n in (("dashboard", 6), ("report", 21))]
    await store(connection, tenant, "usage", ZONE, uses, distribution=False)
    window = resolve_window(tenant, ZONE, now_us=NOW, name="28d", key="28d")
    days = 28 - (window.end_us - NOW) / DAY  # local days, one of which was shorter
    asked = Question(by=("feature",), statistics=("", "per_day", "per_week"))
    found = {(value.dims["feature"], value.statistic): value.value for value in await run(connection, kpi, [window], asked)}
    assert 27 < days < 28
    for name, n in (("dashboard", 6), ("report", 21)):
        assert found[name, ""] == n
        assert found[name, "per_day"] == pytest.approx(n / days, rel=1e-9)
        assert found[name, "per_week"] == pytest.approx(n / days * 7, rel=1e-9)


async def activity(connection: asyncpg.Connection, tenant: int, *, users: list[int], seats: dict[tuple[str, int], int]) -> None:
    """Users and their seats, active on the day of NOW."""
    day = date(1970, 1, 1) + timedelta(days=day_of(NOW - SECOND, ZONE))
    for population, ordinals in (("user", users), ("seat", list(seats.values()))):
        bits = "".join("1" if place in ordinals else "0" for place in range(2048))
        await connection.execute(f"insert into activity_day values ($1, $2, 0, $3, 0, b'{bits}')", tenant, population, day)
    for statement in active_weeks.FILLS:
        await connection.execute(statement, [tenant])
    for (account, user), seat in seats.items():
        await connection.execute(
            "insert into seat (tenant, account, user_ordinal, ordinal) values ($1, $2, $3, $4)", tenant, account, user, seat
        )
        await connection.execute(
            "insert into seat_block (tenant, block, account, used) values ($1, $2, $3, 64) on conflict do nothing",
            tenant, seat // 64, account,
        )  # fmt: skip
    await connection.execute(ADD_SHARED, [tenant] * len(users), users)
