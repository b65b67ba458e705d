"""The role `api`, built: every route, and the door's group commit behind it."""

import asyncio
import contextlib
import functools
import socket
from collections.abc import Callable, Mapping

from fastapi import FastAPI

from service.catalog import Catalog
from service.eventlog.balance import LogCounts
from service.eventlog.opening import POSTGRES
from service.expose import configuration, customers, live, process, readiness, reading, records, runbooks
from service.expose.process import Check
from service.following import follow, until_stopped_or_moved
from service.http.app import create_app
from service.http.auth import Keyring
from service.http.bodies import BodyReader
from service.http.server import listen, serve
from service.ingest import routes as ingest
from service.ingest.append import Appender
from service.ingest.backlog import LogBacklog
from service.ingest.hooks import routes as hooks
from service.lifecycle import cancel, spare_the_collector
from service.reports import routes as reports
from service.reports.making import Maker
from service.settings import Settings
from service.store.engine import ANSWERS, QUERIES
from service.store.installation import Installation
from service.wiring.base import Base, appender, backlog, base, catalog_for, decoder, own_checks

CONNECTIONS = 8


async def run_api(settings: Settings, url: str) -> None:
    """The role `api`: takes events in and answers queries until it is asked to stop."""
    with contextlib.ExitStack() as kept:
        # Opened once: between two generations of the log, clients wait for an answer and are not refused.
        listening = functools.cache(lambda: kept.enter_context(listen(settings.host, settings.port, setting="TIDEGAUGE_PORT")))
        await follow(lambda current: _api_on(current, url, listening), settings)


async def _api_on(settings: Settings, url: str, listening: Callable[[], socket.socket]) -> Installation | None:
    async with base(settings, url, role="api", connections=CONNECTIONS, session=QUERIES, prepared=ANSWERS) as made:
        door, waiting = appender(made), backlog(made)
        appending = asyncio.create_task(door.run(), name="appender")
        looking = asyncio.create_task(waiting.keep(), name="backlog")
        try:
            catalog = await catalog_for(made)
            spare_the_collector()
            checks = {"appender": readiness.appender(appending, waiting.check), "kpis": readiness.kpis(catalog.refused)}
            app = api(made, catalog, door, waiting, own_checks(made) | checks)
            async with until_stopped_or_moved(made.pool, made.installation) as ending:
                # Without its appender the door would take requests that it never answers.
                appending.add_done_callback(lambda _: ending.stop.set())
                await serve(app, listening().dup(), ending.stop)
            if appending.done():
                appending.result()
            await door.drain()
        finally:
            await cancel([appending, looking])
    return ending.next


def api(made: Base, catalog: Catalog, door: Appender, waiting: LogBacklog, checks: Mapping[str, Check]) -> FastAPI:
    """Every route of the API."""
    settings = made.settings
    keyring = Keyring(made.pool, made.clock, refresh_s=settings.key_refresh_s)
    routers = [
        ingest.router(
            keyring=keyring,
            decoder=decoder(made),
            backlog=waiting,
            appender=door,
            clock=made.clock,
            telemetry=made.telemetry,
            settings=settings,
        ),
        hooks.router(_hook_door(made, keyring, door, waiting)),
        *reading.routers(made.pool, catalog, clock=made.clock, settings=settings),
        records.router(made.pool, clock=made.clock, installation=made.installation, counts=_counts(made)),
        customers.router(made.pool, clock=made.clock),
        configuration.router(made.pool, catalog, clock=made.clock, settings=settings),
        reports.router(Maker(made.pool, catalog, made.clock)),
        live.router(
            made.pool,
            catalog,
            clock=made.clock,
            max_series=settings.metrics_max_series,
            token=settings.metrics_token.get_secret_value(),
        ),
        runbooks.router(),
        process.router(made.telemetry.registry, role="api", checks=checks, siblings=process.siblings_from(settings.siblings)),
    ]
    return create_app(title="tidegauge", routers=routers, telemetry=made.telemetry, keyring=keyring)


def _hook_door(made: Base, keyring: Keyring, door: Appender, waiting: LogBacklog) -> hooks.HookDoor:
    bodies = BodyReader(max_bytes=hooks.MAX_BODY_BYTES, max_held_bytes=hooks.MAX_HELD_BYTES)
    secrets = hooks.secrets_of(made.settings.pagerduty_secrets.get_secret_value())
    return hooks.HookDoor(keyring, bodies, decoder(made), waiting, door, made.clock, made.telemetry, secrets)


def _counts(made: Base) -> LogCounts | None:
    """What the ledger cannot find in Postgres."""
    return None if made.installation.log_kind == POSTGRES else LogCounts(made.event_log, from_records=False)
