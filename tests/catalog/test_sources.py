"""What sources send, how fresh it is and how much of it is any good: by a look at every minute, and by hand."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import asyncpg
import pytest

from service.aggregate.deltas import RECEIPTS
from service.aggregate.receipts import receipt_rows
from service.catalog import Catalog, Question, Window, resolve_window, run
from service.clock import DAY, HOUR, MINUTE, SECOND, to_us
from tests.catalog.rollups import Observation, make_partitions, make_tenant, store
from tests.catalog.test_users import declared

NOW = to_us(datetime(2025, 11, 19, 13, 20, 31, tzinfo=UTC))
LIMITS = {"/billing": 3_600, "/web": 90, "/never": 600}
Sent = Mapping[str, Sequence[tuple[int, int]]]
"""By source: when an event was received, and its time."""


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


def random_events(seed: int) -> Sent:
    dice = random.Random(seed)
    made: dict[str, list[tuple[int, int]]] = {"/billing": [], "/web": [], "/unlimited": []}
    for source, events in made.items():
        for _ in range(60 if source == "/billing" else 500):
            received = NOW - dice.choice((dice.randrange(DAY), dice.randrange(9 * DAY)))
            late = dice.choice((0, 0, dice.randrange(2 * MINUTE), dice.randrange(3 * HOUR), -dice.randrange(60 * SECOND)))
            events.append((received, received - late))
    return made


async def store_receipts(connection: asyncpg.Connection, tenant: int, sent: Sent) -> None:
    """Write the newest time by the minute of receipt, as aggregators do."""
    await connection.execute("create table if not exists source_quarter_p2_rest partition of source_quarter default")
    newest: dict[tuple[str, int], int] = {}
    for source, events in sent.items():
        for received, at in events:
            key = (source, received // MINUTE * MINUTE)
            newest[key] = max(newest.get(key, at), at)
    rows = receipt_rows(_frame([(tenant, *key, at) for key, at in newest.items()]))
    await connection.executemany(
        "insert into source_quarter values ($1, $2, to_timestamp($3::bigint / 1000000), $4::text::bigint[])",
        list(rows.iter_rows()),
    )
    await connection.executemany(
        "insert into name (tenant, kind, name) values ($1, 'source', $2)", [(tenant, source) for source in sent]
    )


def _frame(rows: list[tuple[Any, ...]]) -> Any:
    made = RECEIPTS.to_frame().clear()
    return made.vstack(type(made)(rows, schema=RECEIPTS, orient="row"))


def share(sent: Sent, source: str, window: Window) -> tuple[int, int]:
    """Minutes at whose end the newest event of all that came was younger than the limit, and all minutes."""
    events, fresh = sent.get(source, ()), 0
    minutes = range(window.start_us, window.until_us, MINUTE)
    for minute in minutes:
        newest = max((at for received, at in events if received < minute + MINUTE), default=None)
        fresh += newest is not None and minute + MINUTE - newest < LIMITS[source] * SECOND
    return fresh, len(minutes)


async def figures(
    catalog: Catalog, connection: asyncpg.Connection, kpi: str, window: Window, question: Question
) -> dict[tuple[tuple[str, ...], str], Any]:
    known = {window.tenant: declared(freshness={source: {"limit_s": limit} for source, limit in LIMITS.items()})}
    found = await run(connection, catalog.kpis[kpi], [window], question, declared=known)
    return {(tuple(value.dims[name] for name in question.by), value.statistic): value.value for value in found}


@pytest.mark.parametrize(("name", "end_us"), [("1h", NOW), ("24h", NOW), ("7d", NOW), ("day", NOW - DAY)])
async def test_freshness_is_the_share_of_minutes(
    catalog: Catalog, connection: asyncpg.Connection, name: str, end_us: int
) -> None:
    tenant, other = await make_tenant(connection, "pilot"), await make_tenant(connection, "other")
    sent = random_events(3)
    await store_receipts(connection, tenant, sent)
    await store_receipts(connection, other, random_events(4))
    window = resolve_window(tenant, "UTC", now_us=NOW, name=name, end_us=end_us)
    shares = {source: share(sent, source, window) for source in LIMITS}
    assert any(fresh for fresh, _ in shares.values())
    by_source = await figures(catalog, connection, "freshness", window, Question(("source",), statistics=("",)))
    assert by_source == {((source,), ""): fresh / minutes for source, (fresh, minutes) in shares.items()}
    whole = await figures(catalog, connection, "freshness", window, Question(statistics=("",)))
    parts = [sum(column) for column in zip(*shares.values(), strict=True)]
    assert whole == {((), ""): float(Fraction(*parts))}
    one = await figures(catalog, connection, "freshness", window, Question(filters={"source": ("/web",)}, statistics=("",)))
    assert one == {((), ""): shares["/web"][0] / shares["/web"][1]}


async def test_an_age_is_that_of_the_newest_event_that_came_by_then(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    sent = random_events(5)
    await store_receipts(connection, tenant, sent)
    for end in (NOW, NOW - 3 * DAY):
        window = resolve_window(tenant, "UTC", now_us=NOW, name="1h", end_us=end)
        found = await figures(catalog, connection, "freshness", window, Question(("source",), statistics=("age",)))
        wanted = {
            ((source,), "age"): (window.until_us - max(at for received, at in events if received < window.end_us)) / SECOND
            for source, events in sent.items()
        }
        assert found == {key: pytest.approx(age) for key, age in wanted.items()}


async def test_without_a_limit_there_is_no_freshness(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    await store_receipts(connection, tenant, random_events(3))
    window = resolve_window(tenant, "UTC", now_us=NOW, name="1h")
    [value] = await run(
        connection, catalog.kpis["freshness"], [window], Question(statistics=("",)), declared={tenant: declared()}
    )
    assert value.value is None


async def test_every_other_source_has_the_limit_of_all_others(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    sent = {
        "/billing": [(NOW - 5 * HOUR, NOW - 5 * HOUR)],
        "/web": [(NOW - 2 * DAY, NOW - 2 * DAY)],
        "/forgotten": [(NOW - 50 * DAY, NOW - 50 * DAY)],
    }
    await store_receipts(connection, tenant, sent)
    limits = {"*": {"limit_s": 7_200}, "/billing": {"limit_s": 86_400}}
    window = resolve_window(tenant, "UTC", now_us=NOW, name="1h")

    async def shares(**declares: Any) -> dict[tuple[str, ...], float | None]:
        known, question = {tenant: declared(**declares)}, Question(("source",), statistics=("",))
        found = await run(connection, catalog.kpis["freshness"], [window], question, declared=known)
        return {tuple(value.dims.values()): value.value for value in found}

    assert await shares(freshness=limits) == {("/billing",): 1, ("/web",): 0}
    assert await shares(freshness={"*": {"limit_s": 86_400 * 3}}) == {("/billing",): 1, ("/web",): 1}


async def test_quality_is_what_was_accepted_doubled_complete_and_silent(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    await make_partitions(connection)

    def receipts(source: str, outcome: str, how_many: int) -> Observation:
        return Observation(NOW - HOUR, {"source": source, "outcome": outcome}, count=how_many)

    of_fields = [Observation(NOW - HOUR, {"source": "/web", "family": "usage", "field": name}, value=1, count=there)
                 for name, there in (("account", 6), ("session", 2))]  # fmt: skip
    lacking = [Observation(NOW - HOUR, {"source": "/web", "family": "usage", "field": name}, value=0, count=absent)
               for name, absent in (("account", 1), ("session", 5))]  # fmt: skip
    outcomes = [receipts("/web", "stored", 7), receipts("/web", "duplicate", 2), receipts("/web", "dead_lettered", 1)]
    await store(connection, tenant, "receipt", "UTC", [*outcomes, *of_fields, *lacking, receipts("/billing", "stored", 5)])
    gone = {"/web": [(NOW - HOUR, NOW)], "/billing": [(NOW - 3 * DAY, NOW - 3 * DAY)], "/forgotten": [(NOW - 40 * DAY, NOW)]}
    await store_receipts(connection, tenant, gone)
    window = resolve_window(tenant, "UTC", now_us=NOW, name="24h")
    whole = await figures(catalog, connection, "data_quality", window, Question())
    assert whole == {((), ""): 14 / 15, ((), "duplicates"): 2 / 15, ((), "completeness"): 8 / 14, ((), "silent_sources"): 1}
    by_source = await figures(catalog, connection, "data_quality", window, Question(("source",)))
    assert by_source[("/web",), ""] == 0.9
    assert by_source[("/billing",), "completeness"] is None
    assert [by_source[(source,), "silent_sources"] for source in ("/web", "/billing")] == [0, 1]


async def test_timeliness_is_how_long_events_took(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    await make_partitions(connection)
    delays = [
        Observation(NOW - HOUR, {"source": "/web"}, value=seconds * 10**9, count=99 if seconds == 1 else 1) for seconds in (1, 30)
    ]
    await store(connection, tenant, "delay", "UTC", delays)
    window = resolve_window(tenant, "UTC", now_us=NOW, name="24h")
    found = await figures(catalog, connection, "timeliness", window, Question(statistics=("p95", "max")))
    assert found == {((), "p95"): pytest.approx(1, rel=0.01), ((), "max"): 30}
