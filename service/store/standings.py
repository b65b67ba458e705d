"""How accounts stood at instants: status, contract, licences, MRR, its last rise, and the signals that last."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from service.store.dated import KNOWN, newest, newest_money
from service.store.engine import Connection

_KEY: Final = {"tenant": "i.tenant", "account": "k.who", "before_us": "i.at_us"}
_OF_ACCOUNT: Final = "tenant = i.tenant and kind = 'account' and who = k.who"
_AMOUNT: Final = "split_part(value, ' ', 1)::numeric"

# Accounts that were known at an instant, of many tenants and instants at once; $5 chooses some by their ids.
_STANDINGS = f"""
select i.place, k.who as account, k.time_us as known_us,
       ({newest("status", **_KEY)}) as status, ({newest("licensed_users", **_KEY)}) as licensed_users,
       ({newest("contract_end", **_KEY)}) as contract_end, ({newest("renewal", **_KEY)}) as renewal,
       ({newest("mrr", **_KEY)}) as mrr,
       (select min(time_us) from milestone where {_OF_ACCOUNT} and milestone = 'go_live' and time_us < i.at_us) as live_us,
       (select max(time_us) from (
          select time_us, {_AMOUNT} as amount,
                 lag({_AMOUNT}) over (order by time_us, source collate "C", id collate "C") as before
          from state_history where {_OF_ACCOUNT} and account = k.who and field = 'mrr' and time_us < i.at_us
        ) m where amount > before) as risen_us,
       (select array_agg(n.name order by n.name) from name n cross join lateral (
          select value, time_us from state_history
          where {_OF_ACCOUNT} and account = k.who and field = 'signal.' || n.name and time_us < i.at_us
          order by time_us desc, source collate "C" desc, id collate "C" desc limit 1
        ) g where n.tenant = i.tenant and n.kind = 'signal' and g.value = 'true' and g.time_us > i.signals_from_us) as signals
from unnest($1::int[], $2::int[], $3::bigint[], $4::bigint[]) as i(place, tenant, at_us, signals_from_us)
join milestone k on k.tenant = i.tenant and {KNOWN} and k.time_us < i.at_us and ($5::text[] is null or k.who = any($5))
order by i.place, k.who
"""

# What accounts' contracts are worth as of an instant, and what may be sold to them beside that.
_WORTHS = f"""
select k.who as account, c.amount as contract_value, c.currency as contract_currency,
       e.amount as expansion, e.currency as expansion_currency
from (select $1::int as tenant, $2::bigint as at_us) i
cross join unnest($3::text[]) as k(who)
left join lateral ({newest_money("contract_value", **_KEY)}) c on true
left join lateral ({newest_money("expansion_potential", **_KEY)}) e on true
"""


@dataclass(frozen=True, slots=True)
class Instant:
    """When the accounts of a tenant are looked at, and since when signals last."""

    tenant: int
    at_us: int
    signals_from_us: int


@dataclass(frozen=True, slots=True)
class Standing:
    """One account as it was known at an instant; instants in microseconds since 1970, dates and money as events tell them."""

    account: str
    known_us: int
    status: str | None
    licensed_users: str | None
    contract_end: str | None
    renewal: str | None
    mrr: str | None
    """`AMOUNT CURRENCY` in minor units."""
    live_us: int | None
    """When it went live."""
    risen_us: int | None
    """When its MRR last rose."""
    signals: tuple[str, ...]


async def standings(
    connection: Connection, instants: Sequence[Instant], *, accounts: Sequence[str] | None = None
) -> list[list[Standing]]:
    """The accounts of each instant, by their ids; of `accounts` alone where they are named."""
    columns = zip(*((n, one.tenant, one.at_us, one.signals_from_us) for n, one in enumerate(instants)), strict=True)
    found: list[list[Standing]] = [[] for _ in instants]
    for row in await connection.fetch(_STANDINGS, *(list(column) for column in columns), accounts):
        known = {name: value for name, value in row.items() if name not in {"place", "signals"}}
        found[row["place"]].append(Standing(**known, signals=tuple(row["signals"] or ())))
    return found


@dataclass(frozen=True, slots=True)
class Worth:
    """What an account's contract is worth, and what may be sold to it beside that: minor units, each with its currency."""

    account: str
    contract_value: Decimal | None
    contract_currency: str | None
    expansion: Decimal | None
    expansion_currency: str | None


async def worths(connection: Connection, tenant: int, at_us: int, accounts: Sequence[str]) -> list[Worth]:
    """Of each of these accounts, as of an instant (microseconds since 1970)."""
    return [Worth(**row) for row in await connection.fetch(_WORTHS, tenant, at_us, list(accounts))]
