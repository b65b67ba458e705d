"""Tracked things (risks, actions, blockers …) as they stand, derived from their steps; and the list that people read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import msgspec

from service.domain.families.item import STATUSES
from service.store.engine import Connection

_RANKS = ", ".join(f"'{status}'" for status in STATUSES)
# Bytes decide, whatever collation the database was made with.
_NEWEST = 'time_us desc, rank desc, source collate "C" desc, id collate "C" desc'
_FOR_EVER_US: Final = 2**62
_DESCRIBED = ("kind", "title", "probability", "impact", "priority", "due", "owner")

# One row an item and span of `spans(tenant, win, from_us, to_us, colours)` that began before the span's end: what describes it
# is the newest, as known now; `status_before` and `status` are as of the span's ends; value and currency are of one event.
ITEMS = f"""
select s.tenant, s.win, s.from_us, i.*, coalesce(s.colours ->> (i.probability || '_' || i.impact), '') as colour
from spans s
cross join lateral (
  select subject, min(time_us) as begun_us, max(time_us) as changed_us,
         {
    ", ".join(
        f"coalesce((array_agg(fields ->> '{field}' order by {_NEWEST}) filter (where fields ? '{field}'))[1], '') as {field}"
        for field in _DESCRIBED
    )
},
         (array_agg(fields ->> 'status' order by {_NEWEST}) filter (where time_us < s.from_us))[1] as status_before,
         (array_agg(fields ->> 'status' order by {_NEWEST}) filter (where time_us < s.to_us))[1] as status,
         (array_agg((fields ->> 'value')::numeric order by {_NEWEST}) filter (where fields ? 'value'))[1] as value,
         (array_agg(fields ->> 'value_currency' order by {_NEWEST}) filter (where fields ? 'value'))[1] as currency,
         coalesce((array_agg(account order by {_NEWEST}) filter (where account <> ''))[1], '') as account
  from step t cross join lateral (select array_position(array[{_RANKS}], t.fields ->> 'status') as rank) r
  where t.tenant = s.tenant and t.family = 'item'
  group by subject
  having min(time_us) < s.to_us
) i
"""

# A page of one tenant's items as they stand at an instant: those that changed last come first.
_PAGE = f"""
with spans(tenant, win, from_us, to_us, colours) as (values ($1::int, 0, $2::bigint, $2::bigint, $3::jsonb)), items as ({ITEMS})
select * from items
where ($4::text is null or kind = $4) and ($5::text[] is null or status = any($5)) and ($6::text is null or colour = $6)
  and ($7::text is null or owner = $7) and ($8::text is null or account = $8)
  and ($9::date is null or due <> '' and due::date < $9 and status <> 'closed')
  and ($10::bigint is null or (changed_us, subject) < ($10, $11::text))
order by changed_us desc, subject desc
limit $12
"""


@dataclass(frozen=True, slots=True)
class Item:
    """A tracked thing as it stands; moments in microseconds since 1970, texts "" where nothing was told."""

    subject: str
    kind: str
    status: str
    title: str
    probability: str
    impact: str
    colour: str
    priority: str
    due: str
    owner: str
    value: int | None
    currency: str | None
    account: str
    begun_us: int
    changed_us: int


@dataclass(frozen=True, slots=True)
class ItemSelection:
    """Which items are asked for; None leaves a choice open. `overdue_on`: still open, and due before that local day."""

    kind: str | None = None
    statuses: list[str] | None = None
    colour: str | None = None
    owner: str | None = None
    account: str | None = None
    overdue_on: date | None = None


async def page(
    connection: Connection,
    tenant: int,
    wanted: ItemSelection,
    *,
    colours: Mapping[str, str],
    after: tuple[int, str] | None,
    limit: int,
) -> list[Item]:
    """At most `limit` items, those that changed last first, beginning behind `after` (changed_us, subject).

    `colours` are the tenant's by `PROBABILITY_IMPACT`.
    """
    rows = await connection.fetch(
        _PAGE,
        tenant,
        _FOR_EVER_US,
        msgspec.json.encode(colours).decode(),
        wanted.kind,
        wanted.statuses,
        wanted.colour,
        wanted.owner,
        wanted.account,
        wanted.overdue_on,
        *(after or (None, None)),
        limit,
    )
    return [Item(**{field: row[field] for field in Item.__slots__}) for row in rows]
