"""Streams of every family over HTTP as tenants of their own, and their figures against plain loops over the same events."""

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from typing import Any

import asyncpg
import pytest

from service.catalog import Catalog, Kept, declared_of
from service.clock import DAY, SystemClock, to_datetime
from service.demo.client import Client
from service.domain.config import TenantConfig
from service.store import segments
from service.store.engine import SERVER_SETTINGS, create_pool
from service.store.keys import create_key
from service.store.partitions import kept_from
from service.store.tenants import tenant_by_name
from tests.e2e import topics
from tests.e2e.sending import Event
from tests.ingest.topics import Topic
from tests.oracle.asking import Rollups, differences
from tests.oracle.questions import SUBJECTS, some
from tests.oracle.running import declare
from tests.oracle.scene import CHOICES, Scene
from tests.oracle.stored import Outcome, outcome
from tests.oracle.streams import Sent, stream
from tests.oracle.windows import WINDOWS
from tests.oracle.world import World

ZONES = ("America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Europe/London")
QUESTIONS_A_KPI = 2
MINUTES_KEPT_DAYS = "32"
"""What the loops take for granted of the installation."""
_STORED = "select source, sum(stored)::int as events from ledger where tenant = $1 group by source having sum(stored) > 0"
_LETTERS = "select reason, count(*)::int as events from dead_letter where tenant = $1 group by reason"


@dataclass(frozen=True, slots=True)
class Part:
    """A stream of all families, with copies and refused events among them, of a tenant of its own."""

    tenant: int
    name: str
    key: str
    config: TenantConfig
    scene: Scene
    choices: dict[str, Any]
    sent: Sequence[Sent]
    topic: Topic | None = None
    """What it comes through, else HTTP. There each record is a dead letter of its own where no id names the event."""

    def batches(self, chance: random.Random) -> list[list[Event]]:
        """The stream cut at random."""
        events, made = iter([sent.event for sent in self.sent]), []
        while batch := list(islice(events, chance.randint(1, 25))):
            made.append(batch)
        return made


async def make_part(url: str, name: str, chance: random.Random, events: int, topic: Topic | None = None) -> Part:
    """A tenant that declares all that figures depend on, and a stream around a day of its own, all of it in the past."""
    scene = Scene(chance.choice(ZONES), (to_datetime(SystemClock().now_us() - 5 * DAY)).date())
    choices = {of: chance.choice(values) for of, values in CHOICES.items()}
    connection = await asyncpg.connect(url, server_settings=SERVER_SETTINGS)
    try:
        also = topics.bound(topic, backfill=True) if topic else ""
        tenant, config = await declare(connection, name, scene, choices, also=also)
        _, key = await create_key(connection, await tenant_by_name(connection, name), ("ingest", "backfill"))
    finally:
        await connection.close()
    now_us = SystemClock().now_us()
    drawn = stream([chance.getrandbits(32) for _ in range(events)], scene, copies_differ=False)
    # When a request comes is not ours to say: the key's scope lets events of any age count, and each has its time.
    sent = [replace(each, received_us=now_us, backfill=True) for each in drawn if each.time_us is not None]
    return Part(tenant, name, key, config, scene, choices, sent, topic)


async def wrong(url: str, parts: Iterable[Part], chance: random.Random) -> list[str]:
    """What is not as plain loops over the acknowledged events have it, a sentence each."""
    parts, catalog = list(parts), Catalog.load()
    async with await create_pool(url, max_size=2) as pool:
        async with pool.acquire() as connection:
            while await segments.rebuild(connection):
                pass
            kept = await kept_from(connection)
        declared = {part.tenant: declared_of(part.config) for part in parts}
        rollups = Rollups(pool, declared, Kept(kept.minute_from_us, kept.quarter_from_us))
        worlds, said = {}, []
        for part in parts:
            wanted = outcome(part.sent, part.scene.zone)
            worlds[part.tenant] = World(part.scene, wanted.events, part.choices)
            said += await _wrong_in_ledger(pool, part, wanted)
        for kind, subjects in SUBJECTS.items():
            windows = [window for part in parts for window in WINDOWS[kind](part.scene, part.tenant)]
            for subject in subjects:
                for asked in some(chance, subject.questions, QUESTIONS_A_KPI):
                    said += await differences(rollups, catalog, worlds, windows, subject, asked)
    return said


async def has_arrived(url: str, part: Part) -> bool:
    """Whether as many events stand in the database as must in the end."""
    stored, refused = _counts(part, outcome(part.sent, part.scene.zone))
    connection = await asyncpg.connect(url)
    try:
        found = [{row[0]: row["events"] for row in await connection.fetch(sql, part.tenant)} for sql in (_STORED, _LETTERS)]
    finally:
        await connection.close()
    both = zip(found, (stored, refused), strict=True)
    return all(there.get(name, 0) >= events for there, expected in both for name, events in expected.items())


