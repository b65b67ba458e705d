"""What sources sent is told by the time of receipt; sessions, frequent uses and tracked deliveries add up over flushes."""

import asyncio
from typing import Any

import asyncpg
import msgspec
import numpy as np
import polars as pl

from service.aggregate.delays import OBSERVED, Delays, rounded
from service.clock import DAY, HOUR, MINUTE, QUARTER, SECOND
from service.domain.families.rows import DeliveryRow, RejectedRow, UsageRow
from service.store.config import apply_config
from tests.aggregate.conftest import Site
from tests.aggregate.events import Events

DECLARED = """
[tenant]
timezone = "Europe/Berlin"
[features.export]
frequency = true
[features."*"]
frequency = true
[integrations.sap]
limit_ms = 60000
tracks_accepted = true
[completeness]
usage = ["session", "duration_ms", "quantity"]
"""
RECEIPTS = """
select s.dims ->> 'source' as source, s.dims ->> 'outcome' as outcome, s.dims ->> 'field' as field, sum(f.n)::int as n,
       sum(f.total)::int as total
from fact_quarter f join series s on s.id = f.series where s.kind = 'receipt' group by 1, 2, 3
"""


async def declare(site: Site) -> None:
    async with site.pool.acquire() as connection:
        await apply_config(connection, "acme", DECLARED, now_us=site.clock.now_us(), known_kpis={})


async def fetch(site: Site, sql: str) -> list[asyncpg.Record]:
    async with site.pool.acquire() as connection:
        return list(await connection.fetch(sql))


def rejected(site: Site, source: str) -> RejectedRow:
    at = site.clock.now_us()
    words: dict[str, Any] = {"reason": "bad_time", "detail": "no time", "raw": b"{}", "origin": "api", "received_us": at}
    return RejectedRow(id_hash=bytes(16), tenant=site.tenant, source=source, id="r", time="yesterday", **words)


async def test_every_event_is_told_by_source_and_outcome_as_the_ledger_has_it(site: Site) -> None:
    await declare(site)
    events, at = Events(site), site.clock.now_us()
    web = [events.usage(time_us=at - n * MINUTE, source="/web", session="s" if n % 3 else "") for n in range(20)]
    late = [events.usage(time_us=at - 9 * DAY, source="/billing"), events.usage(time_us=at - HOUR, source="/billing")]
    for rows in (web, web[:5], late):
        await site.append({"usage": rows})
    await site.append({"rejected": [rejected(site, "/billing")]})
    await site.consume(2)
    told = {(row["source"], row["outcome"]): row["n"] for row in await fetch(site, RECEIPTS) if row["outcome"]}
    assert told == {("/web", "stored"): 20, ("/web", "duplicate"): 5, ("/billing", "stored"): 1, ("/billing", "dead_lettered"): 2}
    there = {(row["source"], row["field"]): (row["n"], row["total"]) for row in await fetch(site, RECEIPTS) if row["field"]}
    # What has a default cannot be told from what was sent.
    assert there == {("/web", "session"): (20, 13), ("/web", "duration_ms"): (20, 0), ("/billing", "session"): (1, 0),
                     ("/billing", "duration_ms"): (1, 0)}  # fmt: skip
    [delays] = await fetch(
        site,
        "select sum(f.n)::int as n, min(f.least)::bigint as least from fact_quarter f join series s on s.id = f.series"
        " where s.kind = 'delay'",
    )
    assert (delays["n"], delays["least"] >= 0) == (21, True)
    newest = {row["source"]: max(filter(None, row["newest"])) for row in await fetch(site, "select * from source_quarter")}
    assert newest == {"/web": at, "/billing": at - HOUR}


async def test_receipts_are_told_by_their_minute(site: Site) -> None:
    events, at = Events(site), site.clock.now_us() // QUARTER * QUARTER - QUARTER
    for minute, time_us in ((0, at - HOUR), (3, at - 2 * HOUR), (3, at), (14, at - 30 * SECOND)):
        await site.append({"usage": [events.usage(time_us=time_us, received_us=at + minute * MINUTE, source="/web")]})
        await site.consume()
    [quarter] = await fetch(site, "select bucket, newest from source_quarter")
    wanted: list[int | None] = [None] * 15
    wanted[0], wanted[3], wanted[14] = at - HOUR, at, at - 30 * SECOND
    assert quarter["newest"] == wanted


async def test_sessions_and_weeks_add_up_over_flushes(site: Site) -> None:
    await declare(site)
    events, at = Events(site), site.clock.now_us() // DAY * DAY - 2 * DAY + 12 * HOUR
    start = events.make(UsageRow, time_us=at, user="ada", feature="session", phase="start", account="acme")
    end = events.make(UsageRow, time_us=at + 20 * MINUTE, user="ada", feature="session", phase="end",
                      duration_ns=20 * 60 * 10**9, account="acme")  # fmt: skip
    uses = [events.usage(time_us=at, user="ada", account=account, quantity_nano=2 * 10**9) for account in ("", "acme", "acme")]
    for row in (end, start, *uses):
        await site.append({"usage": [row]})
        await site.consume()
    quarters = await fetch(
        site, "select scope, account, bucket, unended, opened from session_quarter order by scope, account, bucket"
    )
    nothing = [0] * 15
    opens, closes = [1, *nothing[1:]], [*nothing[:5], -1, *nothing[6:]]
    assert [tuple(row)[:2] + tuple(row)[3:] for row in quarters] == [
        ("account", "acme", nothing, opens),
        ("account", "acme", nothing, closes),
        ("all", "", nothing, opens),
        ("all", "", nothing, closes),
    ]
    weeks = await fetch(
        site,
        "select coalesce(n.name, '*') as feature, account, uses from user_feature_week f left join name n on n.id = f.feature",
    )
    assert {(row["feature"], row["account"]): int(row["uses"]) // 10**9 for row in weeks} == {
        ("export", ""): 2,
        ("export", "acme"): 4,
        ("*", ""): 2,
        ("*", "acme"): 5,
    }


