"""`tidegauge status`, `check` and `settings`: looking, and changing nothing."""

import asyncio
import contextlib
import shlex
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from service import settings as environment
from service.cli.connect import database, database_url
from service.clock import SECOND, SystemClock
from service.errors import NotFound
from service.eventlog.balance import LogCounts
from service.eventlog.opening import POSTGRES, open_log
from service.settings import PREFIX, Settings
from service.store import ledger, status
from service.store.engine import Connection, create_pool, describe
from service.store.installation import EVALUATE_LEASE, SELECT_INSTALLATION
from service.store.progress import watermark_us
from service.store.status import PartitionStatus, WorkerStatus

RATE_S = 1.0


def show_status() -> None:
    """Show who holds what, lag, watermark and rates."""
    asyncio.run(_status())


def check() -> None:
    """Add the ledger up: appended = stored + duplicate + dead-lettered + pending; exit code 1 where it does not."""
    report = asyncio.run(_added())
    typer.echo(
        f"appended {report.appended:,} = stored {report.stored:,} + duplicate {report.duplicate:,}"
        f" + dead-lettered {report.dead_lettered:,} + pending {report.pending:,}"
    )
    for mistake in report.mistakes:
        typer.echo(mistake, err=True)
    if report.mistakes:
        raise typer.Exit(1)
    typer.echo("the ledger is right")


def show_settings(
    plain: Annotated[bool, typer.Option("--plain", help="NAME=VALUE lines, for a file that a shell reads")] = False,  # noqa: FBT002
) -> None:
    """List every setting with its value and meaning."""
    settings = environment.load()
    named = {f"{PREFIX}{name.upper()}": (getattr(settings, name), field) for name, field in Settings.model_fields.items()}
    if plain:
        for name, (value, _) in named.items():
            shown = _shown(value)
            typer.echo(f"{name}={shlex.quote(shown)}" if shown == _text(value) else f"# {name} is not written: {shown}")
        return
    table = Table("setting", "value", "default", "meaning")
    for name, (value, field) in named.items():
        table.add_row(name, escape(_shown(value)), _text(field.default), field.description)
    Console().print(table)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _shown(value: object) -> str:
    """A value without what is secret in it: of an address the host and the database."""
    text = _text(value)
    return f"postgresql://…@{describe(text)}" if text.startswith(("postgresql://", "postgres://")) else text


async def _added() -> ledger.LedgerReport:
    """The ledger; of a log that lies elsewhere, what is pending is counted record by record."""
    settings = environment.load()
    async with database(settings) as connection, contextlib.AsyncExitStack() as stack:
        fixed = await connection.fetchrow(SELECT_INSTALLATION)
        if fixed is None or fixed["log_kind"] == POSTGRES:
            return await ledger.check(connection)
        pool = await stack.enter_async_context(await create_pool(database_url(settings), max_size=1))
        where = {"generation": fixed["generation"], "partitions": fixed["partitions"]}
        log = await open_log(settings, pool, **where, clock=SystemClock(), kind=fixed["log_kind"])
        stack.push_async_callback(log.close)
        return await ledger.check(connection, LogCounts(log, from_records=True))


async def _status() -> None:
    console = Console()
    async with database() as connection:
        generation = await _generation(connection)
        before = await status.partitions(connection, generation)
        await asyncio.sleep(RATE_S)
        after = await status.partitions(connection, generation)
        reached_us = await watermark_us(connection, generation)
        working = await status.workers(connection)
        evaluator = await status.holder(connection, EVALUATE_LEASE)
    now_us = SystemClock().now_us()
    table = Table("partition", "held by", "epoch", "appended", "pending", "lag", "in/s", "out/s", title="Event log")
    for was, now in zip(before, after, strict=True):
        holder = f"{now.host}:{now.pid}" if now.held else "nobody"
        lag = f"{max(0, now_us - now.oldest_us) / SECOND:.1f} s" if now.oldest_us is not None else "0 s"
        counts = (f"{now.appended:,}", f"{now.appended - now.consumed:,}")
        rates = (f"{(now.appended - was.appended) / RATE_S:,.0f}", f"{(now.consumed - was.consumed) / RATE_S:,.0f}")
        table.add_row(str(now.partition), holder, str(now.epoch), *counts, lag, *rates)
    console.print(table)
    console.print(_processes(working, after, evaluator))
    age = f"{max(0, now_us - reached_us) / SECOND:.1f} s ago" if reached_us else "not yet"
    console.print(f"Watermark: {age}. Everything received before it stands in the rollups.")


def _processes(working: Sequence[WorkerStatus], partitions: Sequence[PartitionStatus], evaluator: WorkerStatus | None) -> Table:
    """Who works, and what each one holds."""
    held: dict[tuple[str | None, int | None], list[str]] = {}
    for part in partitions:
        if part.held:
            held.setdefault((part.host, part.pid), []).append(str(part.partition))
    people = Table("role", "process", "holds", "since", "last seen", title="Processes")
    for each in working:
        if each.role == EVALUATE_LEASE:
            holds = (
                "the lease" if evaluator and (evaluator.host, evaluator.pid) == (each.host, each.pid) else "nothing: stands by"
            )
        else:
            holds = f"partitions {', '.join(held[each.host, each.pid])}" if (each.host, each.pid) in held else "nothing"
        seen = (f"{each.started_at:%Y-%m-%d %H:%M:%S}", f"{each.beat_at:%H:%M:%S}")
        people.add_row(each.role, f"{each.host}:{each.pid}", holds, *seen)
    return people


async def _generation(connection: Connection) -> int:
    row = await connection.fetchrow(SELECT_INSTALLATION)
    if row is None:
        raise NotFound("nothing was ever started on this database: `tidegauge up` or `tidegauge api` makes the installation")
    found: int = row["generation"]
    return found
