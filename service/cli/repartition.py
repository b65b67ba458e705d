"""`tidegauge repartition`: the log's next generation, with another number of partitions or another kind of log."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from service import settings as environment
from service.abandoning import Abandoning
from service.cli.connect import database, database_url
from service.clock import SystemClock
from service.errors import InvalidArgument
from service.eventlog.kafka import KafkaConnection
from service.eventlog.opening import KAFKA, POSTGRES
from service.repartition import Progress, Repartitioning, Step, check_target
from service.settings import PREFIX, Settings
from service.store import ledger, moving_ids, repartition
from service.store.engine import FAILURES, create_pool
from service.store.installation import Installation
from service.store.repartition import Repartition
from service.telemetry import configure_logging

CONNECTIONS = 4
MOST_PARTITIONS = 256
_SAYS = {
    Step.COPY: "Copying the ids of stored events to the new partitions, while everything goes on",
    Step.SEAL: "Sealing generation {former}: events are answered with 503 and Retry-After until the switch",
    Step.DRAIN: "Waiting until aggregators have consumed what is left",
    Step.COPY_REST: "Copying the ids that came in meanwhile",
    Step.SWITCH: "Switching",
    Step.CLEAN: "In use. Letting go of what generation {former} leaves behind",
}


class Kind(StrEnum):
    """Where a log may lie."""

    KAFKA = KAFKA
    POSTGRES = POSTGRES


def start(
    partitions: Annotated[
        int | None, typer.Option(min=1, max=MOST_PARTITIONS, help="Partitions of the next generation; as many as now by default")
    ] = None,
    log: Annotated[Kind | None, typer.Option(help="Where the next generation lies; where the log is now by default")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing")] = False,  # noqa: FBT002
    abandon: Annotated[  # noqa: FBT002
        bool, typer.Option("--abandon", help="Take back what has not switched yet: the log takes events again, as it was")
    ] = False,
) -> None:
    """Open the log's next generation: drain the old one, take ids along, switch; broken off, the same goes on."""
    settings = environment.load()
    configure_logging("warning", settings.log_format)
    asyncio.run(_run(settings, _Wish(partitions, log), dry_run=dry_run, abandon=abandon))


@dataclass(frozen=True, slots=True)
class _Wish:
    """What was asked for."""

    partitions: int | None
    log: Kind | None

    def target(self, now: Installation, under_way: Repartition | None) -> tuple[str, int]:
        """Kind and partitions of the next generation; raises InvalidArgument where another one is under way."""
        if under_way is None:
            return str(self.log or now.log_kind), self.partitions or now.partitions
        there = (under_way.log_kind, under_way.partitions)
        if (str(self.log or there[0]), self.partitions or there[1]) != there:
            raise InvalidArgument(
                f"a repartition to {_name(*there)} is under way: finish it with `tidegauge repartition`, "
                f"or take it back with `tidegauge repartition --abandon`"
            )
        return there


