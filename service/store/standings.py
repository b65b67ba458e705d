"""How accounts stood at instants: status, contract, licences, MRR, its last rise, and the signals that last."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec

from service.store.dated import newest_money
from service.store.engine import Connection

_KEY: Final = {"tenant": "i.tenant", "account": "k.who", "before_us": "i.at_us"}
_OF_ACCOUNT: Final = "tenant = i.tenant and kind = 'account'"
# Of an account's own field there is one value an instant: that is the table's key, in whose order nothing has to be sorted.
_NEWEST_FIRST: Final = "account desc, time_us desc"


def _standings(which: str) -> str:
    """Accounts that were known at an instant, of many tenants and instants at once; `which` chooses some by their ids.

    What was told of a tenant's accounts is read field by field, in the order of a key, and put together by account: looked up
    account by account it would be a dozen walks through an index each. But for the last rise of its MRR, which is a question of
    accounts that went live, after that, and mostly of few of all its values.
    """
    named = ("status", "licensed_users", "contract_end", "renewal", "mrr")
    fields = ", ".join(f"max(value) filter (where what = '{name}') as {name}" for name in named)
    return f"""
with i as (
  select * from unnest($1::int[], $2::int[], $3::bigint[], $4::bigint[]) as i(place, tenant, at_us, signals_from_us)
), told as (
  select i.place, m.who, m.milestone as what, null as value, m.us, null::text[] as signals from i cross join lateral (
    select who, milestone, min(time_us) as us from milestone
    where {_OF_ACCOUNT} and milestone = any('{{~known,go_live}}') and time_us < i.at_us{which}
    group by who, milestone
  ) m
  union all
  select i.place, s.who, s.field, s.value, null, null from i cross join lateral (
    select distinct on (field, who) field, who, value from state_history
    where {_OF_ACCOUNT} and field = any('{{{",".join(named)}}}') and account = who and time_us < i.at_us{which}
    order by field desc, who desc, {_NEWEST_FIRST}
  ) s
  union all
  select i.place, r.who, 'risen', null, r.risen_us, null from i cross join lateral (
    select l.who, m.risen_us from (
      select who, min(time_us) as live_us from milestone
      where {_OF_ACCOUNT} and milestone = 'go_live' and time_us < i.at_us{which} group by who offset 0
    ) l cross join lateral (
      -- From the newest back, until it is known.
      select case when t.time_us > l.live_us then t.time_us end as risen_us from (
        select time_us, value, lead(value) over (order by time_us desc) as before from state_history
        where {_OF_ACCOUNT} and field = 'mrr' and who = l.who and account = l.who and time_us < i.at_us
      ) t where t.time_us <= l.live_us or t.value <> t.before and {_amount("t.value")} > {_amount("t.before")} limit 1
    ) m
  ) r where r.risen_us is not null
  union all
  select i.place, r.who, 'signal', null, null, array_agg(r.name order by r.name) from i cross join lateral (
    select distinct on (name, who) name, who, value, time_us from (
      select n.name, h.* from name n cross join lateral (
        select who, account, value, time_us from state_history
        where {_OF_ACCOUNT} and field = 'signal.' || n.name and account = who and time_us < i.at_us{which}
        offset 0
      ) h where n.tenant = i.tenant and n.kind = 'signal'
    ) t order by name, who, {_NEWEST_FIRST}
  ) r where r.value = 'true' and r.time_us > i.signals_from_us
  group by i.place, r.who
)
select place, who as account, min(us) filter (where what = '~known') as known_us, {fields},
       min(us) filter (where what = 'go_live') as live_us, max(us) filter (where what = 'risen') as risen_us,
       coalesce(max(signals), '{{}}') as signals
from told group by place, who having bool_or(what = '~known')
order by place, who
"""


def _amount(money: str) -> str:
    return f"split_part({money}, ' ', 1)::numeric"


OF_ALL: Final = _standings("")
OF_SOME: Final = _standings(" and who = any($5)")

# The accounts that were known at an instant, and the status of each.
STATUSES: Final = f"""
with i as (select * from unnest($1::int[], $2::int[], $3::bigint[]) as i(place, tenant, at_us))
select place, who as account, max(status) as status
from (
  select i.place, m.who, true as known, null as status from i cross join lateral (
    select who from milestone where {_OF_ACCOUNT} and milestone = '~known' and time_us < i.at_us offset 0
  ) m
  union all
  select i.place, s.who, null, s.value from i cross join lateral (
    select distinct on (who) who, value from state_history
    where {_OF_ACCOUNT} and field = 'status' and account = who and time_us < i.at_us
    order by who desc, {_NEWEST_FIRST}
  ) s
) told
group by place, who having bool_or(known)
order by place, who
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


class Standing(msgspec.Struct, frozen=True):
    """One account as it was known at an instant, in the order of the statement's columns.

    Instants are in microseconds since 1970, dates and money as events tell them.
    """

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
    """When its MRR last rose after it went live."""
    signals: Sequence[str]


async def standings(
    connection: Connection, instants: Sequence[Instant], *, accounts: Sequence[str] | None = None
) -> list[list[Standing]]:
    """The accounts of each instant, by their ids; of `accounts` alone where they are named."""
    columns = zip(*((n, one.tenant, one.at_us, one.signals_from_us) for n, one in enumerate(instants)), strict=True)
    found: list[list[Standing]] = [[] for _ in instants]
    statement, chosen = (OF_ALL, ()) if accounts is None else (OF_SOME, (list(accounts),))
    for place, *known in await connection.fetch(statement, *(list(column) for column in columns), *chosen):
        found[place].append(Standing(*known))
    return found


async def statuses(connection: Connection, instants: Sequence[Instant]) -> list[list[tuple[str, str | None]]]:
    """Of each instant the accounts that were known, by their ids, each with its status: a tenth of what `standings` takes."""
    columns = zip(*((n, one.tenant, one.at_us) for n, one in enumerate(instants)), strict=True)
    found: list[list[tuple[str, str | None]]] = [[] for _ in instants]
    for place, account, status in await connection.fetch(STATUSES, *(list(column) for column in columns)):
        found[place].append((account, status))
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
