"""Filling the sets of users by hand: ordinals, seats, bits a day and traits, from a list of uses."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

import asyncpg

from loadtests import active_weeks, first_days, first_reached
from service.store.ordinals import ADD_SHARED

FIRST_DAYS = """(
  select a.tenant, a.population, a.chunk * 2048 + n as ordinal, min(a.day) as first_day
  from activity_day a cross join generate_series(0, 2047) as n
  where a.feature = 0 and get_bit(a.bits, n) = 1 group by 1, 2, 3
)"""
COUNTERS = """
insert into ordinal_counter (tenant, next_user, next_block) values ($1, $2, $3)
on conflict (tenant) do update set next_user = greatest(ordinal_counter.next_user, excluded.next_user),
  next_block = greatest(ordinal_counter.next_block, excluded.next_block)
"""
KNOWN = """
with new as (
  insert into app_user (tenant, user_id, ordinal)
  select c.tenant, u.name, c.next_user + row_number() over (order by u.name) - 1
  from ordinal_counter c, unnest($2::text[]) as u(name)
  where c.tenant = $1 and not exists (select from app_user a where a.tenant = $1 and a.user_id = u.name)
  returning 1
)
update ordinal_counter set next_user = next_user + (select count(*) from new) where tenant = $1
"""
NAME = "insert into name (tenant, kind, name) values ($1, 'milestone', $2) on conflict do nothing"
CHUNK = 2_048
BLOCK = 64


@dataclass(frozen=True, slots=True)
class Use:
    """A user used a feature on a local day; `counts` says whether that makes them active."""

    day: date
    user: str
    feature: str
    account: str = ""
    counts: bool = True


@dataclass(slots=True)
class Ordinals:
    """What users and seats were given; blocks of seats belong to one account each."""

    spread: int = 1
    """Leaves so many places between users, so that a few of them fill several chunks."""
    users: dict[str, int] = field(default_factory=dict)
    seats: dict[tuple[str, str], int] = field(default_factory=dict)
    blocks: dict[int, tuple[str, int]] = field(default_factory=dict)

    def user(self, name: str) -> int:
        return self.users.setdefault(name, len(self.users) * self.spread)

    def seat(self, account: str, user: str) -> int:
        if (account, user) in self.seats:
            return self.seats[account, user]
        block = next((b for b, (owner, used) in self.blocks.items() if owner == account and used < BLOCK), len(self.blocks))
        used = self.blocks.get(block, (account, 0))[1]
        self.blocks[block] = (account, used + 1)
        self.seats[account, user] = block * BLOCK + used
        return self.seats[account, user]


async def store_people(
    connection: asyncpg.Connection,
    tenant: int,
    uses: Iterable[Use],
    *,
    traits: Mapping[str, Mapping[str, str]] | None = None,
    known: Collection[str] = (),
    spread: int = 1,
) -> Ordinals:
    """Write what the folds would make of these uses; `traits` are by user."""
    seen, given = list(uses), Ordinals(spread)
    for user in known:
        given.user(user)
    ids = {"": 0} | {name: await _feature(connection, tenant, name) for name in sorted({use.feature for use in seen})}
    places: dict[tuple[str, int, date, int], set[int]] = defaultdict(set)
    for use in seen:
        ordinal = given.user(use.user)
        held = [("user", ordinal)] + ([("seat", given.seat(use.account, use.user))] if use.account else [])
        for feature in (use.feature, *([""] if use.counts else [])):
            for population, place in held:
                places[population, ids[feature], use.day, place // CHUNK].add(place % CHUNK)
    await connection.copy_records_to_table(
        "activity_day",
        records=[(tenant, *key, bits(taken)) for key, taken in places.items()],
    )
    for statement in active_weeks.FILLS:
        await connection.execute(statement, [tenant])
    await connection.copy_records_to_table("app_user", records=[(tenant, user, ordinal) for user, ordinal in given.users.items()])
    await connection.copy_records_to_table(
        "seat", records=[(tenant, account, given.users[user], at) for (account, user), at in given.seats.items()]
    )
    await connection.copy_records_to_table(
        "seat_block", records=[(tenant, block, account, used) for block, (account, used) in given.blocks.items()]
    )
    await connection.execute(COUNTERS, tenant, max(given.users.values(), default=-1) + 1, len(given.blocks))
    await _segments(connection, tenant, given, traits or {})
    await _reach(connection)
    return given


@dataclass(frozen=True, slots=True)
class Told:
    """What an event said of a user at an instant: a status, or a milestone."""

    user: str
    at_us: int
    said: str
    account: str = ""
    source: str = "/s"
    id: str = ""


async def store_statuses(
    connection: asyncpg.Connection, tenant: int, told: Iterable[Told], *, kind: str = "user", field: str = "status"
) -> None:
    """Write every status (of accounts: every value) with its date."""
    records = [
        (tenant, kind, field, one.user, one.account, one.at_us, one.source, one.id or str(number), one.said)
        for number, one in enumerate(told)
    ]
    columns = ("tenant", "kind", "field", "who", "account", "time_us", "source", "id", "value")
    await connection.copy_records_to_table("state_history", records=records, columns=columns)
    if kind == "user":
        await _know(connection, tenant, {record[3] for record in records})
        await _reach(connection)


async def store_milestones(connection: asyncpg.Connection, tenant: int, told: Iterable[Told], *, kind: str = "user") -> None:
    """Write the earliest of each milestone of a user in an account."""
    earliest: dict[tuple[str, str, str], Told] = {}
    for one in told:
        key = (one.said, one.user, one.account)
        before = earliest.get(key, one)
        earliest[key] = min(before, one, key=lambda each: (each.at_us, each.source, each.id))
    records = [(tenant, kind, *key, one.at_us, one.source, one.id) for key, one in earliest.items()]
    await connection.copy_records_to_table("milestone", records=records)
    for name in {record[2] for record in records}:
        await connection.execute(NAME, tenant, name)
    if kind == "user":
        await _know(connection, tenant, {record[3] for record in records})
        await connection.execute(first_reached.FILL, tenant)
        await _reach(connection)


async def _know(connection: asyncpg.Connection, tenant: int, users: Collection[str]) -> None:
    """Give ordinals to users that only a status or a milestone tells of."""
    await connection.execute(COUNTERS, tenant, 0, 0)
    await connection.execute(KNOWN, tenant, sorted(users))


async def _reach(connection: asyncpg.Connection) -> None:
    """Make the sets of what was reached anew, of what the tables hold."""
    await connection.execute(first_days.SEATS)
    seated = await connection.fetch("select distinct tenant, user_ordinal from seat")
    await connection.execute(ADD_SHARED, [row["tenant"] for row in seated], [row["user_ordinal"] for row in seated])
    await connection.execute("delete from reached")
    await connection.execute(first_days.days(FIRST_DAYS))
    await connection.execute(first_days.MONTHS)


async def _feature(connection: asyncpg.Connection, tenant: int, name: str) -> int:
    found = await connection.fetchval(
        "insert into name (tenant, kind, name) values ($1, 'feature', $2) returning id", tenant, name
    )
    assert isinstance(found, int)
    return found


async def _segments(
    connection: asyncpg.Connection, tenant: int, given: Ordinals, traits: Mapping[str, Mapping[str, str]]
) -> None:
    places: dict[tuple[str, str, int], set[int]] = defaultdict(set)
    for user, values in traits.items():
        ordinal = given.users[user]
        for trait, value in values.items():
            places[trait, value, ordinal // CHUNK].add(ordinal % CHUNK)
    await connection.copy_records_to_table("segment", records=[(tenant, *key, bits(taken)) for key, taken in places.items()])


def bits(places: Collection[int], width: int = CHUNK) -> asyncpg.BitString:
    """A bit string with these places set, counted from the left."""
    number = sum(1 << (width - 1 - place) for place in places) << -width % 8
    return asyncpg.BitString.frombytes(number.to_bytes(-(-width // 8), "big"), width)
