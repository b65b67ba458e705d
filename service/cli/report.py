"""`tidegauge report`: make a report now and write it out."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from service import settings as environment
from service.catalog.guests import load_catalog
from service.cli.connect import database_url
from service.clock import SystemClock
from service.domain.timestamps import instant_us
from service.errors import EventRefused, InvalidArgument
from service.reports.layouts import LAYOUTS
from service.reports.making import Maker, Wish
from service.reports.model import Report
from service.reports.rendering import FORMATS, Format, render
from service.store.engine import create_pool
from service.store.snapshots import SIDE_BY_SIDE
from service.store.tenants import tenant_by_name

CONNECTIONS = SIDE_BY_SIDE + 1
"""A snapshot leaves one to others, whom there are none of here."""


def report(
    name: Annotated[str, typer.Argument(help=f"Which one: {', '.join(LAYOUTS)}")],
    tenant: Annotated[str, typer.Option(help="The tenant that it is of")],
    form: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}")] = "md",
    account: Annotated[str, typer.Option(help="The account, of a report that is of one")] = "",
    window: Annotated[str, typer.Option(help="Name of the window; without it the last one that has closed")] = "",
    start: Annotated[str, typer.Option(help="Beginning of bounds of your own, RFC 3339")] = "",
    end: Annotated[str, typer.Option(help="End of the window, not included, RFC 3339")] = "",
    out: Annotated[Path | None, typer.Option(help="File to write; without it, standard output")] = None,
) -> None:
    """Make a report of a tenant, of the last window that has closed by default."""
    chosen = _format(form)
    wish = Wish(name, account, window or None, _instant("--start", start), _instant("--end", end))
    content = render(asyncio.run(_made(tenant, wish)), chosen)
    if out is not None:
        out.write_bytes(content)
        typer.echo(f"{out}: {len(content)} bytes", err=True)
    else:
        sys.stdout.buffer.write(content)


async def _made(tenant: str, wish: Wish) -> Report:
    settings = environment.load()
    async with await create_pool(database_url(settings), max_size=CONNECTIONS) as pool:
        async with pool.acquire() as connection:
            found = await tenant_by_name(connection, tenant)
            catalog = await load_catalog(connection, settings.kpi_directory)
        made, _ = await Maker(pool, catalog, SystemClock()).make(found.id, found.name, wish)
    return made


def _format(text: str) -> Format:
    for form in FORMATS:
        if form == text:
            return form
    raise InvalidArgument(f"--format {text!r}: there is {', '.join(FORMATS)}")


def _instant(option: str, text: str) -> int | None:
    if not text:
        return None
    try:
        return instant_us(text, option)
    except EventRefused as error:
        raise InvalidArgument(f"{option} {text!r} is no RFC 3339 instant with an offset, such as 2025-11-17T00:00:00Z") from error
