"""What a demonstration is made of: its tenant, its keys, and a note of how far it came."""

import os
from datetime import date
from pathlib import Path

import asyncpg
import msgspec

from service.catalog import Catalog
from service.clock import Clock, to_datetime
from service.demo import pilot
from service.errors import NotFound
from service.store.config import apply_config
from service.store.keys import create_key
from service.store.tenants import create_tenant, tenant_by_name

TENANT = "demo"
FILE = "demo.json"
WRITER = ("ingest", "backfill")
READER = ("read",)


class Demo(msgspec.Struct, frozen=True):
    """The demonstration of one data directory."""

    monday: date
    """The week that the pilot was moved to."""
    write_key: str
    read_key: str
    replayed: bool = False


def read(data: Path) -> Demo | None:
    """The demonstration of a data directory, if there is one."""
    try:
        return msgspec.json.decode((data / FILE).read_bytes(), type=Demo)
    except FileNotFoundError:
        return None


def write(data: Path, demo: Demo) -> None:
    """Keep it, readable by its owner alone: it holds keys."""
    fresh = data / f"{FILE}.new"
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as sink:
        sink.write(msgspec.json.encode(demo))
        sink.flush()
        os.fsync(sink.fileno())
    fresh.replace(data / FILE)


async def prepare(url: str, data: Path, clock: Clock) -> Demo:
    """The demonstration that there is, else a new one: a tenant, its configuration, and its keys."""
    found = read(data)
    if found is not None:
        return found
    connection = await asyncpg.connect(url)
    try:
        try:
            tenant = await tenant_by_name(connection, TENANT)
        except NotFound:
            tenant = await create_tenant(connection, TENANT, "UTC")
        if not tenant.config_version:  # also one whose first start was killed before it came to this
            shapes = Catalog.load().shapes()
            await apply_config(connection, TENANT, pilot.configuration(), now_us=clock.now_us(), known_kpis=shapes)
        _, write_key = await create_key(connection, tenant, WRITER, "demonstration")
        _, read_key = await create_key(connection, tenant, READER, "demonstration")
    finally:
        await connection.close()
    made = Demo(pilot.week_before(to_datetime(clock.now_us())), write_key, read_key)
    write(data, made)
    return made
