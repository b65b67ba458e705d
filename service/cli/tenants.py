"""`tidegauge tenants`: make and list them."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from service.cli.connect import database
from service.store import tenants as store

app = typer.Typer(help="Tenants: one isolated space each (a product, in one environment).", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and hyphens, up to 63")],
    timezone: Annotated[str, typer.Option(help="IANA time zone that its days are cut in; it never changes once there is data")],
) -> None:
    """Make a tenant."""

    async def made() -> store.Tenant:
        async with database() as connection:
            return await store.create_tenant(connection, name, timezone)

    tenant = asyncio.run(made())
    typer.echo(f"tenant {tenant.name} has number {tenant.id} and days in {tenant.timezone}", err=True)
    typer.echo(f"next: tidegauge keys create --tenant {tenant.name} --scopes ingest,read", err=True)


@app.command("list")
def list_all() -> None:
    """Show all tenants."""

    async def found() -> list[store.Tenant]:
        async with database() as connection:
            return await store.list_tenants(connection)

    table = Table("tenant", "number", "time zone", "configuration")
    for tenant in asyncio.run(found()):
        version = f"version {tenant.config_version}" if tenant.config_version else "defaults"
        table.add_row(tenant.name, str(tenant.id), tenant.timezone, version)
    Console().print(table)
