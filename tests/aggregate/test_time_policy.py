"""The time policy's limits, to the microsecond, against receipt and never against now."""

import pytest

from service.clock import DAY, HOUR, MINUTE
from service.domain.families.rows import ProbeRow
from service.store import ids
from tests.aggregate.conftest import Site
from tests.aggregate.events import Events
from tests.aggregate.test_duplicates import counted

LATENESS = 7 * DAY
SKEW = 5 * MINUTE


async def reasons(site: Site) -> list[str]:
    async with site.pool.acquire() as connection:
        return [row["reason"] for row in await connection.fetch("select reason from dead_letter order by reason")]


@pytest.mark.parametrize(
    ("age_us", "backfill", "refused"),
    [
        (LATENESS, False, []),
        (LATENESS + 1, False, ["too_late"]),
        (LATENESS + 1, True, []),
        (-SKEW, False, []),
        (-SKEW - 1, False, ["in_future"]),
        (-SKEW, True, []),
        (-SKEW - 1, True, ["in_future"]),
    ],
)
async def test_the_limits_are_within_and_the_next_microsecond_is_not(
    site: Site, *, age_us: int, backfill: bool, refused: list[str]
) -> None:
    # Received an hour ago: how long the log took to be read decides nothing.
    received = site.clock.now_us() - HOUR
    event = Events(site).request(time_us=received - age_us, received_us=received, backfill=backfill, raw=b"as it came")
    await site.append({"request": [event]})
    await site.consume()
    assert await reasons(site) == refused
    assert await counted(site) == (int(not refused), 0, len(refused))


async def test_a_dead_letter_says_what_the_limit_is_and_keeps_the_bytes(site: Site) -> None:
    received = site.clock.now_us()
    event = Events(site).request(time_us=received - LATENESS - 1, received_us=received, id="late", raw=b"as it came")
    await site.append({"request": [event, event]})
    await site.append({"request": [event]})
    await site.consume()
    async with site.pool.acquire() as connection:
        letter = await connection.fetchrow("select * from dead_letter")
    assert letter is not None
    assert (letter["id"], letter["raw"], letter["count"], letter["id_hash"]) == ("late", b"as it came", 3, event.id_hash)
    assert "7 d 0.000001 s before receipt" in letter["detail"]
    assert "the limit is 7 d: send older events with a key that has the scope backfill" in letter["detail"]
    assert await counted(site) == (0, 0, 3)


async def test_a_backfilled_copy_for_a_closed_hour_is_refused_rather_than_counted_twice(site: Site) -> None:
    events = Events(site)
    at = site.clock.now_us() - 40 * DAY
    first = events.request(time_us=at, id="one", backfill=True)
    other_hour = events.request(time_us=at - 2 * HOUR, id="two", backfill=True)
    await site.append({"request": [first]})
    await site.consume()
    async with site.pool.acquire() as connection:
        await connection.execute("update seen_ids set written_at = now() - interval '31 days'")
        closed = await ids.close_hours(connection, site.log.generation, reached_us=site.clock.now_us(), max_lateness_us=LATENESS)
        assert closed == 1
        assert await connection.fetchval("select count(*) from seen_ids") == 0
    await site.append({"request": [first, other_hour]})
    await site.consume()
    assert await reasons(site) == ["hour_closed"]
    assert await counted(site) == (2, 0, 1)


async def test_hours_that_are_young_or_still_written_to_stay_open(site: Site) -> None:
    events = Events(site)
    now = site.clock.now_us()
    await site.append({"request": [events.request(time_us=now - 40 * DAY, backfill=True), events.request(time_us=now - 6 * DAY)]})
    await site.consume()
    async with site.pool.acquire() as connection:
        assert await ids.close_hours(connection, site.log.generation, reached_us=now, max_lateness_us=LATENESS) == 0
        await connection.execute(
            "update seen_ids set written_at = now() - interval '31 days' where hour > $1", (now - 10 * DAY) // HOUR
        )
        assert await ids.close_hours(connection, site.log.generation, reached_us=now, max_lateness_us=LATENESS) == 0


async def test_compaction_makes_one_row_of_many_and_keeps_every_id(site: Site) -> None:
    events = Events(site)
    at = site.clock.now_us() // HOUR * HOUR
    rows = [events.request(time_us=at, received_us=at, id=f"event-{n}") for n in range(400)]
    async with site.working(1):
        for start in range(0, 400, 8):
            await site.append({"request": rows[start : start + 8]})
            await site.consumed()
    async with site.pool.acquire() as connection:
        before = await connection.fetchval("select count(*) from seen_ids")
        done = await ids.compact(connection, site.log.generation)
        assert (done.rows, done.buckets) == (before, 4)
        assert await connection.fetchval("select sum(length(hashes)) from seen_ids") == 400 * 16
        assert await connection.fetchval("select count(*) from seen_ids") == 4
    await site.append({"request": rows})
    await site.consume()
    assert await counted(site) == (400, 400, 0)


async def test_a_receiver_whose_clock_is_months_ahead_stops_no_partition(site: Site) -> None:
    events = Events(site)
    ahead = site.clock.now_us() + 200 * DAY
    await site.append({"request": [events.request(received_us=ahead, time_us=ahead), events.request()]})
    await site.append({"probe": [events.make(ProbeRow, received_us=ahead, component="api", interval_s=60)]})
    await site.consume()
    assert await site.pool.fetchval("select sum(stored) from ledger") == 3


async def test_a_receiver_whose_clock_is_months_behind_stops_no_partition(site: Site) -> None:
    events = Events(site)
    behind = site.clock.now_us() - 60 * DAY
    async with site.pool.acquire() as connection:
        everything = (1 << 24) - 1
        for day in (behind // DAY - 1, behind // DAY):
            await connection.execute(
                "insert into tenant_hours values ($1, date '1970-01-01' + $2::int, $3, $3)", site.tenant, day, everything
            )
    await site.append({"request": [events.request(received_us=behind, time_us=behind - HOUR), events.request()]})
    await site.consume()
    assert await reasons(site) == ["hour_closed"]
    assert await counted(site) == (1, 0, 1)
