"""The real parts in process: decode, append, work, ask; one installation a season, a tenant of its own a stream."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, time
from itertools import count, cycle, zip_longest
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg

from service.catalog import Kept, declared_of
from service.clock import SECOND, to_us
from service.domain.config import TenantConfig
from service.eventlog.opening import log_kind, open_log
from service.ingest.append import Appender
from service.ingest.decode import Decoder, Form, Limits, Stamp
from service.settings import Settings
from service.store.config import apply_config, load_configs
from service.store.engine import SERVER_SETTINGS, Connection, create_pool
from service.store.installation import ensure_installation
from service.store.partitions import ensure_partitions, kept_from
from service.store.tenants import create_tenant
from service.telemetry import Telemetry
from tests.aggregate.conftest import Site, in_kafka
from tests.broker import Broker
from tests.http.clocks import HandClock
from tests.oracle.asking import Rollups
from tests.oracle.scene import AUTUMN, FIRST_VERSION, LATENESS_US, SECOND_VERSION, SKEW_US, SPRING, Scene
from tests.oracle.streams import Sent

SETTINGS = Settings(partitions=4, flush_interval_s=0.01, lease_s=5.0, minute_retention_days=32)
FAMILIES = (
    *("usage", "user", "delivery", "request", "probe", "measurement", "incident", "rejected"),
    *("account", "recovery", "ticket", "feedback", "item"),
)
"""In the order of a record's lists: so the events of one append lie in the log."""
_numbers = count()


@dataclass(repr=False)
class Running:
    """An installation whose clock stands in one season."""

    site: Site
    appender: Appender
    decoder: Decoder
    kept: Kept
    configs: dict[int, TenantConfig] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Short: a failing example shows it."""
        return f"Running({len(self.configs)} tenants)"

    async def tenant(self, scene: Scene, choices: dict[str, Any]) -> int:
        """A tenant that declared two versions, the second of which begins with the scene's change."""
        async with self.site.pool.acquire() as connection:
            tenant, config = await declare(connection, f"t{next(_numbers)}", scene, choices)
        self.configs[tenant] = config
        return tenant

    @property
    def rollups(self) -> Rollups:
        """What figures are asked of."""
        return Rollups(self.site.pool, {tenant: declared_of(config) for tenant, config in self.configs.items()}, self.kept)

    async def send(self, batches: Mapping[int, Sequence[Sequence[Sent]]]) -> None:
        """Append batch by batch, the tenants in turn; a batch comes by as many requests as it has stamps, one after another."""
        for together in zip_longest(*batches.values(), fillvalue=()):
            for tenant, batch in zip(batches, together, strict=True):
                for stamp, events in requests(tenant, batch):
                    decoded = self.decoder.decode(json.dumps(events).encode(), Form.ARRAY, stamp)
                    await self.appender.append(decoded.rows, decoded.packed)


async def declare(
    connection: Connection, name: str, scene: Scene, choices: dict[str, Any], *, also: str = ""
) -> tuple[int, TenantConfig]:
    """Make a tenant that declared two versions, the second of which begins with the scene's change; `also` ends both."""
    begins = datetime.combine(scene.change, time(0), ZoneInfo(scene.zone)).isoformat()
    tenant = await create_tenant(connection, name, scene.zone)
    for text, limit_ms in ((FIRST_VERSION, 500), (SECOND_VERSION, 300)):
        toml = text.format(zone=scene.zone, limit_ms=limit_ms, valid_from=begins, holiday=scene.change.isoformat(), **choices)
        await apply_config(connection, name, toml + also, now_us=scene.midnight(-100), known_kpis={})
    return tenant.id, (await load_configs(connection, [tenant.id]))[tenant.id].newest


def requests(tenant: int, batch: Sequence[Sent]) -> Iterator[tuple[Stamp, list[dict[str, Any]]]]:
    """The events of a batch by what they were stamped with."""
    for received_us, backfill in dict.fromkeys((sent.received_us, sent.backfill) for sent in batch):
        events = [sent.event for sent in batch if (sent.received_us, sent.backfill) == (received_us, backfill)]
        yield Stamp(tenant, received_us, backfill), events


def in_log_order(batches: Sequence[Sequence[Sent]]) -> list[Sent]:
    """The events as they lie in the log: batch by batch, request by request, family by family."""
    ordered = []
    for batch in batches:
        stamps = list(dict.fromkeys((sent.received_us, sent.backfill) for sent in batch))
        ordered += sorted(batch, key=lambda sent: (stamps.index((sent.received_us, sent.backfill)), FAMILIES.index(sent.family)))
    return ordered


def cut(sent: Sequence[Sent], sizes: Sequence[int]) -> list[Sequence[Sent]]:
    """Batches of these sizes, over and over."""
    batches: list[Sequence[Sent]] = []
    start = 0
    for size in cycle(sizes):
        if start >= len(sent):
            break
        batches.append(sent[start : start + size])
        start += size
    return batches


@asynccontextmanager
async def opened(url: str, now_us: int, kafka: Broker | None = None) -> AsyncIterator[Running]:
    """An installation in a migrated database, as it would stand at that time; its log in Kafka, or in the same database."""
    clock = HandClock()
    clock.us = now_us
    settings = in_kafka(SETTINGS, kafka) if kafka else SETTINGS
    kind = log_kind(settings)
    pool = await create_pool(url, max_size=40)
    try:
        async with pool.acquire() as connection:
            installation = await ensure_installation(connection, settings, log_kind=kind)
            kept = await kept_from(connection)
        words = {"generation": installation.generation, "partitions": installation.partitions}
        log = await open_log(settings, pool, **words, clock=clock, kind=kind)
        site = Site(pool, log, settings, installation, 0, url, clock)  # type: ignore[arg-type]  # any clock that is moved by hand
        limits = Limits(SETTINGS.max_request_events, SETTINGS.max_event_bytes, SETTINGS.max_depth, LATENESS_US, SKEW_US)
        appender = Appender(log, Telemetry("api"), gather_ms=0, backlog_events=10_000)
        running = asyncio.create_task(appender.run())
        try:
            yield Running(site, appender, Decoder(site.hasher, limits), Kept(kept.minute_from_us, kept.quarter_from_us))
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await log.close()
    finally:
        await pool.close()


async def move_partitions(url: str, now_us: int) -> None:
    """Let the tables that are cut by time be those of an installation that runs at that time."""
    connection = await asyncpg.connect(url, server_settings=SERVER_SETTINGS)
    try:
        cut_off = await connection.fetchval(
            "select string_agg(c.oid::regclass::text, ', ') from pg_inherits i join pg_class c on c.oid = i.inhrelid"
            " where c.relkind = 'r'"
        )
        await connection.execute(f"drop table {cut_off}")
        await ensure_partitions(connection, now_us=now_us, settings=SETTINGS)
    finally:
        await connection.close()


SEASONS_US = {day: to_us(datetime.combine(day, time(0), ZoneInfo("UTC"))) // SECOND * SECOND for day in (AUTUMN, SPRING)}
