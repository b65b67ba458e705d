"""From natural keys to ids: series, users, seats and features get theirs before the flush."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import starmap
from typing import TypeAlias

import asyncpg
import numpy as np
import polars as pl

from service.aggregate.admission import Admission
from service.aggregate.deltas import Deltas
from service.aggregate.places import NO_DAY, UNKNOWN, Ints, Places
from service.store.engine import Connection
from service.store.names import Series, series_ids
from service.store.ordinals import Places as Placed
from service.store.ordinals import Seats, Users, seat_places, user_places
from service.store.reached import STATUS

KNOWN_SERIES = 200_000
KNOWN_USERS = 500_000
KNOWN_SEATS = 500_000

SERIES_KEY = ["tenant", "kind", "account", "dims"]
USER_KEY = ["tenant", "user"]
SEAT_KEY = ["tenant", "account", "user"]
SEAT_PLACE = ["tenant", "account", "number"]

Ask: TypeAlias = Callable[[Connection, pl.DataFrame], Awaitable[tuple[Ints, Ints]]]
"""Asks Postgres for keys: their numbers and first days (NO_DAY: none), in their order."""


def _no_milestones() -> pl.DataFrame:
    return pl.DataFrame(schema={"tenant": pl.Int32, "milestone": pl.String, "id": pl.Int64})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a batch's deltas name, each key once."""

    series: pl.DataFrame
    """SERIES_KEY."""
    users: pl.DataFrame
    """USER_KEY and `day`, the first of activity that counts; null for those who were not active."""
    seats: pl.DataFrame
    """SEAT_KEY and `day`."""
    features: pl.DataFrame
    """tenant, feature."""
    milestones: pl.DataFrame
    """tenant, milestone."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Ids for the keys of a batch's deltas, as frames to join with."""

    series: pl.DataFrame
    """SERIES_KEY → series."""
    users: pl.DataFrame
    """USER_KEY → ordinal, first_day as it was known (null: not), and the batch's `day`."""
    seats: pl.DataFrame
    """SEAT_KEY → number (the user's ordinal), ordinal, first_day, day."""
    features: pl.DataFrame
    """tenant, feature → id."""
    milestones: pl.DataFrame = field(default_factory=_no_milestones)
    """tenant, milestone → id."""


def wanted(deltas: Deltas) -> Wanted:
    """List what has to be resolved; pure, for a thread."""
    # A first day is one of activity that counts.
    activity = deltas.activity.with_columns(day=pl.when("counts").then("day"))
    seen = activity.select(*USER_KEY, "day")
    if len(deltas.users):
        seen = pl.concat([seen, deltas.users.with_columns(day=pl.lit(None, pl.Int32))])
    seated = activity.filter(pl.col("account") != "").select(*SEAT_KEY, "day")
    if len(deltas.reached):
        # Whoever reached something in an account has a seat there, though nothing was used.
        told = deltas.reached.filter(pl.col("account") != "").select(*SEAT_KEY, pl.lit(None, pl.Int32).alias("day"))
        seated = pl.concat([seated, told])
    return Wanted(
        series=deltas.facts.select(SERIES_KEY).unique(),
        users=seen.group_by(USER_KEY).agg(pl.col("day").min()),
        seats=seated.group_by(SEAT_KEY).agg(pl.col("day").min()),
        features=activity.select("tenant", "feature").unique(),
        milestones=deltas.reached.select("tenant", "milestone").filter(pl.col("milestone") != STATUS).unique(),
    )


def earlier(places: pl.DataFrame) -> pl.DataFrame:
    """Keep the users or seats whose first day is not known, or later than what was seen now."""
    return places.filter(pl.col("day").is_not_null() & (pl.col("first_day").is_null() | (pl.col("day") < pl.col("first_day"))))


