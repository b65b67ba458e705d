"""The tables by the minute and by the quarter always have a place for what is kept, and for what comes."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from service.clock import DAY, HOUR, to_datetime, to_us
from service.errors import StoreUnavailable
from service.settings import Settings
from service.store.partitions import drop_expired, ensure_partitions, kept_from

SETTINGS = Settings(minute_retention_days=8, quarter_retention_days=400, max_lateness_days=7)
NOW = to_us(datetime(2031, 3, 15, 13, 30, tzinfo=UTC))
INSERTS = {
    "fact_minute": "insert into fact_minute (series, bucket, n, total) values (1, $1, 1, 1)",
    "fact_quarter": "insert into fact_quarter (series, bucket, n, total) values (1, $1, 1, 1)",
    "probe_quarter": "insert into probe_quarter select 1, '', 'api', 'm', 'eu', $1, b, b, b, b, b, 1, 1"
    " from cast(repeat('0', 900) as bit(900)) b",
    "source_quarter": "insert into source_quarter values (1, '/s', $1, '{0}')",
    "session_quarter": "insert into session_quarter values (1, 'all', '', $1, '{0}', '{0}')",
}


@pytest.fixture
async def empty(connection: asyncpg.Connection) -> asyncpg.Connection:
    """A database whose tables have no partitions yet."""
    for row in await connection.fetch(
        "select inhrelid::regclass::text as name from pg_inherits where inhparent::regclass::text = any($1)", list(INSERTS)
    ):
        await connection.execute(f"drop table {row['name']}")
    return connection


async def accepts(connection: asyncpg.Connection, table: str, bucket_us: int) -> bool:
    change = connection.transaction()
    await change.start()
    try:
        await connection.execute(INSERTS[table], to_datetime(bucket_us))
    except asyncpg.CheckViolationError:
        return False
    finally:
        await change.rollback()
    return True


async def test_the_whole_kept_span_and_what_comes_has_a_place(empty: asyncpg.Connection) -> None:
    await ensure_partitions(empty, now_us=NOW, settings=SETTINGS)
    quarters = [(table, 400, 62) for table in INSERTS if table != "fact_minute"]
    for table, kept_days, ahead_days in [("fact_minute", 8, 7), *quarters]:
        for days in range(-kept_days, ahead_days + 1):
            assert await accepts(empty, table, NOW + days * DAY), (table, days)
        assert not await accepts(empty, table, NOW - (kept_days + 32) * DAY)


async def test_a_database_that_was_migrated_takes_todays_events(connection: asyncpg.Connection) -> None:
    now_us = to_us(datetime.now(UTC))
    for table in INSERTS:
        assert await accepts(connection, table, now_us)
        assert await accepts(connection, table, now_us - 7 * DAY)


async def test_making_partitions_again_makes_nothing(empty: asyncpg.Connection) -> None:
    made = await ensure_partitions(empty, now_us=NOW, settings=SETTINGS)
    assert "fact_minute_p20310315" in made
    assert "fact_quarter_p20310301" in made
    assert "probe_quarter_p20300201" in made
    assert len(made) == 16 + (len(INSERTS) - 1) * 16
    assert await ensure_partitions(empty, now_us=NOW, settings=SETTINGS) == []


async def test_a_day_later_only_the_next_day_is_made(empty: asyncpg.Connection) -> None:
    await ensure_partitions(empty, now_us=NOW, settings=SETTINGS)
    assert await ensure_partitions(empty, now_us=NOW + DAY, settings=SETTINGS) == ["fact_minute_p20310323"]


async def test_processes_that_start_at_once_make_them_once(empty: asyncpg.Connection, database_url: str) -> None:
    connections = [await asyncpg.connect(database_url) for _ in range(4)]
    made = await asyncio.gather(*(ensure_partitions(c, now_us=NOW, settings=SETTINGS) for c in connections))
    assert sorted(len(names) for names in made) == [0, 0, 0, 16 * len(INSERTS)]
    for connection in connections:
        await connection.close()


async def test_making_partitions_waits_for_no_reader_or_writer(empty: asyncpg.Connection, database_url: str) -> None:
    await ensure_partitions(empty, now_us=NOW, settings=SETTINGS)
    other = await asyncpg.connect(database_url)
    async with other.transaction(), asyncio.timeout(60):
        await other.execute(INSERTS["fact_minute"], to_datetime(NOW))
        assert await ensure_partitions(empty, now_us=NOW + DAY, settings=SETTINGS) != []
    await other.close()


async def test_what_is_out_of_the_kept_span_is_dropped_whole(empty: asyncpg.Connection) -> None:
    await ensure_partitions(empty, now_us=NOW, settings=SETTINGS)
    await empty.execute(INSERTS["fact_minute"], to_datetime(NOW - 8 * DAY))
    await empty.execute(INSERTS["fact_minute"], to_datetime(NOW))
    assert await drop_expired(empty, now_us=NOW + 23 * HOUR, settings=SETTINGS) == ["fact_minute_p20310307"]
    assert await empty.fetchval("select count(*) from fact_minute") == 1
    assert await drop_expired(empty, now_us=NOW + 23 * HOUR, settings=SETTINGS) == []


async def test_nothing_that_is_kept_is_ever_dropped(empty: asyncpg.Connection) -> None:
    await ensure_partitions(empty, now_us=NOW, settings=SETTINGS)
    assert await drop_expired(empty, now_us=NOW, settings=SETTINGS) == []
    for days in range(1, 70):
        now_us = NOW + days * DAY
        await ensure_partitions(empty, now_us=now_us, settings=SETTINGS)
        await drop_expired(empty, now_us=now_us, settings=SETTINGS)
        kept = await kept_from(empty)
        assert now_us - 9 * DAY < kept.minute_from_us <= now_us - 8 * DAY
        assert now_us - 432 * DAY < kept.quarter_from_us <= now_us - 400 * DAY


async def test_minutes_are_kept_as_long_as_events_may_be_late_and_a_day(empty: asyncpg.Connection) -> None:
    late = Settings(minute_retention_days=8, max_lateness_days=30)
    await ensure_partitions(empty, now_us=NOW, settings=late)
    assert await accepts(empty, "fact_minute", NOW - 31 * DAY)


async def test_a_bucket_that_is_kept_has_a_place_and_an_older_one_has_none(empty: asyncpg.Connection) -> None:
    await ensure_partitions(empty, now_us=NOW, settings=SETTINGS)
    kept = await kept_from(empty)
    assert to_datetime(kept.minute_from_us) == datetime(2031, 3, 7, tzinfo=UTC)
    assert to_datetime(kept.quarter_from_us) == datetime(2030, 2, 1, tzinfo=UTC)
    for table, least in (("fact_minute", kept.minute_from_us), ("fact_quarter", kept.quarter_from_us)):
        assert await accepts(empty, table, least)
        assert not await accepts(empty, table, least - 1)


async def test_after_a_long_standstill_no_fact_falls_into_the_gap(empty: asyncpg.Connection) -> None:
    await ensure_partitions(empty, now_us=NOW, settings=SETTINGS)
    later_us = NOW + 100 * DAY
    await ensure_partitions(empty, now_us=later_us, settings=SETTINGS)
    least = (await kept_from(empty)).minute_from_us
    assert to_datetime(least).date() == to_datetime(later_us - 8 * DAY).date()
    for days in range(16):
        assert await accepts(empty, "fact_minute", least + days * DAY)
    assert "fact_minute_p20310315" in await drop_expired(empty, now_us=later_us, settings=SETTINGS)


async def test_days_begin_at_midnight_utc_whatever_the_session_thinks(empty: asyncpg.Connection) -> None:
    await empty.execute("set timezone = 'Asia/Kathmandu'")
    await ensure_partitions(empty, now_us=NOW, settings=SETTINGS)
    midnight = datetime(2031, 3, 15, tzinfo=UTC)
    for instant, name in ((midnight, "p20310315"), (midnight - timedelta(microseconds=1), "p20310314")):
        await empty.execute(INSERTS["fact_minute"], instant)
        found = await empty.fetchval("select tableoid::regclass::text from fact_minute where bucket = $1", instant)
        assert found == f"fact_minute_{name}"


async def test_a_reader_that_does_not_let_go_only_puts_the_drop_off(
    empty: asyncpg.Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ensure_partitions(empty, now_us=NOW, settings=SETTINGS)
    reader = await asyncpg.connect(database_url)
    async with reader.transaction():
        await reader.fetch("select count(*) from fact_minute")
        with monkeypatch.context() as impatient:
            impatient.setattr("service.store.partitions.LOCK_TIMEOUT_S", 0.1)
            with pytest.raises(StoreUnavailable, match="lock timeout"):
                await drop_expired(empty, now_us=NOW + DAY, settings=SETTINGS)
    assert await drop_expired(empty, now_us=NOW + DAY, settings=SETTINGS) == ["fact_minute_p20310307"]
    await reader.close()


async def test_without_partitions_the_way_out_is_named(empty: asyncpg.Connection) -> None:
    with pytest.raises(StoreUnavailable, match="fact_minute has no partitions: make them with `tidegauge migrate`"):
        await kept_from(empty)
