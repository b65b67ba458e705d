"""One role a process: `tidegauge api`, `aggregate`, `evaluate`, `source`; and `migrate`. A role imports only what it runs."""

import asyncio
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import Any

import structlog
import uvloop

from service import settings as environment
from service.cli.connect import database, database_url
from service.errors import TidegaugeError
from service.lifecycle import die_with_parent
from service.settings import Settings
from service.telemetry import configure_logging

log = structlog.get_logger(__name__)


def api() -> None:
    """Take events in and answer queries (needs TIDEGAUGE_DATABASE_URL or a running `up`)."""
    _run("api")


def aggregate() -> None:
    """Turn the log into rollups; any number of these may run."""
    _run("aggregate")


def evaluate() -> None:
    """Keep live values and look after the database; others stand by."""
    _run("evaluate")


def source() -> None:
    """Read events from teams' own Kafka topics; any number of these may run."""
    _run("source")


def migrate() -> None:
    """Bring the database to this version's schema."""
    settings = _prepare()
    asyncio.run(_migrate(settings))


async def _migrate(settings: Settings) -> None:
    from service.store.migrate import migrate as bring_forward  # noqa: PLC0415  # late: Alembic is a third of a role's start

    async with database(settings):
        pass  # it answers, else a sentence says that it does not
    await bring_forward(database_url(settings), settings)


def _prepare() -> Settings:
    settings = environment.load()
    configure_logging(settings.log_level, settings.log_format)
    if settings.parent_pid:
        die_with_parent(settings.parent_pid)
    return settings


def _run(name: str) -> None:
    settings = _prepare()
    role: Callable[[Settings, str], Coroutine[Any, Any, None]] = getattr(import_module(f"service.wiring.{name}"), f"run_{name}")
    try:
        uvloop.run(role(settings, database_url(settings)))
    except TidegaugeError as error:
        log.error("role_failed", why=str(error))  # noqa: TRY400  # a sentence says it all, a traceback nothing more
        raise SystemExit(1) from error
    except Exception as error:
        log.exception("role_failed", why=str(error) or type(error).__name__)
        raise SystemExit(1) from error
