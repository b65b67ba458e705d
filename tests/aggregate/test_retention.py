"""Records are dropped beside aggregators that read on: what was read and is old goes, and nothing that anybody still needs."""

import asyncio
from dataclasses import replace

from service.clock import HOUR
from service.evaluate.upkeep import Upkeep
from tests.aggregate.conftest import CONSUME_TIMEOUT_S, Site
from tests.aggregate.dump import dump
from tests.aggregate.streams import by_family, stream
from tests.aggregate.test_exactly_once import MakeSite, undisturbed

EVENTS = 900
SIZE = 30


async def test_records_are_dropped_behind_a_working_aggregator_and_every_event_counts_once(
    site_on_either_log: Site, another_site: MakeSite
) -> None:
    site = site_on_either_log
    later = replace(site.clock, ahead_us=(site.settings.log_retention_h + 1) * HOUR)
    upkeep = Upkeep(site.pool, site.log, later, site.settings, site.installation)
    rows = stream(site, 7, EVENTS)
    async with site.working(2):
        for number, start in enumerate(range(0, EVENTS, SIZE)):
            await site.append(by_family(rows[start : start + SIZE]))
            if number % 10 == 0:
                await dropped(site, upkeep)
            await upkeep.trim_log()
            assert sum(extent.events for extent in (await site.log.extents()).values()) == start + SIZE
        report = await site.consumed()
        await upkeep.trim_log()
    assert report.consumed == report.appended == EVENTS
    assert all(extent.start == extent.end for extent in (await site.log.extents()).values())
    calm = await undisturbed(another_site)
    await calm.append(by_family(stream(calm, 7, EVENTS)))
    await calm.consume()
    async with site.pool.acquire() as connection, calm.pool.acquire() as other:
        assert await dump(connection) == await dump(other)


async def dropped(site: Site, upkeep: Upkeep) -> None:
    """Wait until records of every partition are dropped while the aggregators are at work."""
    before = {partition: extent.start for partition, extent in (await site.log.extents()).items()}
    async with asyncio.timeout(CONSUME_TIMEOUT_S):
        while any(extent.start <= before[partition] for partition, extent in (await site.log.extents()).items()):
            await upkeep.trim_log()
            await asyncio.sleep(0.02)
