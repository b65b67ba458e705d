"""Tickets whose limits end soon are counted while there is time, and no longer."""

from service.clock import HOUR, MINUTE
from service.evaluate.nearing import Nearing
from service.store.engine import create_pool
from service.telemetry import Telemetry
from tests.http.clocks import HandClock


async def test_limits_that_end_within_the_hour_are_counted_by_tenant_until_they_are_met_or_missed(database_url: str) -> None:
    pool, clock, telemetry = await create_pool(database_url, max_size=2), HandClock(), Telemetry("evaluate")
    nearing = Nearing(pool, clock, telemetry)

    def shown() -> float | None:
        return telemetry.registry.get_sample_value("tidegauge_tickets_near_limit", {"tenant": "acme"})

    try:
        tenant = await pool.fetchval("insert into tenant (name, timezone) values ('acme', 'UTC') returning id")
        due = (
            "insert into ticket_due (tenant, subject, response_due_us, resolution_due_us, escalation) values ($1, $2, $3, $4, 0)"
        )
        now_us = clock.now_us()
        await pool.execute(due, tenant, "soon", now_us + HOUR, None)
        await pool.execute(due, tenant, "answered", None, now_us + 30 * MINUTE)
        await pool.execute(due, tenant, "both", now_us + MINUTE, now_us + 2 * MINUTE)
        await pool.execute(due, tenant, "later", now_us + HOUR + 1, now_us + 5 * HOUR)
        await pool.execute(due, tenant, "missed", now_us, None)
        await nearing.once()
        assert shown() == 3
        clock.move(31 * 60)
        await nearing.once()
        assert shown() == 2
        await pool.execute("delete from ticket_due")
        await nearing.once()
        assert shown() is None
    finally:
        await pool.close()
