"""Notes and frozen copies of reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from service.errors import NotFound
from service.store.engine import Connection

MAX_ATTEMPTS = 12

# Prose for one blank of one report; a new text takes the place of the old one, an empty one takes it away.
_WRITE_NOTE = """
insert into note as n (tenant, report, account, start_at, blank, text) values ($1, $2, $3, $4, $5, $6)
on conflict (tenant, report, account, start_at, blank) do update set text = excluded.text, at = now()
where n.text is distinct from excluded.text
"""

_TAKE_NOTE = "delete from note where tenant = $1 and report = $2 and account = $3 and start_at = $4 and blank = $5"

# The prose of one report's window.
_NOTES = "select blank, text from note where tenant = $1 and report = $2 and account = $3 and start_at = $4"

# Keeps a report; one that its schedule has had already stays as it is, and nothing comes back.
_KEEP = """
insert into report_copy (tenant, report, account, due_at, start_at, end_at, content, formats, webhook, next_attempt_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, case when $9 <> '' then now() end)
on conflict (tenant, report, account, due_at) do nothing
returning id
"""

_HEAD = "id, tenant, report, account, due_at, start_at, end_at, made_at, formats, webhook, posted_at, attempts, failure"

# The copies of one report, the newest first.
_COPIES = f"""
select {_HEAD} from report_copy
where tenant = $1 and report = $2 and ($3::text is null or account = $3) and ($4::bigint is null or id < $4)
order by id desc limit $5
"""

_COPY = "select content from report_copy where tenant = $1 and report = $2 and id = $3"

# When each schedule of a tenant was last kept.
_LAST_DUE = (
    "select report, account, max(due_at) as due_at from report_copy where tenant = $1 and due_at is not null group by 1, 2"
)

# Copies that wait to be posted, locked against other evaluators.
_UNPOSTED = f"""
select {_HEAD}, content from report_copy
where next_attempt_at <= now() and posted_at is null and attempts < {MAX_ATTEMPTS}
order by next_attempt_at limit $1
for update skip locked
"""

_POSTED = "update report_copy set posted_at = now(), attempts = attempts + 1, failure = '', next_attempt_at = null where id = $1"

# Each failure doubles the wait, from a minute to six hours.
_FAILED = f"""
update report_copy
set attempts = attempts + 1, failure = $2,
    next_attempt_at = case when attempts + 1 < {MAX_ATTEMPTS}
                           then now() + least(interval '6 hours', interval '1 minute' * 2 ^ attempts) end
where id = $1
"""


@dataclass(frozen=True, slots=True)
class Copy:
    """What is known of a frozen report."""

    id: int
    tenant: int
    report: str
    account: str
    due_at: datetime | None
    """The time of its schedule; None where it was asked for."""
    start_at: datetime
    end_at: datetime
    made_at: datetime
    formats: list[str]
    """In which its webhook is given it."""
    webhook: str
    posted_at: datetime | None
    attempts: int
    failure: str
    """Why it could not be posted the last time."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which report of a tenant: its name, its account ("" for none), and the beginning of its window."""

    tenant: int
    report: str
    account: str
    start_at: datetime


async def write_note(connection: Connection, place: Place, blank: str, text: str) -> None:
    """Fill a blank; an empty text empties it."""
    where = (place.tenant, place.report, place.account, place.start_at, blank)
    if text:
        await connection.execute(_WRITE_NOTE, *where, text)
    else:
        await connection.execute(_TAKE_NOTE, *where)


async def notes(connection: Connection, place: Place) -> Mapping[str, str]:
    """Prose by blank."""
    rows = await connection.fetch(_NOTES, place.tenant, place.report, place.account, place.start_at)
    return {row["blank"]: row["text"] for row in rows}


async def keep(
    connection: Connection,
    place: Place,
    *,
    end_at: datetime,
    content: bytes,
    due_at: datetime | None = None,
    formats: Sequence[str] = (),
    webhook: str = "",
) -> int | None:
    """Store a report frozen; gives back its number, None where its schedule has had it already."""
    number: int | None = await connection.fetchval(
        _KEEP, place.tenant, place.report, place.account, due_at, place.start_at, end_at, content, list(formats), webhook
    )
    return number


async def copies(
    connection: Connection, tenant: int, report: str, *, account: str | None, before: int | None, limit: int
) -> list[Copy]:
    """At most `limit` copies, the newest first, beginning behind the number `before`."""
    return [Copy(**dict(row)) for row in await connection.fetch(_COPIES, tenant, report, account, before, limit)]


async def content_of(connection: Connection, tenant: int, report: str, number: int) -> bytes:
    """A frozen report as it was stored; raises NotFound."""
    content: bytes | None = await connection.fetchval(_COPY, tenant, report, number)
    if content is None:
        raise NotFound(f"there is no copy {number} of the report {report}: GET /v1/reports/{report}/copies lists them")
    return content


async def last_due(connection: Connection, tenant: int) -> Mapping[tuple[str, str], datetime]:
    """By report and account, the time of the schedule that was kept last."""
    return {(row["report"], row["account"]): row["due_at"] for row in await connection.fetch(_LAST_DUE, tenant)}


async def unposted(connection: Connection, limit: int) -> list[tuple[Copy, bytes]]:
    """Copies whose webhook is to be called now, locked until the transaction ends."""
    rows = [dict(row) for row in await connection.fetch(_UNPOSTED, limit)]
    return [(Copy(**{key: row[key] for key in row if key != "content"}), row["content"]) for row in rows]


async def posted(connection: Connection, number: int, *, failure: str = "") -> None:
    """Say that the webhook took a copy, or why not."""
    if failure:
        await connection.execute(_FAILED, number, failure[:1_000])
    else:
        await connection.execute(_POSTED, number)
