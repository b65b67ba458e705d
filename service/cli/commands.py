"""Every command, and the file that it lives in."""

import typer

from service import __version__
from service.cli import apply, dead_letters, events, keys, look, repartition, roles, tenants, up

app = typer.Typer(
    name="tidegauge",
    help="Product, SLA and incident events in; exact KPIs in Postgres, seconds later.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("up")(up.up)
for role in (roles.api, roles.aggregate, roles.evaluate, roles.source, roles.migrate):
    app.command()(role)
app.add_typer(tenants.app, name="tenants")
app.add_typer(keys.app, name="keys")
app.command("apply")(apply.apply)
app.command("import")(events.import_events)
app.add_typer(dead_letters.app, name="dead-letters")
app.command("status")(look.show_status)
app.command("check")(look.check)
app.command("repartition")(repartition.start)
app.command("settings")(look.show_settings)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


__all__ = ["app"]