def _counts(part: Part, wanted: Outcome) -> tuple[dict[str, int], dict[str, int]]:
    """Events stored, by source, and dead letters, by reason: a refused event is one, as often as it was sent."""
    stored = {source: events for (source, kind), events in wanted.ledger.items() if kind == "stored"}
    letters = {(s.event["source"], s.event["id"], s.event["time"], s.refused) for s in part.sent if s.refused}
    return stored, dict(Counter(reason for *_, reason in letters))


async def _wrong_in_ledger(pool: asyncpg.Pool, part: Part, wanted: Outcome) -> list[str]:
    said = []
    for sql, expected in zip((_STORED, _LETTERS), _counts(part, wanted), strict=True):
        found = {row[0]: row["events"] for row in await pool.fetch(sql, part.tenant)}
        most = expected
        if sql is _LETTERS and part.topic is not None:
            most = await _refused_records(part, part.topic)
        if any(not expected.get(name, 0) <= found.get(name, 0) <= most.get(name, 0) for name in {*expected, *found}):
            said.append(f"{part.name}: {sql.split()[1]} wanted {expected} to {most}, found {found}")
    return said


async def _refused_records(part: Part, topic: Topic) -> dict[str, int]:
    """How many records lie in the topic that are refused, by reason: a batch that was sent again lies there again."""
    reasons = {json.dumps(sent.event): sent.refused for sent in part.sent if sent.refused}
    values = [value.decode() for value in await topics.values(topic)]
    return Counter(reasons[value] for value in values if value in reasons)


def crowd(chance: random.Random, name: str) -> Iterator[list[Event]]:
    """Batches without end: requests, uses and deliveries of the last hours, half of them without a time, copies among them."""
    known: list[Event] = []
    for number in count():
        fresh = [_one(chance, f"{name}-{number}-{place}") for place in range(chance.randint(20, 80))]
        copies = chance.sample(known, k=len(known) // 20)
        known = fresh
        yield [*fresh, *copies]


def _one(chance: random.Random, event_id: str) -> Event:
    event: Event = {"specversion": "1.0", "id": event_id, "source": "/crowd"}
    if chance.random() < 0.5:
        event["time"] = (datetime.now(UTC) - timedelta(seconds=chance.uniform(0, 3 * 3_600))).isoformat()
    match chance.randrange(3):
        case 0:
            data = {"service": "api", "status": chance.choice((200, 200, 500)), "latency_ms": chance.randint(1, 500)}
            return event | {"type": "io.tidegauge.request.v1", "data": data}
        case 1:
            data = {"feature": chance.choice(("a", "b"))}
            return event | {"type": "io.tidegauge.usage.v1", "subject": f"u{chance.randrange(5_000)}", "data": data}
        case _:
            data = {"integration": "sap", "outcome": "delivered", "latency_ms": chance.randint(1, 900)}
            return event | {"type": "io.tidegauge.delivery.v1", "subject": event_id, "data": data}


def check_crowd(client: Client, acknowledged: Iterable[Event]) -> None:
    """The KPIs, over HTTP, are those of plain loops over the events, each once."""
    unique = {event["id"]: event for event in acknowledged}.values()
    of = {name: [e for e in unique if e["type"] == f"io.tidegauge.{name}.v1"] for name in ("request", "usage", "delivery")}
    bounds = {"start": f"{datetime.now(UTC) - timedelta(hours=20):%FT%H:00:00Z}"}
    found = client.get("/v1/kpis/requests", **bounds, by="status")["rows"]
    assert {row["dims"]["status"]: row["value"] for row in found} == Counter(str(e["data"]["status"]) for e in of["request"])
    for kpi, family in (("request_latency", "request"), ("delivery_latency", "delivery")):
        took = [event["data"]["latency_ms"] for event in of[family]]
        stats = client.get(f"/v1/kpis/{kpi}", **bounds, stat="mean,count,min,max")["statistics"]
        values = {name: each["value"] for name, each in stats.items()}
        assert values == {
            "count": len(took),
            "min": min(took),
            "max": max(took),
            "mean": pytest.approx(sum(took) / len(took), rel=1e-12),
        }
    uses = client.get("/v1/kpis/feature_uses", **bounds, by="feature")["rows"]
    assert {row["dims"]["feature"]: row["value"] for row in uses} == Counter(e["data"]["feature"] for e in of["usage"])
    assert client.get("/v1/kpis/wau", window="7d")["value"] == len({event["subject"] for event in of["usage"]})
    assert sum(row["stored"] for row in client.get("/v1/ledger")["rows"]) == len(unique)
