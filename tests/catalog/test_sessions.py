"""Open sessions are those that a look at every single minute finds; their lengths are facts like others."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import asyncpg
import pytest

from service.aggregate.folds.sessions import session_rows
from service.catalog import Catalog, Question, Window, declared_of, resolve_window, run
from service.clock import DAY, HOUR, MINUTE, SECOND, to_datetime, to_us
from service.domain.config import TenantConfig
from service.domain.families.rows import UsageRow
from service.store.engine import Connection
from tests.catalog.rollups import Observation, make_partitions, make_tenant, store
from tests.catalog.told import describe
from tests.folds.building import TENANT, fold, row

NOW = to_us(datetime(2025, 11, 19, 13, 20, 31, tzinfo=UTC))
QUESTIONS: list[tuple[tuple[str, ...], dict[str, tuple[str, ...]]]] = [
    ((), {}),
    (("account",), {}),
    ((), {"account": ("acme", "beta")}),
    (("account.region",), {}),
    ((), {"account.region": ("eu",)}),
]
REGIONS = {"acme": "eu", "beta": "us"}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


@dataclass(frozen=True, slots=True)
class Session:
    """A session as its events tell it."""

    began_us: int
    length_us: int | None
    """None: its end was never told."""
    account: str = ""
    whole: bool = True

    def events(self) -> list[UsageRow]:
        began = to_datetime(self.began_us).isoformat()
        about = {"user": "u", "feature": "session", "account": self.account}
        if self.length_us is None:
            return [row(UsageRow, began, phase="start", **about)]
        if self.whole:
            return [row(UsageRow, began, duration_ns=self.length_us * 1_000, **about)]
        ended = to_datetime(self.began_us + self.length_us).isoformat()
        ends = row(UsageRow, ended, phase="end", duration_ns=self.length_us * 1_000, **about)
        return [row(UsageRow, began, phase="start", **about), ends]

    def is_open(self, minute_us: int) -> bool:
        """Whether it is at the end of a minute: told by its two ends, it counts for a day as if it had not ended yet."""
        length = DAY if self.length_us is None else min(self.length_us, DAY)
        return self.began_us // MINUTE <= minute_us // MINUTE < (self.began_us + length) // MINUTE


def random_sessions(seed: int, how_many: int = 400) -> list[Session]:
    dice = random.Random(seed)
    made = []
    for _ in range(how_many):
        began = NOW - dice.choice((dice.randrange(DAY), dice.randrange(3 * DAY), dice.randrange(9 * DAY))) // SECOND * SECOND
        length = dice.choice((None, 0, 59 * SECOND, dice.randrange(HOUR), dice.randrange(30 * HOUR)))
        if length is not None and began + length > NOW:
            length = None
        made.append(Session(began, length, dice.choice(("", "acme", "beta", "core")), dice.random() < 0.5))
    return made


async def store_sessions(connection: asyncpg.Connection, tenant: int, sessions: Sequence[Session]) -> None:
    """Write what the fold makes of their events."""
    await connection.execute("create table if not exists session_quarter_p2_rest partition of session_quarter default")
    rows = session_rows(fold("usage", *(event for session in sessions for event in session.events())).sessions)
    assert set(rows["tenant"]) == {TENANT}
    await connection.executemany(
        "insert into session_quarter values ($1, $2, $3, to_timestamp($4::bigint / 1000000), $5::text::int[], $6::text::int[])",
        [(tenant, *rest) for _, *rest in rows.select("tenant", "scope", "account", "bucket", "unended", "opened").iter_rows()],
    )


def groups(
    sessions: Sequence[Session], by: Sequence[str], filters: Mapping[str, Sequence[str]]
) -> dict[tuple[str, ...], list[Session]]:
    found: dict[tuple[str, ...], list[Session]] = {} if by else {(): []}
    for session in sessions:
        values = {"account": session.account, "account.region": REGIONS.get(session.account, "")}
        if all(values[name] in allowed for name, allowed in filters.items()) and (session.account or not by):
            found.setdefault(tuple(values[name] for name in by), []).append(session)
    return found


def wanted(sessions: Sequence[Session], window: Window) -> dict[str, Any]:
    minutes = range(window.start_us, window.until_us, MINUTE)
    open_ones = [sum(session.is_open(minute) for session in sessions) for minute in minutes]
    return {"": open_ones[-1], "peak": max(open_ones), "mean": float(Fraction(sum(open_ones), len(open_ones)))}


@pytest.mark.parametrize(
    ("name", "end_us"), [("1h", NOW), ("24h", NOW), ("7d", NOW), ("day", NOW - DAY), ("week", NOW - 2 * DAY)]
)
async def test_open_sessions_are_those_of_every_minute(
    catalog: Catalog, connection: asyncpg.Connection, name: str, end_us: int
) -> None:
    tenant, other = await make_tenant(connection, "pilot"), await make_tenant(connection, "other")
    sessions = random_sessions(7)
    await store_sessions(connection, tenant, sessions)
    await store_sessions(connection, other, random_sessions(8, 50))
    for account, region in REGIONS.items():
        await describe(connection, tenant, account, region=region)
    window = resolve_window(tenant, "UTC", now_us=NOW, name=name, end_us=end_us)
    for by, filters in QUESTIONS:
        found = await figures(catalog, connection, window, Question(by=by, filters=filters))
        known = {
            (dims, statistic): value
            for dims, ours in groups(sessions, by, filters).items()
            for statistic, value in wanted(ours, window).items()
        }
        assert {key: value for key, value in found.items() if value} == {key: value for key, value in known.items() if value}, by


async def figures(
    catalog: Catalog, connection: Connection, window: Window, question: Question
) -> dict[tuple[tuple[str, ...], str], float | None]:
    known = {window.tenant: declared_of(TenantConfig())}
    found = await run(connection, catalog.kpis["concurrent_users"], [window], question, declared=known)
    return {(tuple(value.dims[name] for name in question.by), value.statistic): value.value for value in found}


async def test_a_session_that_does_not_end_is_closed_after_a_day(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    await store_sessions(connection, tenant, [Session(NOW - DAY + 5 * MINUTE, None), Session(NOW - DAY - 5 * MINUTE, None)])
    window = resolve_window(tenant, "UTC", now_us=NOW, name="1h")
    assert (await figures(catalog, connection, window, Question()))[(), ""] == 1
    assert (await figures(catalog, connection, window, Question()))[(), "peak"] == 2


async def test_no_session_is_none_open_and_no_mean(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    window = resolve_window(tenant, "UTC", now_us=NOW, name="1h")
    assert await figures(catalog, connection, window, Question()) == {((), ""): 0, ((), "peak"): 0, ((), "mean"): None}


async def test_lengths_are_of_sessions_that_began_in_the_window(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    await make_partitions(connection)
    lengths = [Observation(NOW - 2 * HOUR, {}, "acme", 60 * 10**9), Observation(NOW - HOUR, {}, "", 180 * 10**9)]
    await store(connection, tenant, "session", "UTC", [*lengths, Observation(NOW - 50 * DAY, {}, "", 10**12)])
    window = resolve_window(tenant, "UTC", now_us=NOW, name="7d")
    question = Question(statistics=("mean", "max", "count"))
    found = await run(connection, catalog.kpis["session_duration"], [window], question)
    assert {value.statistic: value.value for value in found} == {"mean": 120.0, "max": 180.0, "count": 2}
