"""`tidegauge rules`: files of recording and alerting rules for Prometheus, from the catalog and what tenants declare."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from service import settings as environment
from service.catalog import Catalog
from service.catalog.guests import load_catalog, read_catalog
from service.cli.config_file import mistakes_told, text_of
from service.cli.connect import database
from service.clock import SystemClock
from service.domain.config import TenantConfig, parse
from service.errors import InvalidArgument
from service.rules import Links, Made, rule_files
from service.rules.files import OF_TENANTS
from service.rules.links import GRAFANA, RUNBOOKS
from service.store.config import load_configs
from service.store.tenants import list_tenants, tenant_by_name

Output = Annotated[
    Path, typer.Option(help="Where the files go; those of tenants that there are no more are removed", file_okay=False)
]
TenantName = Annotated[str | None, typer.Option("--tenant", help="Only the file of this tenant; all by default")]
File = Annotated[
    Path | None,
    typer.Option(
        "--config", help="The tenant's configuration, a TOML file, in place of the one that counts", exists=True, dir_okay=False
    ),
]
NoTenants = Annotated[bool, typer.Option("--no-tenants", help="Only the files of the installation, which need no database")]
Check = Annotated[
    bool,
    typer.Option("--check", help="Write nothing; say which files are not what would be written, and exit with 1 if any is not"),
]
Runbooks = Annotated[str, typer.Option(help="Address that runbooks lie under")]
Grafana = Annotated[str, typer.Option(help="Address of Grafana")]


def write(
    output: Output,
    tenant: TenantName = None,
    config: File = None,
    no_tenants: NoTenants = False,  # noqa: FBT002  # an option
    check: Check = False,  # noqa: FBT002  # likewise
    runbooks: Runbooks = RUNBOOKS,
    grafana: Grafana = GRAFANA,
) -> None:
    """Write rules for Prometheus: of the installation, and a file a tenant, as it is declared now."""
    if config is not None and tenant is None:
        raise InvalidArgument("--config is of one tenant: name it with --tenant")
    if no_tenants and tenant is not None:
        raise InvalidArgument("--no-tenants leaves out what --tenant asks for: give one of them")
    catalog, tenants = _declared(tenant, config, no_tenants=no_tenants)
    made = rule_files(catalog, tenants, Links(runbooks, grafana), shared=tenant is None)
    gone = [] if tenant is not None or no_tenants else _of_nobody(output, made)
    if check:
        _hold(output, made, gone)
        return
    output.mkdir(parents=True, exist_ok=True)
    for file in gone:
        file.unlink()
    for name, text in made.files.items():
        _replace(output / name, text)
    for sentence in made.untold:
        typer.echo(f"warning: {sentence}", err=True)
    typer.echo(f"{len(made.files)} files in {output}")


def _hold(output: Path, made: Made, gone: Sequence[Path]) -> None:
    """Say which files Prometheus should not go on with; ends with 1 if there is one."""
    stale = [f"{file.name}: there is no such tenant any more" for file in gone]
    for name, text in made.files.items():
        if not (output / name).exists():
            stale.append(f"{name}: it is not there")
        elif not _is_current(output / name, text):
            stale.append(f"{name}: it is not what the release and the configuration of now give")
    for sentence in stale:
        typer.echo(sentence, err=True)
    if stale:
        typer.echo(f"{output} is not current: the same command without --check writes it", err=True)
        raise typer.Exit(1)
    typer.echo(f"{len(made.files)} files in {output} are current")


def _of_nobody(output: Path, made: Made) -> list[Path]:
    """Files of tenants that there are no more."""
    return sorted(file for file in output.glob(f"{OF_TENANTS}*.yml") if file.name not in made.files)


def _declared(tenant: str | None, config: Path | None, *, no_tenants: bool) -> tuple[Catalog, Mapping[str, TenantConfig]]:
    """What the tenants asked for declare, and the catalog."""
    if no_tenants:
        return read_catalog(environment.load().kpi_directory), {}
    if tenant is None or config is None:
        return asyncio.run(_of_database(tenant))
    with mistakes_told(config):
        return _of_file(tenant, config)


def _of_file(tenant: str, file: Path) -> tuple[Catalog, Mapping[str, TenantConfig]]:
    catalog = read_catalog(environment.load().kpi_directory)
    return catalog, {tenant: parse(text_of(file), known_kpis=catalog.shapes())}


async def _of_database(tenant: str | None) -> tuple[Catalog, Mapping[str, TenantConfig]]:
    settings = environment.load()
    now_us = SystemClock().now_us()
    async with database(settings) as connection:
        catalog = await load_catalog(connection, settings.kpi_directory)
        tenants = [await tenant_by_name(connection, tenant)] if tenant else await list_tenants(connection)
        configs = await load_configs(connection, [each.id for each in tenants])
    return catalog, {each.name: configs[each.id].at(now_us) for each in tenants}


def _replace(path: Path, text: str) -> None:
    """Prometheus may read at any instant: it gets the file of before or the new one."""
    if path.exists() and _is_current(path, text):
        return
    part = path.with_name(f".{path.name}.new")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _is_current(path: Path, text: str) -> bool:
    return path.read_bytes() == text.encode()
