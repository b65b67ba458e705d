"""`tidegauge config`: begin a tenant's configuration, see what a file would change, and what counts."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from service.cli.apply import apply
from service.cli.config_file import File, change, mistakes_told, warnings_told
from service.cli.connect import database
from service.clock import SystemClock
from service.domain.config.counted import differing
from service.domain.config.default import DEFAULT_FILE
from service.domain.config.differences import Difference, differences
from service.domain.config.toml import toml_of, value_text
from service.domain.config.versions import FOR_EVER_US
from service.errors import AlreadyExists
from service.expose.moments import instant_us, rfc3339
from service.store.config import Applied, load_configs, load_source
from service.store.tenants import tenant_by_name

TenantName = Annotated[str, typer.Option("--tenant", help="The tenant that declares it")]
At = Annotated[str | None, typer.Option(help="The version that counts at this time, as 2027-01-04T05:00:00Z; now by default")]
Whole = Annotated[bool, typer.Option("--all", help="Every key with its value, and not the file as it was applied")]

app = typer.Typer(help="What a tenant declares: begin, compare, show, apply.", no_args_is_help=True)
app.command("apply")(apply)


@app.command()
def init(file: Annotated[Path | None, typer.Argument(help="Where to write it; standard output by default")] = None) -> None:
    """Write a file with every key, its default and what it means: it changes nothing until something in it is changed."""
    if file is None:
        typer.echo(DEFAULT_FILE, nl=False)
        return
    if file.exists():
        raise AlreadyExists(f"{file} is there already: name another file")
    file.write_text(DEFAULT_FILE, encoding="utf-8")
    typer.echo(f"{file}: change what differs, look with `tidegauge config diff {file} --tenant NAME`, then apply it", err=True)


@app.command()
def diff(file: File, tenant: TenantName) -> None:
    """Show what a file would change, from when on, and what stays as it is."""
    with mistakes_told(file):
        applied = asyncio.run(change(tenant, file, dry_run=True))
    for line in said_of(applied, tenant):
        typer.echo(line)
    warnings_told(applied)


@app.command()
def show(
    tenant: TenantName,
    at: At = None,
    whole: Whole = False,  # noqa: FBT002  # an option
) -> None:
    """Print the configuration that counts."""
    typer.echo(asyncio.run(_shown(tenant, at, whole=whole)), nl=False)


def said_of(applied: Applied, tenant: str) -> list[str]:
    """What a version would change, a line each."""
    if not applied.is_new:
        return []
    begins = "for ever" if applied.valid_from_us == FOR_EVER_US else f"from {rfc3339(applied.valid_from_us)} on"
    lines = [f"version {applied.version} of {tenant} would count {begins}"]
    lines += [_line(each) for each in differences(applied.before, applied.config)] or ["nothing differs but the date"]
    if applied.valid_from_us != FOR_EVER_US:
        lines.append("windows that end before are judged as they were")
    counted = differing(applied.before, applied.config)
    if counted and applied.version > 1:
        lines.append(f"events of before stay counted as they are: {', '.join(counted)} count for those after it")
    return lines


def _line(difference: Difference) -> str:
    before, after = difference.before, difference.after
    if before is None:
        return f"+ {difference.path}: {value_text(after)}"
    if after is None:
        return f"- {difference.path}: {value_text(before)}"
    return f"~ {difference.path}: {value_text(before)} → {value_text(after)}"


async def _shown(tenant: str, at: str | None, *, whole: bool) -> str:
    at_us = instant_us("at", at) or SystemClock().now_us()
    async with database() as connection:
        owner = await tenant_by_name(connection, tenant)
        configs = (await load_configs(connection, [owner.id]))[owner.id]
        place = configs.place_at(at_us)
        number, begins_us = configs.numbers[place], configs.valid_from_us[place]
        source = await load_source(connection, owner.id, number)
    since = "reaches back for ever" if begins_us == FOR_EVER_US else f"counts from {rfc3339(begins_us)} on"
    head = f"# version {number} of {tenant}, {since}\n" if number else f"# {tenant} has declared nothing: the defaults count\n"
    config = configs.versions[place]
    return head + (toml_of(config.model_dump(by_alias=True, exclude_none=True)) if whole or not number else source)
