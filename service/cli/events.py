"""`tidegauge import`: history of any age, from a file."""

import asyncio
import contextlib
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from service import settings as environment
from service import wiring
from service.cli.connect import database_url
from service.ingest.importing import Bookmark, count_lines, import_file
from service.ingest.importing import Progress as Imported
from service.settings import Settings
from service.store.tenants import tenant_by_name
from service.telemetry import configure_logging


def import_events(
    file: Annotated[Path, typer.Argument(help="NDJSON, one event a line; plain or gzip", exists=True, dir_okay=False)],
    tenant: Annotated[str, typer.Option(help="The tenant that the events belong to")],
) -> None:
    """Load history of any age; broken off, it goes on where it was; done twice, it counts once."""
    settings = environment.load()
    configure_logging("warning", settings.log_format)
    asyncio.run(_import(file, tenant, settings))


async def _import(file: Path, tenant: str, settings: Settings) -> None:
    console = Console(stderr=True)
    async with wiring.base(settings, database_url(settings), role="import", connections=4) as base:
        async with base.pool.acquire() as connection:
            owner = await tenant_by_name(connection, tenant)
        bookmark = Bookmark.of(settings.data, tenant, file)
        before = bookmark.read()
        if before.done:
            console.print(f"{file} is imported already: {before.accepted:,} accepted, {before.rejected:,} rejected")
            return
        door = wiring.appender(base)
        appending = asyncio.create_task(door.run(), name="appender")
        last = before
        try:
            with _bar(console) as bar:
                task = bar.add_task(file.name, total=count_lines(file), completed=before.lines)
                importing = import_file(file, owner.id, bookmark, decoder=wiring.decoder(base), appender=door, clock=base.clock)
                async with contextlib.aclosing(importing):
                    async for last in importing:
                        bar.update(task, completed=last.lines)
            await door.drain()
        finally:
            appending.cancel()
            await asyncio.gather(appending, return_exceptions=True)
        _say(console, last, tenant)


def _say(console: Console, last: Imported, tenant: str) -> None:
    console.print(f"{last.accepted:,} events accepted, {last.rejected:,} rejected")
    if last.rejected:
        console.print(f"`tidegauge dead-letters list --tenant {tenant}` shows why")


def _bar(console: Console) -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console)
