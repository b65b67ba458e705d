"""From natural keys to ids: series, users, seats and features get theirs before the flush."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import asyncpg
import polars as pl

from service.aggregate.admission import Admission
from service.aggregate.cache import Known
from service.aggregate.deltas import Deltas
from service.store.names import Series, series_ids
from service.store.ordinals import Place, Seat, User, seat_places, user_places

K = TypeVar("K")

KNOWN_SERIES = 200_000
KNOWN_USERS = 500_000
KNOWN_SEATS = 500_000

SERIES_KEY = ["tenant", "kind", "account", "dims"]


@dataclass(frozen=True, slots=True)
class Resolved:
    """Ids for the keys of a batch's deltas, as frames to join with."""

    series: pl.DataFrame
    """tenant, kind, account, dims → series."""
    users: pl.DataFrame
    """tenant, user → ordinal."""
    seats: pl.DataFrame
    """tenant, account, user → ordinal."""
    features: pl.DataFrame
    """tenant, feature → id."""
    first_users: dict[User, Place]
    """Users whose first day is earlier than what is known of them."""
    first_seats: dict[Seat, Place]


@dataclass(slots=True)
class Resolver:
    """Asks Postgres for the ids that it does not know, each kind in a short transaction of its own."""

    pool: asyncpg.Pool
    admission: Admission
    _series: Known[Series, int] = field(default_factory=lambda: Known(KNOWN_SERIES))
    _users: Known[User, Place] = field(default_factory=lambda: Known(KNOWN_USERS))
    _seats: Known[Seat, Place] = field(default_factory=lambda: Known(KNOWN_SEATS))

    async def resolve(self, deltas: Deltas) -> Resolved:
        """Find or give ids for everything that the deltas name."""
        activity = deltas.activity
        series = await self._series_of(deltas.facts)
        users = await self._users_of(pl.concat([deltas.users, activity.select("tenant", "user")]).unique())
        seats = await self._seats_of(activity.filter(pl.col("account") != ""), users)
        features = activity.filter(pl.col("feature") != "").select("tenant", "feature").unique()
        ids = await self.admission.feature_ids(list(features.iter_rows()))
        first = activity.filter(pl.col("feature") == "")
        return Resolved(
            series=series,
            users=_frame(
                ((*user, place.ordinal) for user, place in users.items()), tenant=pl.Int32, user=pl.String, ordinal=pl.Int32
            ),
            seats=_frame(
                ((seat.tenant, seat.account, user, place.ordinal) for (seat, user), place in seats.items()),
                tenant=pl.Int32,
                account=pl.String,
                user=pl.String,
                ordinal=pl.Int32,
            ),
            features=_frame(((*feature, key) for feature, key in ids.items()), tenant=pl.Int32, feature=pl.String, id=pl.Int64),
            first_users=_earlier(_first_days(first, "user"), {user: (user, place) for user, place in users.items()}),
            first_seats=_earlier(
                _first_days(first.filter(pl.col("account") != ""), "account", "user"),
                {(seat.tenant, seat.account, user): (seat, place) for (seat, user), place in seats.items()},
            ),
        )

    def learn(self, resolved: Resolved) -> None:
        """Remember first days that have been committed."""
        self._users.learn(resolved.first_users)
        self._seats.learn(resolved.first_seats)

    async def _series_of(self, facts: pl.DataFrame) -> pl.DataFrame:
        keys = [Series(*row) for row in facts.select(SERIES_KEY).unique().iter_rows()]
        known, unknown = self._series.split(keys)
        if unknown:
            async with self.pool.acquire() as connection:
                found = await series_ids(connection, unknown)
            self._series.learn(found)
            known |= found
        rows = ((*key, number) for key, number in known.items())
        return _frame(rows, tenant=pl.Int32, kind=pl.String, account=pl.String, dims=pl.String, series=pl.Int64)

    async def _users_of(self, names: pl.DataFrame) -> dict[User, Place]:
        known, unknown = self._users.split(User(*row) for row in names.iter_rows())
        if unknown:
            async with self.pool.acquire() as connection:
                found = await user_places(connection, unknown)
            self._users.learn(found)
            known |= found
        return known

    async def _seats_of(self, activity: pl.DataFrame, users: Mapping[User, Place]) -> dict[tuple[Seat, str], Place]:
        taken = activity.select("tenant", "account", "user").unique().iter_rows()
        names = {Seat(tenant, account, users[User(tenant, user)].ordinal): user for tenant, account, user in taken}
        known, unknown = self._seats.split(names)
        if unknown:
            async with self.pool.acquire() as connection:
                found = await seat_places(connection, unknown)
            self._seats.learn(found)
            known |= found
        return {(seat, names[seat]): place for seat, place in known.items()}


def _first_days(activity: pl.DataFrame, *who: str) -> dict[tuple[int | str, ...], int]:
    days = activity.group_by("tenant", *who).agg(pl.col("day").min())
    return {row[:-1]: row[-1] for row in days.iter_rows()}


def _earlier(
    days: Mapping[tuple[int | str, ...], int], places: Mapping[tuple[int | str, ...], tuple[K, Place]]
) -> dict[K, Place]:
    """Those whose first day is not known, or later than what was seen now."""
    earlier: dict[K, Place] = {}
    for key, day in days.items():
        who, place = places[key]
        if place.first_day is None or day < place.first_day:
            earlier[who] = Place(place.ordinal, day)
    return earlier


def _frame(rows: Iterable[tuple[object, ...]], **schema: type[pl.DataType]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=schema, orient="row")
