"""Ordinals of users and seats: their places in the bit sets, given out once under the tenant's counter."""

from typing import Any, NamedTuple

from service.store.engine import Connection

BLOCK = 64
"""Seats of one account lie in blocks of so many ordinals, so that an account is a few ranges of bits."""


class Users(NamedTuple):
    """Persons of tenants, a column each; no two are the same."""

    tenants: list[int]
    users: list[str]


class Seats(NamedTuple):
    """Users in accounts, a column each; no two are the same."""

    tenants: list[int]
    accounts: list[str]
    users: list[int]
    """The users' ordinals."""


# Ordinals of users, null for those who are not known; as one array, for a row each would cost more than the look-up.
SELECT_USERS = """
select array_agg(u.ordinal order by w.place)
from unnest($1::int[], $2::text[]) with ordinality as w (tenant, user_id, place)
left join app_user u using (tenant, user_id)
"""

# Ordinals of seats, null for those that are not known.
SELECT_SEATS = """
select array_agg(s.ordinal order by w.place)
from unnest($1::int[], $2::text[], $3::int[]) with ordinality as w (tenant, account, user_ordinal, place)
left join seat s using (tenant, account, user_ordinal)
"""

# A tenant has counters from its first user on.
ADD_COUNTERS = """
insert into ordinal_counter (tenant) select distinct tenant from unnest($1::int[]) as w (tenant) order by tenant
on conflict do nothing
"""

# Ordinals of a tenant are given out one process at a time; tenants are locked in order.
LOCK_COUNTERS = "select tenant, next_block from ordinal_counter where tenant = any($1::int[]) order by tenant for update"

# Gives new users the next ordinals, in the order of their ids. Runs under the counters' locks.
ADD_USERS = """
with added as (
    insert into app_user (tenant, user_id, ordinal)
    select w.tenant, w.user_id, c.next_user + row_number() over (partition by w.tenant order by w.user_id collate "C") - 1
    from unnest($1::int[], $2::text[]) as w (tenant, user_id)
    join ordinal_counter c using (tenant)
    where not exists (select from app_user u where u.tenant = w.tenant and u.user_id = w.user_id)
    returning tenant
), counted as (
    select tenant, count(*) as users from added group by tenant
)
update ordinal_counter c set next_user = c.next_user + n.users from counted n where c.tenant = n.tenant
"""

# The blocks of these accounts that have room; one an account at the most.
OPEN_BLOCKS = """
select b.tenant, b.account, b.block, b.used
from (select distinct tenant, account from unnest($1::int[], $2::text[]) as u (tenant, account)) w
join seat_block b using (tenant, account)
where b.used < $3
"""

# Stores the seats with the ordinals that they got.
ADD_SEATS = """
insert into seat (tenant, account, user_ordinal, ordinal)
select * from unnest($1::int[], $2::text[], $3::int[], $4::int[])
"""

# Keeps the seats of those who have several by now; under the counters' locks, so that the second of two seats finds the first.
ADD_SHARED = """
insert into shared_seat (tenant, ordinal, user_ordinal)
select s.tenant, s.ordinal, s.user_ordinal
from (select distinct tenant, user_ordinal from unnest($1::int[], $2::int[]) as w (tenant, user_ordinal)) w
join seat s using (tenant, user_ordinal)
where exists (select from seat o where o.tenant = s.tenant and o.user_ordinal = s.user_ordinal and o.ordinal <> s.ordinal)
order by s.tenant, s.ordinal
on conflict do nothing
"""

# Stores how full the blocks are.
STORE_BLOCKS = """
insert into seat_block (tenant, block, account, used)
select * from unnest($1::int[], $2::int[], $3::text[], $4::int[])
on conflict (tenant, block) do update set used = excluded.used
"""

# Moves the counters of blocks on.
STORE_COUNTERS = """
update ordinal_counter c set next_block = w.next_block
from unnest($1::int[], $2::int[]) as w (tenant, next_block) where c.tenant = w.tenant
"""


