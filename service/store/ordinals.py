"""Ordinals of users and seats: their places in the bit sets, given out once under the tenant's counter."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date
from typing import NamedTuple

from service.store.engine import Connection

BLOCK = 64
"""Seats of one account lie in blocks of so many ordinals, so that an account is a few ranges of bits."""
_EPOCH = date(1970, 1, 1).toordinal()


class User(NamedTuple):
    """A person of a tenant."""

    tenant: int
    user: str


class Seat(NamedTuple):
    """A user in an account."""

    tenant: int
    account: str
    user: int
    """The user's ordinal."""


class Place(NamedTuple):
    """Where a user or a seat stands in the bit sets."""

    ordinal: int
    first_day: int | None
    """First local day of activity, since 1970; None: none is known."""


# Ordinals of those users that are known.
SELECT_USERS = """
select w.tenant, w.user_id, u.ordinal, u.first_day
from unnest($1::int[], $2::text[]) as w (tenant, user_id) join app_user u using (tenant, user_id)
"""

# Ordinals of those seats that are known.
SELECT_SEATS = """
select w.tenant, w.account, w.user_ordinal, s.ordinal, s.first_day
from unnest($1::int[], $2::text[], $3::int[]) as w (tenant, account, user_ordinal)
join seat s using (tenant, account, user_ordinal)
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


async def user_places(connection: Connection, users: Collection[User]) -> dict[User, Place]:
    """Find the places of users, giving ordinals to new ones; a short transaction of its own."""
    wanted = sorted(users)
    places = await _select_users(connection, wanted)
    missing = [user for user in wanted if user not in places]
    if missing:
        tenants = sorted({user.tenant for user in missing})
        async with connection.transaction():
            await connection.execute(ADD_COUNTERS, tenants)
            await connection.execute(LOCK_COUNTERS, tenants)
            await connection.execute(ADD_USERS, [user.tenant for user in missing], [user.user for user in missing])
        places |= await _select_users(connection, missing)
    return places


async def seat_places(connection: Connection, seats: Collection[Seat]) -> dict[Seat, Place]:
    """Find the places of seats, giving ordinals to new ones; a short transaction of its own."""
    wanted = sorted(seats)
    places = await _select_seats(connection, wanted)
    missing = [seat for seat in wanted if seat not in places]
    if missing:
        tenants = sorted({seat.tenant for seat in missing})
        async with connection.transaction():
            await connection.execute(ADD_COUNTERS, tenants)
            counters = await connection.fetch(LOCK_COUNTERS, tenants)
            # Another process may have seated some of them before the lock was ours.
            places |= await _select_seats(connection, missing)
            new = [seat for seat in missing if seat not in places]
            if new:
                await _seat(connection, new, {row["tenant"]: row["next_block"] for row in counters})
        places |= await _select_seats(connection, new)
    return places


async def _seat(connection: Connection, seats: list[Seat], next_block: dict[int, int]) -> None:
    rows = await connection.fetch(OPEN_BLOCKS, [s.tenant for s in seats], [s.account for s in seats], BLOCK)
    blocks = {(row["tenant"], row["account"]): [(row["block"], row["used"])] for row in rows}
    ordinals = allot(seats, blocks, next_block)
    await connection.execute(
        ADD_SEATS, [s.tenant for s in seats], [s.account for s in seats], [s.user for s in seats], [ordinals[s] for s in seats]
    )
    full = [(tenant, block, account, used) for (tenant, account), held in blocks.items() for block, used in held]
    await connection.execute(STORE_BLOCKS, *(list(column) for column in zip(*full, strict=True)))
    await connection.execute(STORE_COUNTERS, list(next_block), list(next_block.values()))


def allot(
    seats: Collection[Seat], blocks: dict[tuple[int, str], list[tuple[int, int]]], next_block: dict[int, int]
) -> Mapping[Seat, int]:
    """Give each seat an ordinal in its account's open block, or in the tenant's next block.

    `blocks` (tenant, account → block and how many of it are used, the open one last) and `next_block` are moved on.
    """
    by_account: defaultdict[tuple[int, str], list[Seat]] = defaultdict(list)
    for seat in seats:
        by_account[seat.tenant, seat.account].append(seat)
    ordinals: dict[Seat, int] = {}
    for account in sorted(by_account):
        held = blocks.setdefault(account, [])
        for seat in by_account[account]:
            if not held or held[-1][1] == BLOCK:
                held.append((next_block[seat.tenant], 0))
                next_block[seat.tenant] += 1
            block, used = held[-1]
            ordinals[seat] = block * BLOCK + used
            held[-1] = (block, used + 1)
    return ordinals


async def _select_users(connection: Connection, users: list[User]) -> dict[User, Place]:
    rows = await connection.fetch(SELECT_USERS, [user.tenant for user in users], [user.user for user in users])
    return {User(row["tenant"], row["user_id"]): Place(row["ordinal"], _day(row["first_day"])) for row in rows}


async def _select_seats(connection: Connection, seats: list[Seat]) -> dict[Seat, Place]:
    columns = [s.tenant for s in seats], [s.account for s in seats], [s.user for s in seats]
    rows = await connection.fetch(SELECT_SEATS, *columns)
    return {
        Seat(row["tenant"], row["account"], row["user_ordinal"]): Place(row["ordinal"], _day(row["first_day"])) for row in rows
    }


def _day(day: date | None) -> int | None:
    return None if day is None else day.toordinal() - _EPOCH