async def test_a_delivery_is_tracked_from_its_acceptance_to_its_final(site: Site) -> None:
    await declare(site)
    events, at = Events(site), site.clock.now_us() - HOUR

    def step(outcome: str, after_s: int, **fields: Any) -> DeliveryRow:
        said = {"delivery": "d1", "integration": "sap"} | fields
        return events.make(DeliveryRow, time_us=at + after_s * SECOND, outcome=outcome, **said)

    first = step("accepted", 0, account="acme")
    steps = [step("delivered", 90, latency_ns=5), step("accepted", 10, account="beta"), first, step("failed", 30)]
    steps += [step("accepted", 0, delivery="d2", limit_ns=7), step("accepted", 0, delivery="d3", integration="other")]
    for row in steps:
        await site.append({"delivery": [row]})
        await site.consume()
    await site.append({"delivery": [msgspec.structs.replace(first, account="a copy")]})
    await site.consume()
    told = await fetch(site, "select delivery, accepted_us, account, limit_ns, final_us from tracked_delivery order by delivery")
    assert [tuple(row) for row in told] == [
        ("d1", at, "acme", 60 * 10**9, at + 30 * SECOND),
        ("d2", at, "", 7, None),
    ]


DELAYS = """
select s.dims ->> 'source' as source, sum(f.n)::int as n, min(f.least)::bigint as least, max(f.greatest)::bigint as greatest
from fact_quarter f join series s on s.id = f.series where s.kind = 'delay' group by 1
"""
NS = 1_000_000_000


async def test_the_end_of_a_session_touches_the_windows_in_which_it_began(site: Site) -> None:
    events, at = Events(site), site.clock.now_us() // MINUTE * MINUTE
    words: dict[str, Any] = {"user": "ada", "feature": "session"}
    await site.append({"usage": [events.make(UsageRow, time_us=at, phase="end", duration_ns=26 * 3_600 * NS, **words)]})
    await site.consume()
    [dirty] = await fetch(site, "select oldest_us from tenant_dirty")
    assert dirty["oldest_us"] == at - 26 * HOUR


async def test_a_delay_is_from_the_time_of_an_event_and_told_though_no_batch_follows(site: Site) -> None:
    events, at = Events(site), site.clock.now_us()
    history = msgspec.structs.replace(events.usage(time_us=at - 30 * DAY, source="/old"), backfill=True)
    async with site.working() as [worker]:
        await site.append({"usage": [events.usage(time_us=at - HOUR, source="/web"), events.usage(time_us=at, source="/web")]})
        await site.append({"usage": [history]})
        await site.consumed()
        async with asyncio.timeout(180):
            while True:
                if sum(row["n"] for row in await fetch(site, DELAYS)) >= 2:
                    break
                await asyncio.sleep(0.05)
        assert worker.holding
    [web] = await fetch(site, DELAYS)
    assert (web["source"], web["n"]) == ("/web", 2)
    assert 0 <= web["least"] < web["greatest"]
    assert web["greatest"] >= 3_600 * NS * 0.998


async def test_every_live_event_has_one_delay_however_batches_follow_one_another(site: Site) -> None:
    events, at = Events(site), site.clock.now_us()
    async with site.working():
        for number in range(5):
            await site.append({"usage": [events.usage(time_us=at - n * SECOND, source="/web") for n in range(number + 1)]})
            await site.consumed()
    [web] = await fetch(site, DELAYS)
    assert web["n"] == 15


def test_what_a_commit_takes_is_part_of_a_delay_and_is_told_once() -> None:
    delays = Delays()
    told = pl.DataFrame([(1, "", "/web", 0, 3, 5_000)], schema=OBSERVED, orient="row")
    delays.add(told, later_us=7)
    delays.add(told, later_us=-9)
    assert delays.take(1)["value"].to_list() == [12_000, 5_000]
    assert not delays
    assert delays.take(2).is_empty()
    delays.give_back()
    assert delays.take(3)["value"].to_list() == [12_000, 5_000]
    delays.told(3)
    delays.give_back()
    assert not delays


def test_ages_keep_their_digits() -> None:
    ages = np.array([0, 1, 499, 511, 512, 1_001, 3_600_000, 86_400_000 * 30], dtype=np.int64)
    found = rounded(ages)
    assert found[:4].tolist() == ages[:4].tolist()
    assert (abs(found - ages) * 500 <= ages).all()
