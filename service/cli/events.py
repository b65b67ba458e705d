"""`tidegauge import`: history of any age, from a file."""

import asyncio
import contextlib
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from service import settings as environment
from service.cli.connect import database_url
from service.ingest.importing import Bookmark, Importer
from service.ingest.importing import Progress as Imported
from service.settings import Settings
from service.store.tenants import tenant_by_name
from service.telemetry import configure_logging
from service.wiring import base as wiring

BROKEN_OFF = 130
"""The exit code of a command that Ctrl-C ended, as shells have it."""


def import_events(
    file: Annotated[Path, typer.Argument(help="NDJSON, one event a line; plain or gzip", exists=True, dir_okay=False)],
    tenant: Annotated[str, typer.Option(help="The tenant that the events belong to")],
) -> None:
    """Load history of any age; broken off, it goes on where it was; done twice, it counts once."""
    settings = environment.load()
    configure_logging("warning", settings.log_format)
    try:
        asyncio.run(_import(file, file.stat().st_size, tenant, settings))
    except KeyboardInterrupt:
        typer.echo("broken off; the same command goes on from here", err=True)
        raise typer.Exit(BROKEN_OFF) from None


async def _import(file: Path, size_bytes: int, tenant: str, settings: Settings) -> None:
    console = Console(stderr=True)
    async with wiring.base(settings, database_url(settings), role="import", connections=4) as base:
        async with base.pool.acquire() as connection:
            owner = await tenant_by_name(connection, tenant)
        bookmark = Bookmark.of(settings.data, base.installation.hash_key, tenant, file)
        before = bookmark.read()
        if before.done:
            console.print(f"{file} is imported already: {_counts(before)}")
            return
        door = wiring.appender(base)
        importer = Importer(wiring.decoder(base), door, wiring.backlog(base), base.clock, settings.max_request_events)
        appending = asyncio.create_task(door.run(), name="appender")
        try:
            with _bar(console) as bar:
                task = bar.add_task(file.name, total=size_bytes, completed=before.position)
                async with contextlib.aclosing(importer.run(file, owner.id, bookmark)) as importing:
                    async for each in importing:
                        bar.update(task, completed=each.position)
            await door.drain()
        finally:
            appending.cancel()
            await asyncio.gather(appending, return_exceptions=True)
            _say(console, bookmark.read(), tenant)


def _counts(progress: Imported) -> str:
    return f"{progress.accepted:,} events accepted, {progress.rejected:,} rejected"


def _say(console: Console, reached: Imported, tenant: str) -> None:
    console.print(_counts(reached))
    if reached.rejected:
        console.print(f"`tidegauge dead-letters list --tenant {tenant}` shows why")


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
    )
