"""Counters of SLOs grow by live events alone, each once; older ones repair the budget and nothing else."""

from typing import Any

import asyncpg

from service.clock import HOUR, MINUTE
from service.domain.families.rows import DeliveryRow, Row
from tests.aggregate.conftest import Site
from tests.aggregate.events import Events

COUNTERS = "select slo, good, total from slo_counter where tenant = $1 order by slo"
FACTS = """
select s.dims ->> 'slo' as slo, sum(f.total)::int as good, sum(f.n)::int as total
from series s join fact_day f on f.series = s.id
where s.tenant = $1 and s.kind = 'slo' and not s.dims ? 'excluded' group by 1 order by 1
"""


async def counted(site: Site, sql: str) -> dict[str, tuple[int, int]]:
    async with site.pool.acquire() as connection:
        rows: list[asyncpg.Record] = await connection.fetch(sql, site.tenant)
    return {row["slo"]: (row["good"], row["total"]) for row in rows}


def at_ages(site: Site, events: Events, ages_us: list[int], **fields: Any) -> list[Row]:
    now = site.clock.now_us()
    return [events.request(time_us=now - age, received_us=now, **fields) for age in ages_us]


async def test_events_older_than_a_quarter_of_an_hour_repair_the_budget_and_feed_no_counter(site: Site) -> None:
    events = Events(site)
    live = at_ages(site, events, [-4 * MINUTE, 0, 15 * MINUTE])
    late = at_ages(site, events, [15 * MINUTE + 1, HOUR, 30 * HOUR], status=500)
    await site.append({"request": [*live, *late]})
    await site.consume()
    assert await counted(site, COUNTERS) == {"request-success": (3, 3)}
    assert await counted(site, FACTS) == {"request-success": (3, 6)}


async def test_how_old_an_event_may_be_is_a_setting(site: Site) -> None:
    site.settings = site.settings.model_copy(update={"slo_live_s": 7_200})
    await site.append({"request": at_ages(site, Events(site), [0, HOUR, 3 * HOUR])})
    await site.consume()
    assert await counted(site, COUNTERS) == {"request-success": (2, 2)}


async def test_history_feeds_no_counter_however_young_it_is(site: Site) -> None:
    events = Events(site)
    await site.append({"request": [*at_ages(site, events, [0], backfill=True, count=50), *at_ages(site, events, [0])]})
    await site.consume()
    assert await counted(site, COUNTERS) == {"request-success": (1, 1)}
    assert await counted(site, FACTS) == {"request-success": (51, 51)}


async def test_copies_and_excluded_events_feed_no_counter_and_a_batch_of_late_ones_makes_none(site: Site) -> None:
    events = Events(site)
    [first] = at_ages(site, events, [0], count=7, status=503)
    excluded = at_ages(site, events, [0], count=1_000, excluded="maintenance")
    await site.append({"request": [first, *excluded]})
    await site.append({"request": [first]})
    deliveries = [
        events.make(DeliveryRow, time_us=site.clock.now_us() - 2 * HOUR, delivery="d", integration="sap", outcome="failed")
    ]
    await site.append({"delivery": deliveries})
    await site.consume(workers=2)
    assert await counted(site, COUNTERS) == {"request-success": (0, 7)}
    assert await counted(site, FACTS) == {"delivery-on-time": (0, 1), "request-success": (0, 7)}
