"""`tidegauge grafana-role`: make, renew and drop the role of Postgres that a tenant's dashboards read with."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import asyncpg
import typer

from service.cli.connect import database
from service.errors import InvalidArgument
from service.store import grafana as store
from service.store.tenants import Tenant, tenant_by_name

Made = TypeVar("Made")


def grafana_role(
    tenant: Annotated[str, typer.Argument(help="The tenant whose rows the role reads, and no other's")],
    password_file: Annotated[
        Path | None, typer.Option(help="A file that holds the password; without one it is made and shown once")
    ] = None,
    role: Annotated[
        str, typer.Option(help="The role's name, which readers of other tenants can see; without one it is random")
    ] = "",
    renew: Annotated[bool, typer.Option("--renew", help="Give the role that there is a new password")] = False,  # noqa: FBT002
    drop: Annotated[bool, typer.Option("--drop", help="Drop the role and end its sessions")] = False,  # noqa: FBT002
) -> None:
    """Make the role of Postgres that a tenant's dashboards read with; its name and a made password go to standard output."""
    if renew and drop:
        raise InvalidArgument("--renew and --drop exclude each other: a role that is dropped needs no password")
    if drop:
        dropped = asyncio.run(_with(tenant, store.drop_reader))
        typer.echo(f"role {dropped} is gone, and its sessions have ended", err=True)
        return
    password = store.new_password() if password_file is None else _read(password_file)

    async def make(connection: asyncpg.Connection, owner: Tenant) -> store.Reader:
        if renew:
            return await store.renew_password(connection, owner, password)
        return await store.create_reader(connection, owner, password, role=role)

    reader = asyncio.run(_with(tenant, make))
    typer.echo(
        f"role {reader.role} reads tenant {tenant} in the schema grafana (docs/grafana-views.md), and nothing else", err=True
    )
    for door in reader.open_doors:
        typer.echo(f"left open: {door}", err=True)
    typer.echo(reader.role)
    if password_file is None:
        typer.echo("keep the password: only its verifier is stored", err=True)
        typer.echo(password)


async def _with(tenant: str, does: Callable[[asyncpg.Connection, Tenant], Awaitable[Made]]) -> Made:
    async with database() as connection:
        return await does(connection, await tenant_by_name(connection, tenant))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"{path} cannot be read as a password: {error}") from error
