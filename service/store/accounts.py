"""Accounts as they stand now: status, money, contract, signals and traits, the list that people read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from service.store.dated import KNOWN, newest
from service.store.engine import Connection

FIELDS: Final = (
    "status",
    "tier",
    "reason",
    "phase",
    "progress_nano",
    "licensed_users",
    "size",
    "mrr",
    "usage_fees",
    "contract_value",
    "expansion_potential",
    "contract_start",
    "contract_end",
    "renewal",
)
_KEY: Final = {"tenant": "$1", "account": "k.who", "before_us": f"{2**62}"}
_SHOWN: Final = ",\n       ".join(f"({newest(name, **_KEY)}) as {name}" for name in FIELDS if name not in {"status", "tier"})

# A page of one tenant's accounts by their ids. What they are chosen by is looked up first, the rest for those of the page.
_PAGE = f"""
with page as (
  select k.who, k.time_us, s.value as status, t.value as tier
  from milestone k
  left join lateral ({newest("status", **_KEY)}) s on true
  left join lateral ({newest("tier", **_KEY)}) t on true
  where k.tenant = $1 and {KNOWN} and ($2::text is null or k.who > $2) and ($3::text[] is null or k.who = any($3))
    and ($4::text[] is null or s.value = any($4)) and ($5::text[] is null or t.value = any($5))
    and not exists (
      select from jsonb_each($6::jsonb) f
      where not exists (
        select from state x
        where x.tenant = $1 and x.kind = 'account' and x.who = k.who and x.account = k.who and x.field = 'trait.' || f.key
          and f.value ? x.value
      )
    )
  order by k.who
  limit $7
)
select k.who as account, k.time_us as known_us, k.status, k.tier, {_SHOWN},
       (select jsonb_object_agg(substr(field, 7), value) from state
        where tenant = $1 and kind = 'account' and who = k.who and account = k.who and field like 'trait.%') as traits,
       (select jsonb_object_agg(n.name, g.value = 'true') from name n cross join lateral (
          select value from state_history
          where tenant = $1 and kind = 'account' and field = 'signal.' || n.name and who = k.who and account = k.who
          order by time_us desc, source collate "C" desc, id collate "C" desc limit 1
        ) g where n.tenant = $1 and n.kind = 'signal') as signals
from page k
order by k.who
"""

# Whether any event told of an account or named it: what is quick to look up first, steps only where nothing else does.
_NAMED = f"""
select exists (select from milestone where tenant = $1 and {KNOWN} and who = $2)
  or exists (select from seat where tenant = $1 and account = $2)
  or exists (select from series where tenant = $1 and account = $2)
  or exists (select from probe_quarter where tenant = $1 and account = $2)
  or exists (select from step where tenant = $1 and account = $2)
"""


@dataclass(frozen=True, slots=True)
class Account:
    """One account as it stands now."""

    account: str
    known_us: int
    """When it was first heard of, in microseconds since 1970."""
    values: Mapping[str, str]
    """The newest value of each field of FIELDS that was told: money as `AMOUNT CURRENCY` in minor units."""
    traits: Mapping[str, str]
    signals: Mapping[str, bool]
    """Whether each signal was raised or taken back by the newest event that told of it."""


@dataclass(frozen=True, slots=True)
class AccountSelection:
    """Which accounts are asked for; None leaves a choice open, `traits` need one of the values of each."""

    accounts: Sequence[str] | None = None
    statuses: Sequence[str] | None = None
    tiers: Sequence[str] | None = None
    traits: Mapping[str, Sequence[str]] | None = None


async def page(connection: Connection, tenant: int, wanted: AccountSelection, *, after: str | None, limit: int) -> list[Account]:
    """At most `limit` accounts of which events told, by their ids, beginning behind the account `after`."""
    traits = msgspec.json.encode(wanted.traits or {}).decode()
    chosen = (wanted.accounts, wanted.statuses, wanted.tiers)
    rows = await connection.fetch(_PAGE, tenant, after, *chosen, traits, limit)
    return [
        Account(
            row["account"],
            row["known_us"],
            {name: row[name] for name in FIELDS if row[name] is not None},
            _map(row["traits"], dict[str, str]),
            _map(row["signals"], dict[str, bool]),
        )
        for row in rows
    ]


async def is_named(connection: Connection, tenant: int, account: str) -> bool:
    """Whether any event that is kept tells of this account or names it."""
    found: bool = await connection.fetchval(_NAMED, tenant, account)
    return found


def _map(text: str | None, kind: Any) -> Any:
    return msgspec.json.decode(text, type=kind) if text else {}
