"""`tidegauge up`: the whole service on this machine, with one command."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console

from service import settings as environment
from service.demo.show import demonstration
from service.errors import InvalidSettings, StoreUnavailable
from service.lifecycle import stop_signals
from service.settings import Settings
from service.store.embedded import EmbeddedPostgres
from service.store.engine import describe
from service.store.migrate import migrate
from service.supervisor import Role, Supervisor, free_ports
from service.telemetry import configure_logging

READY_TIMEOUT_S = 300.0
POLL_S = 0.1


def up(
    demo: Annotated[  # noqa: FBT002  # typer makes it --demo / --no-demo
        bool, typer.Option(help="On a first start make a tenant `demo`, replay the pilot week, and keep a stream going.")
    ] = True,
) -> None:
    """Start everything on this machine: Postgres, API, aggregator, evaluator (and source, with Kafka); Ctrl-C stops it."""
    settings = environment.load()
    configure_logging(settings.log_level, settings.log_format)
    with _only_one(settings.data):
        asyncio.run(_up(settings, demo=demo))


async def _up(settings: Settings, *, demo: bool) -> None:
    console = Console(highlight=False)
    address = f"http://{settings.host}:{settings.port}"
    with stop_signals() as stop:
        async with _postgres(settings, console) as (url, postgres):
            console.print(f"Migrating {describe(url)} …")
            await migrate(url, settings)
            supervisor = Supervisor(_roles(settings, url), postgres)
            supervisor.start()
            try:
                if not await _ready(address, stop):
                    return
                _say_where(console, address)
                if demo:
                    async with demonstration(console, settings, url, address):
                        await stop.wait()
                else:
                    _say_how(console, address)
                    await stop.wait()
            finally:
                console.print("Stopping: the API drains, the aggregator flushes …")
                await supervisor.stop()
    console.print("Stopped. The data is kept; `make run` goes on from here.")


@contextlib.asynccontextmanager
async def _postgres(settings: Settings, console: Console) -> AsyncIterator[tuple[str, EmbeddedPostgres | None]]:
    if settings.database_url is not None:
        yield settings.database_url, None
        return
    postgres = EmbeddedPostgres(settings.data)
    console.print(f"Starting the embedded Postgres in {settings.data.resolve()} …")
    await postgres.start()
    try:
        yield postgres.url, postgres
    finally:
        await postgres.stop()


def _roles(settings: Settings, url: str) -> list[Role]:
    common = {"TIDEGAUGE_DATABASE_URL": url, "TIDEGAUGE_DATA": str(settings.data.resolve())}
    names = ["aggregate", "evaluate", *(["source"] if settings.source_bootstrap else [])]
    others = dict(zip(names, free_ports(len(names)), strict=True))
    siblings = ",".join(f"{name}=http://127.0.0.1:{port}/metrics" for name, port in others.items())
    roles = [
        Role(name, [name], common | {"TIDEGAUGE_OPS_PORT": str(port), "POLARS_MAX_THREADS": "1"}) for name, port in others.items()
    ]
    return [Role("api", ["api"], common | {"TIDEGAUGE_SIBLINGS": siblings}), *roles]


async def _ready(address: str, stop: asyncio.Event) -> bool:
    """Wait for /readyz; False when asked to stop before."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + READY_TIMEOUT_S
    sentence = "no answer"
    async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
        while loop.time() < deadline:
            if stop.is_set():
                return False
            try:
                answer = await client.get(f"{address}/readyz")
            except httpx.HTTPError as error:
                sentence = str(error) or type(error).__name__
            else:
                if answer.is_success:
                    return True
                sentence = answer.text
            await asyncio.sleep(POLL_S)
    raise StoreUnavailable(f"{address}/readyz did not become ready within {READY_TIMEOUT_S:g} s: {sentence}")


def _say_where(console: Console, address: str) -> None:
    console.print(
        f"\n[bold]tidegauge is up[/bold]\n  API      {address}/v1\n  docs     {address}/docs\n  metrics  {address}/metrics\n"
    )


def _say_how(console: Console, address: str) -> None:
    console.print(
        "Make a tenant and a key, then send events:\n"
        "  tidegauge tenants create NAME --timezone UTC\n"
        "  tidegauge keys create --tenant NAME --scopes ingest,read\n"
        f"  {address}/docs shows how\n"
    )


@contextlib.contextmanager
def _only_one(data: Path) -> Iterator[None]:
    """Hold the data directory's lock, which a killed process loses by itself."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise InvalidSettings(
                f"another `tidegauge up` (process {lock.read().strip() or 'unknown'}) uses {data}; stop it, or set TIDEGAUGE_DATA"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
