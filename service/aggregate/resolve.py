"""From natural keys to ids: series, users, seats and features get theirs before the flush."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import asyncpg
import polars as pl

from service.aggregate.admission import Admission
from service.aggregate.cache import Known
from service.aggregate.deltas import Deltas
from service.store.engine import Connection
from service.store.names import Series, series_ids
from service.store.ordinals import Place, Seat, User, seat_places, user_places

KNOWN_SERIES = 200_000
KNOWN_USERS = 500_000
KNOWN_SEATS = 500_000

SERIES_KEY = ["tenant", "kind", "account", "dims"]
USER_KEY = ["tenant", "user"]
SEAT_KEY = ["tenant", "account", "user"]

K = TypeVar("K", bound=tuple[object, ...])
V = TypeVar("V")


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


def wanted(deltas: Deltas) -> Wanted:
    """List what has to be resolved; pure, for a thread."""
    activity = deltas.activity
    # The feature "" stands for any that counts: a first day is one of those.
    day = pl.when(pl.col("feature") == "").then("day").min()
    seen = pl.concat([activity, deltas.users.select(USER_KEY)], how="diagonal")
    return Wanted(
        series=deltas.facts.select(SERIES_KEY).unique(),
        users=seen.group_by(USER_KEY).agg(day),
        seats=activity.filter(pl.col("account") != "").group_by(SEAT_KEY).agg(day),
        features=activity.filter(pl.col("feature") != "").select("tenant", "feature").unique(),
    )


def earlier(places: pl.DataFrame) -> pl.DataFrame:
    """Keep the users or seats whose first day is not known, or later than what was seen now."""
    return places.filter(pl.col("day").is_not_null() & (pl.col("first_day").is_null() | (pl.col("day") < pl.col("first_day"))))


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
        keys = await asyncio.to_thread(wanted, deltas)
        series = await self._ask(keys.series, Series, self._series, series_ids)
        users = _placed(keys.users, await self._ask(keys.users.select(USER_KEY), User, self._users, user_places))
        seated = keys.seats.join(users.select(*USER_KEY, number="ordinal"), on=USER_KEY)
        seats = await self._ask(seated.select("tenant", "account", "number"), Seat, self._seats, seat_places)
        ids = await self.admission.feature_ids(list(keys.features.iter_rows()))
        return Resolved(
            series=keys.series.with_columns(pl.Series("series", series, dtype=pl.Int64)),
            users=users,
            seats=_placed(seated, seats),
            features=keys.features.with_columns(
                pl.Series("id", [ids[feature] for feature in keys.features.iter_rows()], dtype=pl.Int64)
            ),
        )

    def learn(self, resolved: Resolved) -> None:
        """Remember first days that have been committed."""
        users = earlier(resolved.users).select(*USER_KEY, "ordinal", "day")
        self._users.learn({User(*who): Place(ordinal, day) for *who, ordinal, day in users.iter_rows()})
        seats = earlier(resolved.seats).select("tenant", "account", "number", "ordinal", "day")
        self._seats.learn({Seat(*who): Place(ordinal, day) for *who, ordinal, day in seats.iter_rows()})

    async def _ask(
        self,
        frame: pl.DataFrame,
        key_type: Callable[..., K],
        known: Known[K, V],
        ask: Callable[[Connection, Sequence[K]], Awaitable[dict[K, V]]],
    ) -> list[V]:
        """Give the values of the frame's rows, in their order."""
        # Plain tuples find what is known: they equal the named ones and are made ten times as fast.
        keys: list[K] = frame.rows()  # type: ignore[assignment]
        values = known.get(keys)
        missing = [place for place, value in enumerate(values) if value is None]
        if missing:
            async with self.pool.acquire() as connection:
                found = await ask(connection, [key_type(*keys[place]) for place in missing])
            known.learn(found)
            for place in missing:
                values[place] = found[keys[place]]
        return values  # type: ignore[return-value]


def _placed(keys: pl.DataFrame, places: list[Place]) -> pl.DataFrame:
    return keys.with_columns(
        pl.Series("ordinal", [place.ordinal for place in places], dtype=pl.Int32),
        pl.Series("first_day", [place.first_day for place in places], dtype=pl.Int32),
    )
