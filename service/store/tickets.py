"""Support tickets as they stand, with what their account was when they were opened; and the list that people read."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.store.engine import Connection

# The tier that a ticket's account had when it was opened, for a row `c` of `ticket`; no row where it had none.
TIER = """
select value as tier, time_us as told_us from state_history
where tenant = c.tenant and kind = 'account' and field = 'tier' and who = c.account and account = c.account
  and time_us <= c.opened_us
order by time_us desc, source collate "C" desc, id collate "C" desc limit 1
"""

# When the account of a ticket `c` went live.
GO_LIVE = """
select min(time_us) as go_live_us from milestone
where tenant = c.tenant and kind = 'account' and milestone = 'go_live' and who = c.account
"""

# A page of one tenant's tickets, the newest opened first.
_PAGE = f"""
select c.*, r.tier, g.go_live_us
from ticket c
left join lateral ({TIER.strip()}) r on true
left join lateral ({GO_LIVE.strip()}) g on true
where c.tenant = $1
  and ($2::text[] is null or c.priority = any($2))
  and ($3::text[] is null or c.category = any($3))
  and ($4::text[] is null or c.account = any($4))
  and ($5::text[] is null or r.tier = any($5))
  and ($6::text is null or $6 = case when c.resolved_us is null then 'open' else 'resolved' end)
  and ($7::bigint is null or c.opened_us >= $7)
  and ($8::bigint is null or c.opened_us < $8)
  and ($9::bigint is null or (c.opened_us, c.subject) < ($9, $10::text))
order by c.opened_us desc, c.subject desc
limit $11
"""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One ticket as known now; moments in microseconds since 1970, None where there is none."""

    subject: str
    account: str
    tier: str | None
    """The account's at the opening."""
    go_live_us: int | None
    """The account's."""
    priority: str | None
    category: str | None
    level: int | None
    """To which it was escalated last, as its steps say."""
    first_contact: bool | None
    blocking: bool | None
    excluded: bool
    reason: str | None
    opened_us: int
    first_response_us: int | None
    escalated_us: int | None
    mitigated_us: int | None
    resolved_us: int | None
    idle_us: int
    gap_from_us: Sequence[int]
    gap_to_us: Sequence[int]


@dataclass(frozen=True, slots=True)
class TicketSelection:
    """Which tickets are asked for; None leaves a choice open. Opened from `start_us` to before `end_us`."""

    priorities: Sequence[str] | None = None
    categories: Sequence[str] | None = None
    accounts: Sequence[str] | None = None
    tiers: Sequence[str] | None = None
    state: str | None = None
    start_us: int | None = None
    end_us: int | None = None


async def page(
    connection: Connection, tenant: int, wanted: TicketSelection, *, after: tuple[int, str] | None, limit: int
) -> list[Ticket]:
    """At most `limit` tickets, the newest opened first, beginning behind `after` (opened_us, subject)."""
    chosen = (wanted.priorities, wanted.categories, wanted.accounts, wanted.tiers, wanted.state, wanted.start_us, wanted.end_us)
    rows = await connection.fetch(_PAGE, tenant, *chosen, *(after or (None, None)), limit)
    return [Ticket(**{field: row[field] for field in Ticket.__slots__}) for row in rows]
