"""Reading dead letters, and saying what became of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from service.domain.reasons import Reason
from service.store.engine import Connection

State = Literal["open", "resent", "dismissed"]
STATES: tuple[State, ...] = get_args(State)
"""`open` until an operator says that it was mended and sent again, or that it will not be."""

# A page of a tenant's dead letters, the newest first; the cursor is the last row's key.
_PAGE = """
select source, id, time, reason, detail, origin, received_at, count, state, id_hash, raw
from dead_letter
where tenant = $1
  and ($2::text is null or reason = $2)
  and ($3::text is null or source = $3)
  and ($4::text is null or state = $4)
  and ($5::timestamptz is null or (received_at, id_hash, reason) < ($5, $6::bytea, $7::text))
order by received_at desc, id_hash desc, reason desc
limit $8
"""

# Marks what an operator did with the open ones of a choice.
_MARK = """
update dead_letter set state = $2
where tenant = $1 and state = 'open' and received_at <= $6
  and ($3::text is null or reason = $3)
  and ($4::text is null or source = $4)
  and ($5::text is null or id = $5)
"""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that was refused, as it came."""

    source: str
    id: str
    time: str
    reason: Reason
    detail: str
    origin: str
    received_at: datetime
    count: int
    state: str
    id_hash: bytes
    raw: bytes


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended."""

    received_at: datetime
    id_hash: bytes
    reason: str

    @classmethod
    def behind(cls, last: DeadLetter) -> "Position":
        """Where a page goes on that follows this row."""
        return cls(last.received_at, last.id_hash, last.reason)


async def page(
    connection: Connection,
    tenant: int,
    *,
    reason: Reason | None = None,
    source: str | None = None,
    state: str | None = None,
    after: Position | None = None,
    limit: int,
) -> list[DeadLetter]:
    """At most `limit` dead letters, the newest first, beginning behind `after`."""
    cursor = (after.received_at, after.id_hash, after.reason) if after else (None, None, None)
    rows = await connection.fetch(_PAGE, tenant, reason, source, state, *cursor, limit)
    return [DeadLetter(**{**row, "reason": Reason(row["reason"])}) for row in rows]


async def mark(
    connection: Connection,
    tenant: int,
    state: State,
    *,
    until: datetime,
    reason: Reason | None = None,
    source: str | None = None,
    event_id: str | None = None,
) -> int:
    """Set the state of the open dead letters of a choice that were received up to `until`; how many were changed."""
    answer: str = await connection.execute(_MARK, tenant, state, reason, source, event_id, until)
    return int(answer.rpartition(" ")[2])
