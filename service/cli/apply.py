"""`tidegauge apply`: a tenant's configuration, checked whole and stored as its next version."""

import asyncio
from typing import Annotated

import typer

from service.cli.config_file import File, change, mistakes_told, warnings_told


def apply(file: File, tenant: Annotated[str, typer.Option(help="The tenant that declares it")]) -> None:
    """Check a tenant's configuration and store it as its next version."""
    with mistakes_told(file):
        applied = asyncio.run(change(tenant, file))
    warnings_told(applied)
    typer.echo(f"version {applied.version} of {tenant}")
