"""`tidegauge apply`: a tenant's configuration, checked whole and stored as its next version."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from service import settings as environment
from service.catalog import Catalog
from service.cli.connect import database
from service.clock import SystemClock
from service.errors import InvalidConfiguration, Mistake
from service.store.config import apply_config


def apply(
    file: Annotated[Path, typer.Argument(help="The configuration, a TOML file", exists=True, dir_okay=False, readable=True)],
    tenant: Annotated[str, typer.Option(help="The tenant that declares it")],
) -> None:
    """Check a tenant's configuration and store it as its next version."""
    try:
        version = asyncio.run(_apply(tenant, _text(file)))
    except InvalidConfiguration as error:
        for mistake in error.mistakes:
            typer.echo(f"{file}:{mistake.line}: {mistake}", err=True)
        typer.echo(f"{len(error.mistakes)} to mend, nothing is stored", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"version {version} of {tenant}")


def _text(file: Path) -> str:
    content = file.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidConfiguration([Mistake("", line, "no UTF-8: save the file in that encoding")]) from error


async def _apply(tenant: str, text: str) -> int:
    settings = environment.load()
    async with database(settings) as connection:
        return await apply_config(
            connection,
            tenant,
            text,
            now_us=SystemClock().now_us(),
            known_kpis=Catalog.load().shapes(),
            log_prefix=settings.kafka_topic_prefix,
            warn=lambda sentence: typer.echo(f"warning: {sentence}", err=True),
        )