async def _run(settings: Settings, wish: _Wish, *, dry_run: bool, abandon: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    try:
        async with database(settings) as connection:
            await _work(console, connection, settings, wish, dry_run=dry_run, abandon=abandon)
    except FAILURES as error:
        raise repartition.unanswered(error) from error


async def _work(
    console: Console, connection: asyncpg.Connection, settings: Settings, wish: _Wish, *, dry_run: bool, abandon: bool
) -> None:
    if abandon:
        await repartition.be_the_only_one(connection)
        await _abandon(console, settings, *await repartition.stand(connection))
        return
    now, under_way = await repartition.stand(connection)
    kind, partitions = wish.target(now, under_way)
    if KAFKA in {kind, now.log_kind, under_way.former_kind if under_way else kind}:
        KafkaConnection.of(settings)  # raises what is missing, before anything is changed
    if dry_run:
        await _say_what_would_be(console, connection, now, under_way, (kind, partitions))
        return
    await repartition.be_the_only_one(connection)
    now, under_way = await repartition.stand(connection)
    if under_way is None:
        if (kind, partitions) == (now.log_kind, now.partitions):
            console.print(f"Nothing to do: generation {now.generation} of the log is {_name(kind, partitions)} already.")
            return
        await check_target(settings, log_kind=kind, generation=now.generation + 1, partitions=partitions)
        under_way = await repartition.begin(connection, now, log_kind=kind, partitions=partitions)
    await _go(console, settings, now, under_way)
    if pause_s := await repartition.pause_s(connection, under_way):
        console.print(f"Done: no events were taken for {pause_s:.1f} s.")
    else:
        console.print("Done.")
    _say_what_to_set(console, under_way)


async def _go(console: Console, settings: Settings, now: Installation, under_way: Repartition) -> None:
    former = under_way.generation - 1
    console.print(f"Generation {under_way.generation} of the log: {_name(under_way.log_kind, under_way.partitions)}")
    with console.status("") as shown:
        async with _pool(settings) as pool:
            job = Repartitioning(settings, pool, SystemClock(), now, under_way)
            at: Step | None = None
            async with contextlib.aclosing(job.run()) as running:
                async for each in running:
                    if each.step is not at:
                        at = each.step
                        console.print(f"  {_SAYS[at].format(former=former)}")
                    shown.update(_left(each))


async def _abandon(console: Console, settings: Settings, now: Installation, under_way: Repartition | None) -> None:
    if under_way is None:
        console.print("Nothing to take back: no repartition is under way.")
        return
    async with _pool(settings) as pool:
        job = Abandoning(settings, pool, now, under_way)
        async for _ in job.run():
            pass
    console.print(f"Taken back: generation {now.generation} takes events as before, {_name(now.log_kind, now.partitions)}.")
    if job.left_behind:
        console.print(job.left_behind)


@contextlib.asynccontextmanager
async def _pool(settings: Settings) -> AsyncIterator[asyncpg.Pool]:
    pool: asyncpg.Pool
    async with await create_pool(database_url(settings), max_size=CONNECTIONS) as pool:
        yield pool


def _left(at: Progress) -> str:
    """What the moving line says."""
    match at.step:
        case Step.COPY | Step.COPY_REST:
            return f"{at.left:,} ids to go"
        case Step.DRAIN if at.waits:
            return f"{at.left:,} events to go, and no aggregator runs: start one (`tidegauge aggregate`)"
        case Step.DRAIN:
            return f"{at.left:,} events to go"
        case _:
            return ""


async def _say_what_would_be(
    console: Console, connection: asyncpg.Connection, now: Installation, under_way: Repartition | None, target: tuple[str, int]
) -> None:
    ids = await moving_ids.uncopied(connection, now.generation)
    pending = (await ledger.check(connection)).pending
    stands = "not begun" if under_way is None else f"under way: {under_way.phase}"
    table = Table(show_header=False)
    table.add_row("now", f"generation {now.generation}: {_name(now.log_kind, now.partitions)}")
    if target == (now.log_kind, now.partitions) and under_way is None:
        table.add_row("then", "the same: nothing to do")
    else:
        table.add_row("then", f"generation {under_way.generation if under_way else now.generation + 1}: {_name(*target)}")
        table.add_row("stands", stands)
        table.add_row("ids to copy", f"{ids.ids:,} ({ids.size_bytes:,} bytes, {ids.rows:,} rows)")
        table.add_row("events to drain", f"{pending:,}, as of now")
    console.print(table)
    console.print("Nothing was changed.")


def _say_what_to_set(console: Console, done: Repartition) -> None:
    console.print(f"Set {PREFIX}PARTITIONS={done.partitions} where it is set, before a process is started anew.")
    if done.log_kind == done.former_kind:
        console.print("Processes that run have gone on by themselves.")
    elif done.log_kind == KAFKA:
        console.print(f"Start all roles with {PREFIX}KAFKA_BOOTSTRAP set: those that run without it have ended.")
    else:
        console.print(f"Start all roles with {PREFIX}KAFKA_BOOTSTRAP unset: those that run with it have ended.")


def _name(kind: str, partitions: int) -> str:
    return f"in {kind.capitalize()}, {partitions} partitions"
