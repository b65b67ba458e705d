"""The demonstration of a first start: the pilot week goes in over HTTP, its figures come out, a stream goes on."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from service.clock import Clock, SystemClock
from service.demo import pilot, setup, stream, tables
from service.demo.client import Client
from service.demo.setup import Demo
from service.domain.families.registry import FAMILIES
from service.settings import Settings

ROUND_S = 1.0
SETTLE_S = 300.0
POLL_S = 0.2


@contextlib.asynccontextmanager
async def demonstration(console: Console, settings: Settings, url: str, address: str) -> AsyncIterator[None]:
    """Replay the pilot week if that was not done yet, show its figures, and keep a small stream going meanwhile."""
    clock = SystemClock()
    demo = await setup.prepare(url, settings.data, clock)
    client = Client(address, write_key=demo.write_key, read_key=demo.read_key)
    with client:
        if not demo.replayed:
            await asyncio.to_thread(_replay, client, demo, console)
            setup.write(settings.data, msgspec.structs.replace(demo, replayed=True))
        await asyncio.to_thread(_show, client, demo, console)
        _say_how(console, demo, address)
        streaming = asyncio.create_task(_stream(client, clock), name="demonstration")
        try:
            yield
        finally:
            streaming.cancel()
            await asyncio.gather(streaming, return_exceptions=True)


def _replay(client: Client, demo: Demo, console: Console) -> None:
    events = list(pilot.events([family.type for family in FAMILIES], monday=demo.monday))
    columns = (TextColumn("Replaying the pilot week"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=len(events))
        client.send(events, progress=lambda count: bar.advance(task, count))
    client.settle(timeout_s=SETTLE_S, poll_s=POLL_S)


def _show(client: Client, demo: Demo, console: Console) -> None:
    end = f"{demo.monday + timedelta(days=pilot.DAYS)}T00:00:00Z"
    console.print(f"\nThe pilot week, moved to the week of {demo.monday}, as the query API gives it:\n")
    console.print(tables.scorecard(client.get("/v1/scorecards/sla", window="week", end=end)))
    console.print(tables.daily(client, demo.monday))
    console.print(tables.heat_map(client.get("/v1/kpis/feature_heatmap", window="week", end=end, by="feature,weekday")))


def _say_how(console: Console, demo: Demo, address: str) -> None:
    console.print("A small stream of made-up events goes on (source /demonstration; `--no-demo` leaves it out). Ask for it:\n")
    console.print(
        f"  curl -s -H 'Authorization: Bearer {demo.read_key}' '{address}/v1/kpis/requests?window=5m&by=route'\n",
        soft_wrap=True,
    )


async def _stream(client: Client, clock: Clock) -> None:
    """A round of events a second; what the service does not take at the moment is left out, it is a demonstration."""
    chance = random.Random()  # noqa: S311  # made-up events, no secrets
    while True:
        with contextlib.suppress(httpx.HTTPError):
            await asyncio.to_thread(client.send, list(stream.one_round(clock, chance)))
        await asyncio.sleep(ROUND_S)
