"""The ledger is looked at again and again, and what does not add up is seen on /metrics."""

from service.evaluate.audit import Audit
from service.settings import Settings
from service.store.engine import create_pool
from service.store.installation import ensure_installation
from service.telemetry import Telemetry

SAMPLE = "tidegauge_ledger_mistakes"


async def test_a_ledger_that_does_not_add_up_is_counted_until_it_does(database_url: str) -> None:
    pool = await create_pool(database_url, max_size=2)
    telemetry = Telemetry("evaluate")
    audit = Audit(pool, None, telemetry)
    try:
        async with pool.acquire() as connection:
            await ensure_installation(connection, Settings(), log_kind="postgres")
        await audit.once()
        assert telemetry.registry.get_sample_value(SAMPLE) == 0
        # Three events that were never appended, and of which nothing became: both sums are wrong.
        await pool.execute("update partition_progress set events = events + 3 where partition = 1")
        await audit.once()
        assert telemetry.registry.get_sample_value(SAMPLE) == 2
        await pool.execute("update partition_progress set events = events - 3 where partition = 1")
        await audit.once()
        assert telemetry.registry.get_sample_value(SAMPLE) == 0
    finally:
        await pool.close()
