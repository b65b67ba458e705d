"""`tidegauge dead-letters`: what was refused, as it came, and saying what became of it."""

import asyncio
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from service.cli.connect import database
from service.domain.reasons import Reason
from service.errors import InvalidArgument
from service.store import dead_letters
from service.store.dead_letters import STATES, DeadLetter, Position
from service.store.tenants import tenant_by_name

PAGE = 500
SHOWN = 20

app = typer.Typer(help="Dead letters: events that were refused, as they came.", no_args_is_help=True)
TenantName = Annotated[str, typer.Option("--tenant", help="Whose dead letters")]
ReasonOption = Annotated[str | None, typer.Option("--reason", help=f"Only these: {', '.join(Reason)}")]
SourceOption = Annotated[str | None, typer.Option("--source", help="Only of this source")]
StateOption = Annotated[str, typer.Option("--state", help=f"One of {', '.join(STATES)}")]


@app.command("list")
def list_newest(
    tenant: TenantName,
    reason: ReasonOption = None,
    source: SourceOption = None,
    state: StateOption = "open",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most rows")] = SHOWN,
) -> None:
    """Show the newest ones with their reasons."""
    found = asyncio.run(_read(tenant, reason, source, state, limit))
    table = Table("received", "reason", "source", "id", "times", "why")
    for each in found:
        when = f"{each.received_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(when, each.reason, each.source, each.id, str(each.count), each.detail)
    Console().print(table)


@app.command()
def export(tenant: TenantName, reason: ReasonOption = None, source: SourceOption = None, state: StateOption = "open") -> None:
    """Write them to standard output as they came, one a line, to be mended and sent again."""
    for each in asyncio.run(_read(tenant, reason, source, state, None)):
        typer.echo(_one_line(each.raw))


@app.command()
def mark(
    tenant: TenantName,
    state: Annotated[str, typer.Argument(help=f"What became of them: {', '.join(STATES)}")],
    reason: ReasonOption = None,
    source: SourceOption = None,
) -> None:
    """Say that the open ones of a choice were sent again, or dismissed."""
    if state not in STATES:
        raise InvalidArgument(f"state {state!r} is none of {', '.join(STATES)}")

    async def marked() -> int:
        found = await _read(tenant, reason, source, "open", None)
        async with database() as connection:
            owner = await tenant_by_name(connection, tenant)
            return sum([await dead_letters.mark(connection, owner.id, each.id_hash, state) for each in found])

    typer.echo(f"{asyncio.run(marked())} marked as {state}")


def _one_line(raw: bytes) -> str:
    """The event as one line of NDJSON; what is no JSON goes out as it came, without its line breaks."""
    try:
        return msgspec.json.format(raw, indent=-1).decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return raw.decode(errors="replace").replace("\n", " ")


async def _read(tenant: str, reason: str | None, source: str | None, state: str, limit: int | None) -> list[DeadLetter]:
    if reason is not None and reason not in list(Reason):
        raise InvalidArgument(f"reason {reason!r} is none of {', '.join(Reason)}")
    found: list[DeadLetter] = []
    async with database() as connection:
        owner = await tenant_by_name(connection, tenant)
        after: Position | None = None
        while limit is None or len(found) < limit:
            size = PAGE if limit is None else min(PAGE, limit - len(found))
            page = await dead_letters.page(
                connection,
                owner.id,
                reason=Reason(reason) if reason else None,
                source=source,
                state=state,
                after=after,
                limit=size,
            )
            found += page
            if len(page) < size:
                break
            after = Position(page[-1].received_at, page[-1].id_hash, page[-1].reason)
    return found
