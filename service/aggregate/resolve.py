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
from service.aggregate.grouping import codes, equal_rows, grouped_rows, some_rows, without_codes
from service.aggregate.places import NO_DAY, UNKNOWN, Ints, Places
from service.store.engine import Connection
from service.store.names import Series, series_ids
from service.store.ordinals import Seats, Users, seat_ordinals, user_ordinals
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
    """What a batch's deltas name, each key once, and for each row of the deltas the place of its key."""

    series: pl.DataFrame
    """SERIES_KEY."""
    of_fact: Ints
    users: pl.DataFrame
    """USER_KEY and `day`, the first of activity that counts; null for those who were not active."""
    user_of_activity: Ints
    seats: pl.DataFrame
    """SEAT_KEY and `day`."""
    user_of_seat: Ints
    seat_of_activity: Ints
    """-1 where the activity names no account."""
    features: pl.DataFrame
    """tenant, feature."""
    feature_of_activity: Ints
    milestones: pl.DataFrame
    """tenant, milestone."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Ids for the keys of a batch's deltas, and the numbers that stand for them in its rows."""

    users: pl.DataFrame
    """USER_KEY, `day`, ordinal, and first_day as it was known (null: not)."""
    seats: pl.DataFrame
    """SEAT_KEY, `day`, number (the user's ordinal), ordinal, first_day."""
    series_of_fact: Ints
    """The id of each fact's series."""
    feature_of_activity: Ints
    """The id of each activity's feature."""
    user_of_activity: Ints
    """Places in `users`."""
    seat_of_activity: Ints
    """Places in `seats`, or -1."""
    features: pl.DataFrame
    """tenant, feature → id."""
    milestones: pl.DataFrame = field(default_factory=_no_milestones)
    """tenant, milestone → id."""


def wanted(deltas: Deltas) -> Wanted:
    """List what has to be resolved; pure, for a thread."""
    activity, facts = deltas.activity, deltas.facts
    # A first day is one of activity that counts.
    days = activity.select(day=pl.when("counts").then("day").cast(pl.Int64).fill_null(NO_DAY))["day"].to_numpy()
    series, of_fact = grouped_rows(facts.select(SERIES_KEY))
    users, of_user = grouped_rows(_with_codes(activity, USER_KEY))
    features, of_feature = grouped_rows(_with_codes(activity, ["tenant", "feature"]))
    seated = np.flatnonzero((activity["account"] != "").to_numpy())
    in_account = some_rows(_with_codes(activity, SEAT_KEY), seated)
    first_seats, of_seat = equal_rows(in_account)
    seat_of_activity = np.full(len(activity), -1, dtype=np.int64)
    seat_of_activity[seated] = of_seat
    users = users.with_columns(_first_days(of_user, days, len(users)))
    if len(deltas.users):
        others = deltas.users.join(users, on=USER_KEY, how="anti").unique()
        users = pl.concat([users, others.with_columns(day=pl.lit(None, pl.Int32))])
    seats = some_rows(without_codes(in_account), first_seats).with_columns(_first_days(of_seat, days[seated], len(first_seats)))
    user_of_seat = of_user[seated[first_seats]]
    if len(deltas.reached):
        # Whoever reached something in an account has a seat there, though nothing was used.
        told = deltas.reached.filter(pl.col("account") != "").select(SEAT_KEY).unique().join(seats, on=SEAT_KEY, how="anti")
        placed = told.join(users.select(USER_KEY).with_row_index("place"), on=USER_KEY)
        seats = pl.concat([seats, placed.select(*SEAT_KEY, pl.lit(None, pl.Int32).alias("day"))])
        user_of_seat = np.concatenate([user_of_seat, placed["place"].to_numpy().astype(np.int64)])
    return Wanted(
        series=series,
        of_fact=of_fact,
        users=users,
        user_of_activity=of_user,
        seats=seats,
        user_of_seat=user_of_seat,
        seat_of_activity=seat_of_activity,
        features=features,
        feature_of_activity=of_feature,
        milestones=deltas.reached.select("tenant", "milestone").filter(pl.col("milestone") != STATUS).unique(),
    )


def _with_codes(activity: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    return activity.select(*names, *codes(activity, *names))


def _first_days(of_row: Ints, days: Ints, keys: int) -> pl.Series:
    """The earliest day of each key, null for NO_DAY."""
    first = np.full(keys, NO_DAY, dtype=np.int64)
    np.minimum.at(first, of_row, days)
    return pl.Series("day", first).set(pl.Series(first == NO_DAY), None).cast(pl.Int32)


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
        seated = keys.seats.with_columns(users["ordinal"].gather(keys.user_of_seat).alias("number"))
        seats = await self._find(self._seats, seated.select(SEAT_PLACE), self._ask_seats)
        named = list(keys.features.iter_rows())
        ids = await self.admission.feature_ids(named)
        features = np.array([ids[feature] for feature in named], dtype=np.int64)
        reached = await self.admission.milestone_ids(list(keys.milestones.iter_rows()))
        return Resolved(
            users=users,
            seats=_placed(seated, *seats),
            series_of_fact=series[keys.of_fact],
            feature_of_activity=features[keys.feature_of_activity],
            user_of_activity=keys.user_of_activity,
            seat_of_activity=keys.seat_of_activity,
            features=keys.features.with_columns(pl.Series("id", features)),
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
        return _numbered([found[one] for one in series])

    async def _ask_users(self, connection: Connection, keys: pl.DataFrame) -> tuple[Ints, Ints]:
        return _numbered(await user_ordinals(connection, Users(*(column.to_list() for column in keys))))

    async def _ask_seats(self, connection: Connection, keys: pl.DataFrame) -> tuple[Ints, Ints]:
        return _numbered(await seat_ordinals(connection, Seats(*(column.to_list() for column in keys))))


def _numbered(found: list[int]) -> tuple[Ints, Ints]:
    """Numbers, and no first day: Postgres may know one, in its bits, but that one is told again changes nothing."""
    return np.array(found, dtype=np.int64), np.full(len(found), NO_DAY, dtype=np.int64)


def _placed(keys: pl.DataFrame, ordinals: Ints, days: Ints) -> pl.DataFrame:
    first_day = pl.when(pl.col("known_day") != NO_DAY).then("known_day").cast(pl.Int32).alias("first_day")
    placed = keys.with_columns(pl.Series("ordinal", ordinals, dtype=pl.Int32), pl.Series("known_day", days))
    return placed.with_columns(first_day).drop("known_day")


def _ints(column: pl.Series) -> Ints:
    return column.to_numpy().astype(np.int64)
