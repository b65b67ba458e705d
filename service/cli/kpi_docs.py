"""`tidegauge kpi-docs`: a page of documentation a KPI: of the catalog, of the operator's own files, of a tenant's formulas."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from service import settings as environment
from service.catalog import Catalog, catalog_of
from service.catalog.guests import load_catalog, read_catalog
from service.cli.config_file import mistakes_told, text_of
from service.cli.connect import database
from service.clock import SystemClock
from service.domain.config import parse
from service.errors import InvalidArgument
from service.expose.documented import pages
from service.store.config import load_configs
from service.store.tenants import tenant_by_name

_DIRECTORY = "Where the pages go; others in it are removed, but those of files that are refused now"
Directory = Annotated[Path, typer.Argument(help=_DIRECTORY, file_okay=False)]
TenantName = Annotated[str | None, typer.Option("--tenant", help="A tenant, whose formulas get pages as they are declared now")]
File = Annotated[
    Path | None,
    typer.Option("--config", help="A configuration, a TOML file, whose formulas get pages", exists=True, dir_okay=False),
]


def write(directory: Directory, tenant: TenantName = None, config: File = None) -> None:
    """Write a page of documentation a KPI, and their index: of own KPIs, too."""
    if tenant is not None and config is not None:
        raise InvalidArgument("--tenant and --config both say whose formulas get pages: give one of them")
    catalog, lost = asyncio.run(_of_tenant(tenant)) if tenant is not None else (_of_files(config), ())
    made = pages(catalog)
    refused = [(Path(each.file).stem, f"of a file that is refused: {each}") for each in catalog.refused]
    refused += [(name, f"of the formula {name}: one of its KPIs is none at the moment") for name in lost]
    kept = {f"{name}.md" for name, _ in refused}
    directory.mkdir(parents=True, exist_ok=True)
    for page in directory.glob("*.md"):
        if page.name not in made and page.name not in kept:
            page.unlink()
    for name, text in made.items():
        (directory / name).write_text(text, encoding="utf-8")
    for name, why in refused:
        is_kept = name not in catalog.kpis and (directory / f"{name}.md").exists()
        typer.echo(f"warning: {f'{name}.md stays as it was, the page' if is_kept else 'no page'} {why}", err=True)
    typer.echo(f"{len(made)} pages in {directory}")


def _of_files(config: Path | None) -> Catalog:
    """The catalog with the operator's own files, and the formulas of a configuration."""
    catalog = read_catalog(environment.load().kpi_directory)
    if config is None:
        return catalog
    with mistakes_told(config):
        return catalog_of(catalog, parse(text_of(config), known_kpis=catalog.shapes()))


async def _of_tenant(name: str) -> tuple[Catalog, tuple[str, ...]]:
    """The catalog of a tenant, as it is now, and its formulas that are no KPIs at the moment, as their files are refused."""
    settings = environment.load()
    async with database(settings) as connection:
        catalog = await load_catalog(connection, settings.kpi_directory)
        tenant = await tenant_by_name(connection, name)
        configs = await load_configs(connection, [tenant.id])
    config = configs[tenant.id].at(SystemClock().now_us())
    found = catalog_of(catalog, config)
    return found, tuple(each.id for each in config.formulas if each.id not in found.kpis)
