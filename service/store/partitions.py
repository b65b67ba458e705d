"""Partitions of time: made for the whole kept span and ahead, dropped whole when they are out of it.

`fact_minute` has one a day. `fact_quarter` and the other tables of quarters have one a calendar month (UTC): 400 days
are then 15 of them, which planning and locking do not feel (weeks were 60), for at most a month that is
kept longer than it must be. Names end in the first day, as in `fact_minute_p20261122`.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from service.clock import to_datetime, to_us
from service.errors import StoreUnavailable
from service.settings import Settings
from service.store.engine import FAILURES, Connection

LOCK_TIMEOUT_S = 5
PARTITION_LOCK = 7_419_002
DAYS_AHEAD = 7
MONTHS_AHEAD_DAYS = 62
FILLFACTOR = 45
"""Percent of a page that new rows fill: a flush writes most rows of it anew, and finds room for them beside the old ones
(measured: docs/adr/0012)."""

# Partitions come and go one process at a time: those that start together make them once.
TAKE_TURN = "select pg_advisory_xact_lock($1)"

# The partitions that a table has, by name.
LIST_PARTITIONS = """
select c.relname
from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = to_regclass($1)
order by c.relname
"""

# Columns whose words no estimate may tell of: `like` copies everything of them but that.
LIST_QUIET = """
select quote_ident(attname) as name from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and attstattarget = 0
"""


def _next_day(day: date) -> date:
    return day + timedelta(days=1)


def _first_of_month(day: date) -> date:
    return day.replace(day=1)


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _same_day(day: date) -> date:
    return day


@dataclass(frozen=True, slots=True)
class Ranges:
    """How a table is cut: which range a day lies in, and where the next one begins."""

    table: str
    first_day: Callable[[date], date]
    following: Callable[[date], date]
    ahead: timedelta

    def name(self, first: date) -> str:
        """The partition that begins with this day."""
        return f"{self.table}_p{first:%Y%m%d}"

    def wanted(self, now_us: int, kept_days: int) -> Iterator[date]:
        """First days of all partitions from the oldest kept instant to `ahead` of now."""
        now = to_datetime(now_us)
        first, last = self.first_day(_oldest_kept(now_us, kept_days)), (now + self.ahead).date()
        while first <= last:
            yield first
            first = self.following(first)


MINUTES = Ranges("fact_minute", _same_day, _next_day, timedelta(days=DAYS_AHEAD))
QUARTERS = tuple(
    Ranges(table, _first_of_month, _next_month, timedelta(days=MONTHS_AHEAD_DAYS))
    for table in ("fact_quarter", "probe_quarter", "session_quarter", "source_quarter")
)
_FIRST_DAY = re.compile(r"_p(\d{8})$")


@dataclass(frozen=True, slots=True)
class KeptFrom:
    """The buckets that there are partitions for, in microseconds; a fold skips others in that grain."""

    minute_from_us: int
    quarter_from_us: int
    minute_until_us: int
    quarter_until_us: int


async def ensure_partitions(connection: Connection, *, now_us: int, settings: Settings) -> list[str]:
    """Make the partitions that are missing, from the oldest kept instant to well ahead; returns their names.

    Reads and flushes go on meanwhile: a new table is attached, which blocks neither. May be called any
    number of times, by several processes. Raises StoreUnavailable; then nothing was made.
    """
    made: list[str] = []
    async with _turn(connection):
        for ranges, kept_days in _retention(settings):
            present = set(await _present(connection, ranges.table))
            for first in ranges.wanted(now_us, kept_days):
                if first not in present:
                    await _attach(connection, ranges, first)
                    made.append(ranges.name(first))
    return made


async def drop_expired(connection: Connection, *, now_us: int, settings: Settings) -> list[str]:
    """Drop the partitions that lie wholly before what is kept; returns their names.

    Waits for readers no longer than LOCK_TIMEOUT_S, for others queue behind it meanwhile.
    Raises StoreUnavailable; then nothing was dropped and the next round tries again.
    """
    dropped: list[str] = []
    async with _turn(connection):
        for ranges, kept_days in _retention(settings):
            oldest = _oldest_kept(now_us, kept_days)
            for first in await _present(connection, ranges.table):
                if ranges.following(first) <= oldest:
                    await connection.execute(f'drop table "{ranges.name(first)}"')
                    dropped.append(ranges.name(first))
    return dropped


async def clock_us(connection: Connection) -> int:
    """What time it is for Postgres, in microseconds since 1970."""
    now: datetime = await connection.fetchval("select clock_timestamp()")
    return to_us(now)


async def kept_from(connection: Connection) -> KeptFrom:
    """What the tables by the minute and by the quarter reach back to without a gap.

    After a long standstill there may be older partitions beyond a gap: they are read until they expire, and
    take nothing more. Raises StoreUnavailable.
    """
    try:
        from_us, until_us = _reach(MINUTES, await _present(connection, MINUTES.table))
        quarters = [_reach(ranges, await _present(connection, ranges.table)) for ranges in QUARTERS]
    except FAILURES as error:
        raise StoreUnavailable(f"partitions cannot be listed: {str(error) or type(error).__name__}") from error
    return KeptFrom(from_us, max(first for first, _ in quarters), until_us, min(until for _, until in quarters))


def _reach(ranges: Ranges, present: list[date]) -> tuple[int, int]:
    """The run of partitions that the newest one ends: its beginning and its end."""
    if not present:
        raise StoreUnavailable(f"{ranges.table} has no partitions: make them with `tidegauge migrate`")
    first = present[-1]
    for earlier in reversed(present[:-1]):
        if ranges.following(earlier) != first:
            break
        first = earlier
    return to_us(_midnight(first)), to_us(_midnight(ranges.following(present[-1])))


def _retention(settings: Settings) -> Iterator[tuple[Ranges, int]]:
    """How many days each table is kept: minutes for as long as events may be late, and a day."""
    yield MINUTES, max(settings.minute_retention_days, settings.max_lateness_days + 1)
    for ranges in QUARTERS:
        yield ranges, settings.quarter_retention_days


async def _present(connection: Connection, table: str) -> list[date]:
    rows = await connection.fetch(LIST_PARTITIONS, table)
    found = (_FIRST_DAY.search(row["relname"]) for row in rows)
    return sorted(datetime.strptime(match[1], "%Y%m%d").replace(tzinfo=UTC).date() for match in found if match)


async def _attach(connection: Connection, ranges: Ranges, first: date) -> None:
    name, low, high = ranges.name(first), _midnight(first), _midnight(ranges.following(first))
    await connection.execute(f'create table "{name}" (like {ranges.table} including all) with (fillfactor = {FILLFACTOR})')
    for column in await connection.fetch(LIST_QUIET, ranges.table):
        await connection.execute(f'alter table "{name}" alter column {column["name"]} set statistics 0')
    await connection.execute(
        f"alter table {ranges.table} attach partition \"{name}\" for values from ('{low.isoformat()}') to ('{high.isoformat()}')"
    )


@asynccontextmanager
async def _turn(connection: Connection) -> AsyncIterator[None]:
    """One transaction that has the turn over partitions, and waits for locks on tables only for a while."""
    try:
        async with connection.transaction():
            await connection.execute(f"set local lock_timeout = '{LOCK_TIMEOUT_S}s'")
            await connection.execute(TAKE_TURN, PARTITION_LOCK)
            yield
    except FAILURES as error:
        raise StoreUnavailable(f"partitions cannot be changed now: {str(error) or type(error).__name__}") from error


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _oldest_kept(now_us: int, kept_days: int) -> date:
    return (to_datetime(now_us) - timedelta(days=kept_days)).date()