@dataclass(slots=True)
class Resolver:
    """Asks Postgres for the ids that it does not know, each kind in a short transaction of its own."""

    pool: asyncpg.Pool
    admission: Admission
    _series: Places = field(default_factory=lambda: Places(KNOWN_SERIES))
    _users: Places = field(default_factory=lambda: Places(KNOWN_USERS))
    _seats: Places = field(default_factory=lambda: Places(KNOWN_SEATS))

    async def resolve(self, deltas: Deltas) -> Resolved:
        """Find or give ids for everything that the deltas name."""
        keys = await asyncio.to_thread(wanted, deltas)
        series, _ = await self._find(self._series, keys.series, self._ask_series)
        users = _placed(keys.users, *await self._find(self._users, keys.users.select(USER_KEY), self._ask_users))
        seated = keys.seats.join(users.select(*USER_KEY, number="ordinal"), on=USER_KEY)
        seats = await self._find(self._seats, seated.select(SEAT_PLACE), self._ask_seats)
        ids = await self.admission.feature_ids(list(keys.features.iter_rows()))
        reached = await self.admission.milestone_ids(list(keys.milestones.iter_rows()))
        return Resolved(
            series=keys.series.with_columns(pl.Series("series", series)),
            users=users,
            seats=_placed(seated, *seats),
            features=keys.features.with_columns(
                pl.Series("id", [ids[feature] for feature in keys.features.iter_rows()], dtype=pl.Int64)
            ),
            milestones=keys.milestones.with_columns(
                pl.Series("id", [reached[milestone] for milestone in keys.milestones.iter_rows()], dtype=pl.Int64)
            ),
        )

    def learn(self, resolved: Resolved) -> None:
        """Remember first days that have been committed."""
        users, seats = earlier(resolved.users), earlier(resolved.seats)
        self._users.learn(users.select(USER_KEY), _ints(users["ordinal"]), _ints(users["day"]))
        self._seats.learn(seats.select(SEAT_PLACE), _ints(seats["ordinal"]), _ints(seats["day"]))

    async def _find(self, known: Places, keys: pl.DataFrame, ask: Ask) -> tuple[Ints, Ints]:
        """Give the keys' numbers and first days, in their order."""
        numbers, days = known.find(keys)
        missing = np.flatnonzero(numbers == UNKNOWN)
        if missing.size:
            new = keys[missing]
            async with self.pool.acquire() as connection:
                numbers[missing], days[missing] = await ask(connection, new)
            known.learn(new, numbers[missing], days[missing])
        return numbers, days

    async def _ask_series(self, connection: Connection, keys: pl.DataFrame) -> tuple[Ints, Ints]:
        series = list(starmap(Series, keys.iter_rows()))
        found = await series_ids(connection, series)
        return np.array([found[one] for one in series], dtype=np.int64), np.full(len(series), NO_DAY, dtype=np.int64)

    async def _ask_users(self, connection: Connection, keys: pl.DataFrame) -> tuple[Ints, Ints]:
        return _numbered(await user_places(connection, Users(*(column.to_list() for column in keys))))

    async def _ask_seats(self, connection: Connection, keys: pl.DataFrame) -> tuple[Ints, Ints]:
        return _numbered(await seat_places(connection, Seats(*(column.to_list() for column in keys))))


def _numbered(found: Placed) -> tuple[Ints, Ints]:
    days = pl.Series(found.first_days, dtype=pl.Int64).fill_null(NO_DAY)
    return np.array(found.ordinals, dtype=np.int64), days.to_numpy()


def _placed(keys: pl.DataFrame, ordinals: Ints, days: Ints) -> pl.DataFrame:
    first_day = pl.when(pl.col("known_day") != NO_DAY).then("known_day").cast(pl.Int32).alias("first_day")
    placed = keys.with_columns(pl.Series("ordinal", ordinals, dtype=pl.Int32), pl.Series("known_day", days))
    return placed.with_columns(first_day).drop("known_day")


def _ints(column: pl.Series) -> Ints:
    return column.to_numpy().astype(np.int64)