async def user_ordinals(connection: Connection, users: Users) -> list[int]:
    """Find the ordinals of users in their order, giving some to new ones; a short transaction of its own."""
    ordinals = await _found(connection, SELECT_USERS, users)
    if missing := _missing(ordinals):
        new = Users(*_at(missing, users))
        tenants = sorted(set(new.tenants))
        async with connection.transaction():
            await connection.execute(ADD_COUNTERS, tenants)
            await connection.execute(LOCK_COUNTERS, tenants)
            await connection.execute(ADD_USERS, *new)
        _fill(ordinals, missing, await _found(connection, SELECT_USERS, new))
    return _given(ordinals)


async def seat_ordinals(connection: Connection, seats: Seats) -> list[int]:
    """Find the ordinals of seats in their order, giving some to new ones; a short transaction of its own."""
    ordinals = await _found(connection, SELECT_SEATS, seats)
    if missing := _missing(ordinals):
        new = Seats(*_at(missing, seats))
        tenants = sorted(set(new.tenants))
        async with connection.transaction():
            await connection.execute(ADD_COUNTERS, tenants)
            counters = await connection.fetch(LOCK_COUNTERS, tenants)
            # Another process may have seated some of them before the lock was ours.
            by_now = await _found(connection, SELECT_SEATS, new)
            if still := _missing(by_now):
                await _seat(connection, Seats(*_at(still, new)), {row["tenant"]: row["next_block"] for row in counters})
        _fill(ordinals, missing, await _found(connection, SELECT_SEATS, new))
    return _given(ordinals)


async def _seat(connection: Connection, seats: Seats, next_block: dict[int, int]) -> None:
    rows = await connection.fetch(OPEN_BLOCKS, seats.tenants, seats.accounts, BLOCK)
    blocks = {(row["tenant"], row["account"]): [(row["block"], row["used"])] for row in rows}
    ordered = Seats(*(list(column) for column in zip(*sorted(zip(*seats, strict=True)), strict=True)))
    await connection.execute(ADD_SEATS, *ordered, allot(ordered, blocks, next_block))
    await connection.execute(ADD_SHARED, ordered.tenants, ordered.users)
    full = [(tenant, block, account, used) for (tenant, account), held in blocks.items() for block, used in held]
    await connection.execute(STORE_BLOCKS, *(list(column) for column in zip(*full, strict=True)))
    await connection.execute(STORE_COUNTERS, list(next_block), list(next_block.values()))


def allot(seats: Seats, blocks: dict[tuple[int, str], list[tuple[int, int]]], next_block: dict[int, int]) -> list[int]:
    """Give each seat, one after another, an ordinal in its account's open block, or in the tenant's next block.

    `blocks` (tenant, account → block and how many of it are used, the open one last) and `next_block` are moved on.
    """
    ordinals = []
    for tenant, account in zip(seats.tenants, seats.accounts, strict=True):
        held = blocks.setdefault((tenant, account), [])
        if not held or held[-1][1] == BLOCK:
            held.append((next_block[tenant], 0))
            next_block[tenant] += 1
        block, used = held[-1]
        ordinals.append(block * BLOCK + used)
        held[-1] = (block, used + 1)
    return ordinals


async def _found(connection: Connection, statement: str, keys: Users | Seats) -> list[int | None]:
    ordinals: list[int | None] | None = await connection.fetchval(statement, *keys)
    return ordinals or []


def _missing(ordinals: list[int | None]) -> list[int]:
    return [place for place, ordinal in enumerate(ordinals) if ordinal is None] if None in ordinals else []


def _at(places: list[int], columns: Users | Seats) -> list[list[Any]]:
    return [[column[place] for place in places] for column in columns]


def _fill(ordinals: list[int | None], missing: list[int], found: list[int | None]) -> None:
    for place, ordinal in zip(missing, found, strict=True):
        ordinals[place] = ordinal


def _given(ordinals: list[int | None]) -> list[int]:
    """Every key that was asked for has been given its ordinal by now."""
    return [ordinal for ordinal in ordinals if ordinal is not None]
