"""What operators see: the watermark, gaps, parked partitions, metrics, a configuration that changes."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from service.clock import SECOND
from service.domain.families.rows import RejectedRow
from service.domain.ids import Partition
from service.errors import OffsetOutOfRange
from service.eventlog.codec import encode
from service.eventlog.port import Draft
from service.store import ledger, progress
from tests.aggregate.conftest import Site
from tests.aggregate.events import Events, seconds_ago


async def until_true(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(180):
        while not await check():  # noqa: ASYNC110  # what is waited for sets no event
            await asyncio.sleep(0.02)


async def watermark(site: Site) -> int:
    async with site.pool.acquire() as connection:
        return await progress.watermark_us(connection, site.log.generation)


async def test_the_watermark_follows_the_clock_while_nothing_comes(site: Site) -> None:
    assert await watermark(site) == 0
    began = site.clock.now_us()
    async with site.working(2):

        async def reached() -> bool:
            return await watermark(site) >= began + SECOND

        await until_true(reached)
        assert await watermark(site) <= site.clock.now_us()


async def test_a_partition_with_no_traffic_does_not_hold_the_watermark_back(site: Site) -> None:
    events = Events(site)
    one = events.request(time_us=site.clock.now_us())
    began = site.clock.now_us()
    async with site.working(1):

        async def reached() -> bool:
            # Copies of one event keep one partition busy, never idle.
            await site.append({"request": [msgspec.structs.replace(one, received_us=site.clock.now_us())]})
            return await watermark(site) >= began + SECOND

        await until_true(reached)


async def test_a_sequence_that_is_missing_in_the_log_shows_as_a_gap(site: Site) -> None:
    events = Events(site)
    await site.append({"request": [events.request(id="a")]})
    await site.consume()
    for partition in range(4):
        site.sequences[partition] += 2
    await site.append({"request": [events.request(id="a")]})
    async with site.working(1):

        async def gap() -> bool:
            async with site.pool.acquire() as connection:
                report = await ledger.check(connection)
            return report.pending == 0 and report.gaps == 2

        await until_true(gap)
    async with site.pool.acquire() as connection:
        assert "2 records are missing in the log" in (await ledger.check(connection)).mistakes[0]


async def test_records_that_pass_each_other_leave_no_gap(site: Site) -> None:
    event = Events(site).request(id="a")
    for sequence in (1, 0, 3, 2):
        [encoded] = encode("test", sequence, {"request": [event]})
        await site.log.append([Draft(Partition(0), encoded.events, encoded.payload)])
        async with site.working(1):

            async def consumed() -> bool:
                async with site.pool.acquire() as connection:
                    return (await ledger.check(connection)).pending == 0

            await until_true(consumed)
    async with site.pool.acquire() as connection:
        assert (await ledger.check(connection)).mistakes == ()


async def test_rejected_events_become_dead_letters_whatever_their_texts_hold(site: Site) -> None:
    rejected = RejectedRow(
        b"h" * 16, site.tenant, "s" * 5_000, "a\0b", site.clock.now_us(), "malformed", "NUL", b"\0raw", "http", "t\0"
    )
    await site.append({"rejected": [rejected, rejected]})
    await site.consume()
    async with site.pool.acquire() as connection:
        letter = await connection.fetchrow("select * from dead_letter")
        assert letter is not None
        assert (letter["id"], letter["raw"], letter["count"], len(letter["source"])) == ("a\ufffdb", b"\0raw", 2, 512)
        assert await connection.fetchval("select dead_lettered from ledger") == 2


async def test_a_record_that_cannot_be_read_parks_its_partition_and_no_other(site: Site) -> None:
    events = Events(site)
    rows = [events.request(time_us=seconds_ago(site, 1), id=f"event-{n}") for n in range(40)]
    await site.append({"request": rows[:20]})
    await site.log.append([Draft(Partition(2), 1, msgspec.msgpack.encode([99, "future"]))])
    await site.append({"request": rows[20:]})
    unread = sum(row.id_hash[7] % 4 == 2 for row in rows[20:]) + 1
    async with site.working(1):

        async def rest_is_read() -> bool:
            async with site.pool.acquire() as connection:
                report = await ledger.check(connection)
            assert report.mistakes == ()
            return report.pending == unread

        await until_true(rest_is_read)
        await asyncio.sleep(0.3)
        assert await rest_is_read()


async def test_an_offset_that_the_log_does_not_hold_stops_loudly(site: Site) -> None:
    async with site.pool.acquire() as connection:
        await connection.execute("update partition_progress set next_offset = 5 where partition = 1")
    with pytest.raises(OffsetOutOfRange):
        await site.worker().run()


async def test_a_batch_is_folded_again_when_a_configuration_changes_meanwhile(site: Site) -> None:
    events = Events(site)
    async with site.working(1) as [worker]:
        await site.append({"request": [events.request()]})
        await site.consumed()
        known = worker._pipeline._configs.split([site.tenant])[0]
        assert known[site.tenant].version == 0
        async with site.pool.acquire() as connection:
            await connection.execute("update tenant set config_version = 1")
        await site.append({"request": [events.request()]})
        await site.consumed()
    assert site.telemetry.registry.get_sample_value("tidegauge_flush_failures_total", {"cause": "stale"}) == 1


async def test_metrics_count_what_the_ledger_counts(site: Site) -> None:
    events = Events(site)
    late = events.request(time_us=1, raw=b"late")
    one = events.request()
    await site.append({"request": [one, one, late]})
    async with site.working(1) as [worker]:
        await site.consumed()

        def value(name: str, **labels: str) -> float | None:
            return site.telemetry.registry.get_sample_value(f"tidegauge_{name}", labels)

        async def counted() -> bool:
            return value("event_visible_delay_seconds_count") == 3

        await until_true(counted)
        await worker._report.observe()

        assert [value("aggregate_events_total", outcome=outcome) for outcome in ("stored", "duplicate", "dead_lettered")] == [
            1,
            1,
            1,
        ]
        assert value("dead_letters_total", reason="too_late") == 1
        assert value("event_visible_delay_seconds_count") == 3
        assert value("leases") == 4
        assert value("aggregate_lag_events", partition="0") == 0
        assert value("dedupe_cached_ids") == 1


async def test_stopping_flushes_what_was_read_and_gives_the_leases_back(site: Site) -> None:
    events = Events(site)
    async with site.working(1) as [worker]:

        async def all_held() -> bool:
            return len(worker.holding) == 4

        await until_true(all_held)
        await site.append({"request": [events.request() for _ in range(500)]})
        await asyncio.sleep(0.05)
    async with site.pool.acquire() as connection:
        assert await connection.fetchval("select count(*) from lease where owner is not null") == 0
        assert await connection.fetchval("select count(*) from worker") == 0
        assert (await ledger.check(connection)).mistakes == ()
