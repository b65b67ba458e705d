"""A configuration's file on its way through a command: read, and its mistakes told with their lines."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from service import settings as environment
from service.catalog.guests import load_catalog
from service.cli.connect import database
from service.clock import SystemClock
from service.errors import InvalidConfiguration, Mistake
from service.store.config import Applied, change_config
from service.store.config_checks import Rules

File = Annotated[Path, typer.Argument(help="The configuration, a TOML file", exists=True, dir_okay=False, readable=True)]


async def change(tenant: str, file: Path, *, dry_run: bool = False) -> Applied:
    """Store the file as the tenant's next version, or only check it; raises InvalidConfiguration, NotFound."""
    settings = environment.load()
    text = text_of(file)
    async with database(settings) as connection:
        catalog = await load_catalog(connection, settings.kpi_directory)
        rules = Rules(SystemClock().now_us(), catalog.shapes(), settings.kafka_topic_prefix, settings.source_topics)
        return await change_config(connection, tenant, text, rules, dry_run=dry_run)


@contextmanager
def mistakes_told(file: Path) -> Iterator[None]:
    """Every mistake of the file on standard error, with its line, and the command ends with 1."""
    try:
        yield
    except InvalidConfiguration as error:
        for mistake in error.mistakes:
            typer.echo(f"{file}:{mistake.line}: {mistake}", err=True)
        typer.echo(f"{len(error.mistakes)} to mend, nothing is stored", err=True)
        raise typer.Exit(1) from error


def warnings_told(applied: Applied) -> None:
    """What goes with a version, on standard error."""
    for sentence in applied.warnings:
        typer.echo(f"warning: {sentence}", err=True)


def text_of(file: Path) -> str:
    """A file of a configuration as text; raises InvalidConfiguration."""
    content = file.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidConfiguration([Mistake("", line, "no UTF-8: save the file in that encoding")]) from error
