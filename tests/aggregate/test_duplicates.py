"""A copy is recognised wherever and whenever it comes again."""

import msgspec

from service.clock import DAY, HOUR, MINUTE
from service.domain.families.rows import UsageRow
from tests.aggregate.conftest import Site
from tests.aggregate.events import Events

OF_EVENTS = (
    "from fact_day f join series s on s.id = f.series"
    " where kind not in ('receipt', 'delay', 'slo', 'usage_named', 'usage_account')"
)
"""Facts of what events say, not of how they came."""


async def counted(site: Site) -> tuple[int, int, int]:
    """Stored, duplicate, dead-lettered."""
    async with site.pool.acquire() as connection:
        row = await connection.fetchrow(
            """select coalesce(sum(stored), 0)::int, coalesce(sum(duplicate), 0)::int, coalesce(sum(dead_lettered), 0)::int
            from ledger"""
        )
        facts = await connection.fetchval(f"select coalesce(sum(n), 0)::int {OF_EVENTS}")
    assert row is not None
    assert facts == row[0], "what is stored is what the rollups count"
    return row[0], row[1], row[2]


async def test_a_copy_in_the_same_batch_is_counted_once(site: Site) -> None:
    event = Events(site).request(time_us=site.clock.now_us(), id="one")
    await site.append({"request": [event, event, event]})
    await site.consume()
    assert await counted(site) == (1, 2, 0)


async def test_the_first_of_differing_copies_counts(site: Site) -> None:
    events = Events(site)
    at = site.clock.now_us()
    first = events.request(time_us=at, id="one", latency_ns=7)
    await site.append({"request": [first]})
    await site.append({"request": [events.request(time_us=at, id="one", latency_ns=9)]})
    await site.consume()
    assert await counted(site) == (1, 1, 0)
    async with site.pool.acquire() as connection:
        assert await connection.fetchval(f"select total {OF_EVENTS}") == 7


async def test_a_copy_of_another_type_is_a_copy(site: Site) -> None:
    events = Events(site)
    at = site.clock.now_us()
    await site.append({"usage": [events.usage(time_us=at, id="one")], "request": [events.request(time_us=at, id="one")]})
    await site.consume()
    assert await counted(site) == (1, 1, 0)
    async with site.pool.acquire() as connection:
        assert await connection.fetchval(f"select kind {OF_EVENTS}") == "usage"


async def test_a_copy_is_recognised_by_another_worker_after_days(site: Site) -> None:
    events = Events(site)
    at = site.clock.now_us()
    rows = [events.request(time_us=at - n * HOUR, id=f"event-{n}") for n in range(100)]
    await site.append({"request": rows})
    await site.consume()
    site.clock.ahead_us = 6 * DAY - 100 * HOUR
    late = [msgspec.structs.replace(row, received_us=site.clock.now_us()) for row in rows]
    await site.append({"request": late})
    await site.consume(workers=2)
    assert await counted(site) == (100, 100, 0)


async def test_the_same_id_at_another_time_or_from_another_source_is_another_event(site: Site) -> None:
    events = Events(site)
    at = site.clock.now_us()
    await site.append(
        {
            "request": [
                events.request(time_us=at, id="one"),
                events.request(time_us=at - 1, id="one"),
                events.request(time_us=at, id="one", source="test/other"),
                events.request(id="one", received_us=at),
            ]
        }
    )
    await site.consume()
    assert await counted(site) == (4, 0, 0)


async def test_an_untimed_copy_is_recognised_for_a_day_between_arrivals(site: Site) -> None:
    events = Events(site)
    now = site.clock.now_us() // HOUR * HOUR + 30 * MINUTE - 3 * DAY

    def arrival(after_us: int) -> UsageRow:
        return events.usage(id="one", received_us=now + after_us)

    await site.append({"usage": [arrival(0)]})
    await site.consume()
    await site.append({"usage": [arrival(DAY)]})
    await site.consume()
    assert await counted(site) == (1, 1, 0)
    await site.append({"usage": [arrival(DAY + HOUR)]})
    await site.consume()
    assert await counted(site) == (2, 1, 0)


async def test_an_untimed_copy_is_recognised_though_it_was_received_before_the_one_that_counted(site: Site) -> None:
    # As when one comes over HTTP, and its copy through a topic that is read later.
    events = Events(site)
    now = site.clock.now_us() // HOUR * HOUR + 30 * MINUTE - 3 * DAY
    for received in (now, now - 5 * HOUR, now - DAY):
        await site.append({"usage": [events.usage(id="one", received_us=received)]})
        await site.consume()
    assert await counted(site) == (1, 2, 0)


async def test_untimed_copies_that_are_read_at_once_count_as_if_they_were_read_one_by_one(site: Site) -> None:
    events = Events(site)
    now = site.clock.now_us() // HOUR * HOUR + 30 * MINUTE - 4 * DAY
    arrivals = (0, HOUR, DAY, DAY + HOUR, DAY + 2 * HOUR, 2 * DAY + 2 * HOUR)
    for after in arrivals:
        await site.append({"usage": [events.usage(id="one", received_us=now + after)]})
    await site.consume()
    # Stored at 0; then a day and an hour later; then a day and an hour after that.
    assert await counted(site) == (3, 3, 0)


async def test_a_refused_event_can_be_mended_and_sent_again(site: Site) -> None:
    events = Events(site)
    received = site.clock.now_us()
    at = received - 8 * DAY
    await site.append({"request": [events.request(time_us=at, id="one", received_us=received)]})
    await site.consume()
    assert await counted(site) == (0, 0, 1)
    await site.append({"request": [events.request(time_us=at, id="one", received_us=received, backfill=True)]})
    await site.consume()
    assert await counted(site) == (1, 0, 1)


async def test_of_copies_in_a_batch_the_first_that_may_be_stored_counts(site: Site) -> None:
    events = Events(site)
    received = site.clock.now_us()
    at = received - 8 * DAY
    late = events.request(time_us=at, id="one", received_us=received)
    backfilled = events.request(time_us=at, id="one", received_us=received, backfill=True)
    await site.append({"request": [late, backfilled, late, backfilled]})
    await site.consume()
    assert await counted(site) == (1, 2, 1)


async def test_a_small_cache_forgets_buckets_and_no_ids(site: Site) -> None:
    events = Events(site)
    at = site.clock.now_us()
    rows = [events.request(time_us=at - n * HOUR, id=f"event-{n}") for n in range(150)]
    async with site.working(1) as [worker]:
        worker._pipeline.seen.max_bytes = 4_000
        for _ in range(3):
            for start in range(0, 150, 10):
                await site.append({"request": rows[start : start + 10]})
                await site.consumed()
        assert worker._pipeline.seen.size_bytes <= 4_000
    assert await counted(site) == (150, 300, 0)
