"""`tidegauge keys`: make, list and revoke them."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from service.cli.connect import database
from service.store import keys as store
from service.store.tenants import tenant_by_name

app = typer.Typer(help="API keys: what a request proves itself with.", no_args_is_help=True)
TenantName = Annotated[str, typer.Option("--tenant", help="The tenant that the key speaks for")]


@app.command()
def create(
    tenant: TenantName,
    scopes: Annotated[str, typer.Option(help=f"What it may, with commas: {', '.join(store.SCOPES)}")],
    name: Annotated[str, typer.Option(help="What it is for, shown by `keys list`")] = "",
) -> None:
    """Make a key; it alone goes to standard output, and it is never shown again."""

    async def made() -> tuple[store.ApiKey, str]:
        async with database() as connection:
            owner = await tenant_by_name(connection, tenant)
            wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
            return await store.create_key(connection, owner, wanted, name)

    key, secret = asyncio.run(made())
    typer.echo(f"key {key.id} of tenant {key.tenant_name} may {_scopes(key)}; keep it: only its hash is stored", err=True)
    typer.echo(secret)


@app.command("list")
def list_all(tenant: TenantName) -> None:
    """Show a tenant's keys, the newest first."""

    async def found() -> list[store.ApiKey]:
        async with database() as connection:
            return await store.list_keys(connection, await tenant_by_name(connection, tenant))

    table = Table("key", "name", "scopes", "made", "revoked")
    for key in asyncio.run(found()):
        revoked = f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else ""
        table.add_row(key.id, key.name, _scopes(key), f"{key.created_at:%Y-%m-%d %H:%M}", revoked)
    Console().print(table)


@app.command()
def revoke(key: Annotated[str, typer.Argument(help="The key's id, as `keys list` shows it")]) -> None:
    """End a key; it stops working within 10 seconds."""

    async def ended() -> store.ApiKey:
        async with database() as connection:
            return await store.revoke_key(connection, key)

    typer.echo(f"key {asyncio.run(ended()).id} is revoked and stops working within 10 seconds", err=True)


def _scopes(key: store.ApiKey) -> str:
    return ", ".join(scope for scope in store.SCOPES if scope in key.scopes)
