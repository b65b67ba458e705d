"""The evaluator declares SLOs' counters, and feeds those that are about time: once, whoever evaluates."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import pytest

from service.clock import HOUR, MINUTE, SECOND, to_datetime
from service.domain.config import TenantConfig
from service.errors import LeaseLost
from service.evaluate.ground import Grounds
from service.evaluate.slos import SloCounting
from service.store import leases, slo_counters
from service.store.config import load_configs
from service.store.engine import Connection
from service.telemetry import Telemetry
from tests.catalog.health import Probe, store_probes
from tests.evaluate.stage import Stage, staged

LIVE_US = 15 * MINUTE
PATIENCE_S = 120
# Whether somebody waits for a row of this database.
WAITS = "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')"
UP = {"name": "up", "kind": "availability", "objective": 0.99}
ON_TIME = {"name": "on-time", "kind": "delivery_on_time", "objective": 0.95}


def counting(stage: Stage) -> SloCounting:
    """One that has seen nothing yet."""
    return SloCounting(stage.clock, Grounds(), Telemetry("test"), LIVE_US)


async def declare(stage: Stage, *slos: Mapping[str, Any], in_us: int = 0, touched: bool = True) -> None:
    """A version of what the tenant declares, from now on or from a time to come, that no evaluator has seen; and an event."""
    config = TenantConfig.model_validate({"slo": list(slos)}).to_json()
    begins = to_datetime(stage.clock.now_us() + in_us)
    async with stage.pool.acquire() as connection:
        version = await connection.fetchval(
            "update tenant set config_version = config_version + 1 where id = $1 returning config_version", stage.tenant
        )
        await connection.execute(
            "insert into config_version (tenant, version, valid_from, source, parsed) values ($1, $2, $3, '', $4)",
            stage.tenant, version, None if version == 1 else begins, config,
        )  # fmt: skip
        if touched:
            await stage.touch(connection, [stage.clock.now_us()])


async def probes(stage: Stage, spans: Sequence[tuple[int, int, bool]]) -> None:
    """What was said of seconds from so long ago up to so long ago, in seconds before now."""
    now_s = stage.clock.now_us() // SECOND
    async with stage.pool.acquire() as connection:
        await store_probes(connection, stage.tenant, [Probe(now_s - of, of - to, up=up) for of, to, up in spans])


async def counters(stage: Stage) -> dict[str, tuple[int, int, float | None]]:
    async with stage.pool.acquire() as connection:
        rows: list[asyncpg.Record] = await connection.fetch("select slo, good, total, objective from slo_counter")
    return {row["slo"]: (row["good"], row["total"], row["objective"]) for row in rows}


async def once(stage: Stage, made: SloCounting) -> None:
    await made.once(stage.pool, stage.owner, stage.lease, watermark_us=stage.clock.now_us())


async def test_every_declared_slo_has_a_counter_from_0_on_and_keeps_its_count_when_it_goes(database_url: str) -> None:
    async with staged(database_url) as stage:
        made = counting(stage)
        await declare(stage, UP, ON_TIME)
        await once(stage, made)
        assert await counters(stage) == {"up": (0, 0, 0.99), "on-time": (0, 0, 0.95)}
        async with stage.pool.acquire() as connection:
            await connection.execute("update slo_counter set good = 9, total = 10 where slo = 'on-time'")
        await declare(stage, UP | {"objective": 0.999})
        await once(stage, made)
        assert await counters(stage) == {"up": (0, 0, 0.999), "on-time": (9, 10, None)}
        await declare(stage, ON_TIME)
        await once(stage, counting(stage))
        assert await counters(stage) == {"up": (0, 0, None), "on-time": (9, 10, 0.95)}


async def test_time_is_counted_once_a_minute_behind_the_watermark_whoever_evaluates(database_url: str) -> None:
    async with staged(database_url) as stage:
        await declare(stage, UP)
        made = counting(stage)
        await once(stage, made)
        began_us = (stage.clock.now_us() - MINUTE) // MINUTE * MINUTE
        stage.clock.us += 10 * MINUTE
        await probes(stage, [(900, 300, True), (300, 180, False), (180, -600, True)])
        await once(stage, made)
        seconds = 10 * 60
        first = await counters(stage)
        # A minute behind on both sides: of ten minutes two were down.
        assert first["up"] == (seconds - 120, seconds, 0.99)
        await once(stage, made)
        await once(stage, counting(stage))
        assert await counters(stage) == first
        stage.clock.us += 2 * MINUTE
        await once(stage, counting(stage))
        assert await counters(stage) == {"up": (seconds, seconds + 120, 0.99)}
        async with stage.pool.acquire() as connection:
            fed = await connection.fetchval("select fed_until_us from slo_counter where slo = 'up'")
        assert fed == began_us + 12 * MINUTE


async def test_what_the_watermark_has_not_passed_is_not_counted_yet(database_url: str) -> None:
    async with staged(database_url) as stage:
        await declare(stage, UP)
        made = counting(stage)
        await once(stage, made)
        watermark_us = stage.clock.now_us()
        stage.clock.us += 5 * MINUTE
        await probes(stage, [(600, 0, True)])
        await made.once(stage.pool, stage.owner, stage.lease, watermark_us=watermark_us)
        assert await counters(stage) == {"up": (0, 0, 0.99)}


async def test_an_outage_of_the_evaluator_is_counted_no_further_back_than_live_events_are(database_url: str) -> None:
    async with staged(database_url) as stage:
        await declare(stage, UP)
        await once(stage, counting(stage))
        stage.clock.us += 5 * HOUR
        await probes(stage, [(3_600 * 6, 3_600, False), (3_600, 0, True)])
        await once(stage, counting(stage))
        assert await counters(stage) == {"up": (15 * 60, 15 * 60, 0.99)}


async def test_whoever_has_lost_the_lease_counts_nothing(database_url: str) -> None:
    async with staged(database_url) as stage:
        await declare(stage, UP)
        made = counting(stage)
        await once(stage, made)
        stage.clock.us += 5 * MINUTE
        await probes(stage, [(600, 0, True)])
        async with stage.pool.acquire() as connection:
            backend = await leases.backend_of(connection)
            await leases.take(connection, owner=stage.owner, resources=["evaluate"], most=1, lease_s=60, backend=backend)
        with pytest.raises(LeaseLost):
            await once(stage, made)
        assert await counters(stage) == {"up": (0, 0, 0.99)}


async def test_counters_that_cannot_be_fed_are_told_of_and_catch_up_when_they_can(database_url: str) -> None:
    async with staged(database_url) as stage:
        await declare(stage, UP)
        made = counting(stage)
        await once(stage, made)
        stage.clock.us += 5 * MINUTE
        await probes(stage, [(600, 0, True)])
        async with stage.pool.acquire() as connection:
            await connection.execute("alter table slo_counter rename column fed_until_us to away")
        with pytest.raises(asyncpg.UndefinedColumnError):
            await once(stage, made)
        failures = {"kpi": "slo"}
        assert made.telemetry.registry.get_sample_value("tidegauge_evaluation_failures_total", failures) == 1
        async with stage.pool.acquire() as connection:
            await connection.execute("alter table slo_counter rename column away to fed_until_us")
        await once(stage, made)
        assert await counters(stage) == {"up": (300, 300, 0.99)}
        assert made.telemetry.registry.get_sample_value("tidegauge_evaluation_failures_total", failures) == 1


async def test_what_a_tenant_without_events_declares_or_plans_has_its_counters_too(database_url: str) -> None:
    async with staged(database_url) as stage:
        made = counting(stage)
        await declare(stage, UP, touched=False)
        await once(stage, made)
        assert await counters(stage) == {"up": (0, 0, 0.99)}
        await declare(stage, ON_TIME, touched=False, in_us=HOUR)
        await once(stage, made)
        assert await counters(stage) == {"up": (0, 0, 0.99), "on-time": (0, 0, 0.95)}
        stage.clock.us += 2 * HOUR
        await once(stage, made)
        assert await counters(stage) == {"up": (0, 0, None), "on-time": (0, 0, 0.95)}


async def test_time_in_which_an_slo_was_not_declared_is_not_counted_when_it_comes_back(database_url: str) -> None:
    async with staged(database_url) as stage:
        made = counting(stage)
        await declare(stage, UP)
        await once(stage, made)
        await declare(stage, ON_TIME)
        await once(stage, made)
        stage.clock.us += 10 * MINUTE
        await probes(stage, [(900, -900, False)])
        await declare(stage, UP)
        await once(stage, made)
        assert await counters(stage) == {"up": (0, 0, 0.99), "on-time": (0, 0, None)}
        stage.clock.us += 2 * MINUTE
        await once(stage, made)
        assert await counters(stage) == {"up": (0, 120, 0.99), "on-time": (0, 0, None)}


async def test_an_evaluator_that_has_read_an_older_version_takes_no_counter_of_a_newer_one_away(database_url: str) -> None:
    async with staged(database_url) as stage:
        await declare(stage, UP)
        async with stage.pool.acquire() as connection:
            read = await load_configs(connection, [stage.tenant])
            await declare(stage, ON_TIME)
            await once(stage, counting(stage))
            await slo_counters.declare(connection, read, now_us=stage.clock.now_us())
        assert await counters(stage) == {"on-time": (0, 0, 0.95)}


async def test_whoever_takes_a_counter_away_holds_nothing_that_a_flush_before_it_still_needs(database_url: str) -> None:
    async with staged(database_url) as stage:
        await declare(stage, UP, ON_TIME)
        await once(stage, counting(stage))
        await declare(stage, UP)
        async with stage.pool.acquire() as looking, stage.pool.acquire() as flush, stage.pool.acquire() as taking:
            for each in (flush, taking):
                await each.execute(
                    "set lock_timeout = 0; set transaction_timeout = 0; set idle_in_transaction_session_timeout = 0"
                )
            async with flush.transaction():
                await flush.execute("update slo_counter set total = total + 1 where slo = 'on-time'")
                taken = asyncio.create_task(take_away(stage, taking))
                async with asyncio.timeout(PATIENCE_S):
                    while not await looking.fetchval(WAITS):  # noqa: ASYNC110  # it is Postgres that knows
                        await asyncio.sleep(0.05)
                await flush.execute("select from slo_counter where slo = 'up' for update nowait")
            await taken
        assert await counters(stage) == {"up": (0, 0, 0.99), "on-time": (0, 1, None)}


async def take_away(stage: Stage, connection: Connection) -> None:
    """Declare what the tenant does by now."""
    async with connection.transaction():
        await slo_counters.declare(connection, await load_configs(connection, [stage.tenant]), now_us=stage.clock.now_us())
