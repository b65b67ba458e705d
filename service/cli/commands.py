"""Every command and where it lives; a file is loaded when its command is called, for all of them together take long."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from service import __version__


class Place(NamedTuple):
    """Where a command is: a module of `service.cli`, and the name of its function, or of its `typer.Typer`."""

    module: str
    name: str


COMMANDS = {
    "up": Place("up", "up"),
    "api": Place("roles", "api"),
    "aggregate": Place("roles", "aggregate"),
    "evaluate": Place("roles", "evaluate"),
    "source": Place("roles", "source"),
    "migrate": Place("roles", "migrate"),
    "tenants": Place("tenants", "app"),
    "keys": Place("keys", "app"),
    "grafana-role": Place("grafana_role", "grafana_role"),
    "apply": Place("apply", "apply"),
    "config": Place("config", "app"),
    "import": Place("events", "import_events"),
    "report": Place("report", "report"),
    "dead-letters": Place("dead_letters", "app"),
    "status": Place("look", "show_status"),
    "check": Place("look", "check"),
    "repartition": Place("repartition", "start"),
    "settings": Place("look", "show_settings"),
    "kpi-docs": Place("kpi_docs", "write"),
    "rules": Place("rules", "write"),
}


class Commands(TyperGroup):
    """The group of all commands."""

    # Contexts and commands have types that typer keeps to itself.

    def list_commands(self, ctx: Any) -> list[str]:
        """Names, in the order of their use, as the help shows them."""
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command, loaded."""
        place = COMMANDS.get(cmd_name)
        return loaded(cmd_name, place) if place else super().get_command(ctx, cmd_name)


def loaded(name: str, place: Place) -> Any:
    """The command at a place."""
    found: typer.Typer | Callable[..., Any] = getattr(import_module(f"service.cli.{place.module}"), place.name)
    if isinstance(found, typer.Typer):
        group = get_group(found)
        group.name = name
        return group
    alone = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    alone.command(name)(found)
    return get_command(alone)


app = typer.Typer(
    cls=Commands,
    name="tidegauge",
    help="Product, SLA and incident events in; exact KPIs in Postgres, seconds later.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def main() -> None:
    """Product, SLA and incident events in; exact KPIs in Postgres, seconds later."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


__all__ = ["app"]
