"""`tidegauge dead-letters`: what was refused, as it came, and saying what became of it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from service.cli.connect import database
from service.clock import SystemClock, to_datetime
from service.domain.reasons import Reason
from service.domain.timestamps import instant_us
from service.errors import InvalidArgument
from service.store import dead_letters
from service.store.dead_letters import STATES, DeadLetter, Position, State
from service.store.tenants import tenant_by_name

PAGE = 200
SHOWN = 20

app = typer.Typer(help="Dead letters: events that were refused, as they came.", no_args_is_help=True)
TenantName = Annotated[str, typer.Option("--tenant", help="Whose dead letters")]
ReasonOption = Annotated[str | None, typer.Option("--reason", help=f"Only these: {', '.join(Reason)}")]
SourceOption = Annotated[str | None, typer.Option("--source", help="Only of this source")]
StateOption = Annotated[str, typer.Option("--state", help=f"One of {', '.join(STATES)}")]


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which dead letters are meant."""

    reason: Reason | None
    source: str | None
    state: State

    @classmethod
    def of(cls, reason: str | None, source: str | None, state: str) -> "_Choice":
        """Check what was typed; raises InvalidArgument that lists what there is."""
        if reason is not None and reason not in list(Reason):
            raise InvalidArgument(f"reason {reason!r} is none of {', '.join(Reason)}")
        known = next((each for each in STATES if each == state), None)
        if known is None:
            raise InvalidArgument(f"state {state!r} is none of {', '.join(STATES)}")
        return cls(Reason(reason) if reason else None, source, known)


@app.command("list")
def list_newest(
    tenant: TenantName,
    reason: ReasonOption = None,
    source: SourceOption = None,
    state: StateOption = "open",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most rows")] = SHOWN,
) -> None:
    """Show the newest ones with their reasons."""
    table = Table("received", "reason", "source", "id", "times", "why")

    async def fill() -> None:
        async for each in _found(tenant, _Choice.of(reason, source, state), limit):
            when = f"{each.received_at:%Y-%m-%d %H:%M:%S}"
            # What was sent may look like rich's markup.
            words = (when, each.reason, each.source, each.id, str(each.count), each.detail)
            table.add_row(*(escape(word) for word in words))

    asyncio.run(fill())
    Console().print(table)


@app.command()
def export(tenant: TenantName, reason: ReasonOption = None, source: SourceOption = None, state: StateOption = "open") -> None:
    """Write them to standard output as they came, one a line, to be mended and sent again."""

    async def write() -> None:
        async for each in _found(tenant, _Choice.of(reason, source, state), None):
            typer.echo(_one_line(each.raw))

    asyncio.run(write())


@app.command()
def mark(
    tenant: TenantName,
    state: Annotated[str, typer.Argument(help=f"What became of them: {', '.join(STATES)}")],
    reason: ReasonOption = None,
    source: SourceOption = None,
    event_id: Annotated[str | None, typer.Option("--id", help="Only of the event with this id")] = None,
    until: Annotated[str | None, typer.Option(help="Only what was received up to this RFC 3339 instant; now by default")] = None,
) -> None:
    """Say that the open ones of a choice were mended and sent again (`resent`), or will not be (`dismissed`)."""
    choice = _Choice.of(reason, source, state)
    until_us = SystemClock().now_us() if until is None else instant_us(until, "--until")

    async def marked() -> int:
        async with database() as connection:
            owner = await tenant_by_name(connection, tenant)
            return await dead_letters.mark(
                connection,
                owner.id,
                choice.state,
                until=to_datetime(until_us),
                reason=choice.reason,
                source=choice.source,
                event_id=event_id,
            )

    typer.echo(f"{asyncio.run(marked()):,} marked as {state}")


def _one_line(raw: bytes) -> str:
    """The event as one line of NDJSON; what is no JSON goes out as it came, without its line breaks."""
    try:
        return msgspec.json.format(raw, indent=-1).decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return raw.decode(errors="replace").replace("\n", " ")


async def _found(tenant: str, choice: _Choice, limit: int | None) -> AsyncIterator[DeadLetter]:
    """The newest first, a page at a time."""
    async with database() as connection:
        owner = await tenant_by_name(connection, tenant)
        after: Position | None = None
        given = 0
        while limit is None or given < limit:
            size = PAGE if limit is None else min(PAGE, limit - given)
            page = await dead_letters.page(
                connection, owner.id, reason=choice.reason, source=choice.source, state=choice.state, after=after, limit=size
            )
            for each in page:
                yield each
            given += len(page)
            if len(page) < size:
                return
            after = Position.behind(page[-1])
