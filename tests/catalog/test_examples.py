"""The events of a KPI's page count in it: sent as they stand, each of them changes what the page's query answers."""

import asyncio
import json
import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from starlette.datastructures import QueryParams

from service.catalog import Catalog, Kpi, declared_of, run
from service.clock import DAY, MINUTE, to_us
from service.domain.config import parse
from service.domain.config.default import DEFAULT_FILE
from service.expose.asking import Asker, read_question
from service.expose.documented import pages
from service.ingest.decode import Form, Stamp
from service.settings import Settings
from service.store import segments
from service.store.engine import Connection
from service.store.tenants import create_tenant
from tests.oracle.running import Running, move_partitions, opened

RECEIVED_US: Final = to_us(datetime(2025, 11, 17, 18, tzinfo=UTC))
ASKED_US: Final = RECEIVED_US + 5 * MINUTE
CATALOG: Final = Catalog.load()
PAGES: Final = pages(CATALOG)
CONFIG: Final = parse(
    DEFAULT_FILE + "[integrations.workday]\ndirection = 'inbound'\nlimit_ms = 500\ntracks_accepted = true\n",
    known_kpis=CATALOG.shapes(),
)
Figures = frozenset[Hashable]


def shown(kpi: str) -> list[dict[str, Any]]:
    """The events of a page."""
    return [json.loads(text) for text in re.findall(r"```json\n(.*?)\n```", PAGES[f"{kpi}.md"], re.DOTALL)]


def queried(kpi: str) -> QueryParams:
    """The query of a page."""
    [query] = re.findall(r"/v1/kpis/[a-z0-9_]+\?([^']+)'", PAGES[f"{kpi}.md"])
    return QueryParams(query)


EVENTS: Final = {kpi: shown(kpi) for kpi in CATALOG.kpis}


@pytest.fixture(scope="module")
def figures(make_database: Callable[[], str]) -> dict[str, list[Figures]]:
    """By KPI: what its page's query gives of nothing, of the page's events, and of all but the first, all but the second, and on.

    Each is a tenant, all of one database: events and statements are those of one go.
    """
    url = make_database()
    asyncio.run(move_partitions(url, RECEIVED_US))
    return asyncio.run(_figures(url))


async def _figures(url: str) -> dict[str, list[Figures]]:
    sent: dict[str, dict[int, list[dict[str, Any]]]] = {}
    async with opened(url, RECEIVED_US) as here:
        async with here.site.pool.acquire() as connection:
            for kpi, events in EVENTS.items():
                without = [events[:place] + events[place + 1 :] for place in range(len(events))] if len(events) > 1 else []
                for place, each in enumerate([[], events, *without]):
                    tenant = await create_tenant(connection, f"{kpi.replace('_', '-')}-{place}", "UTC")
                    sent.setdefault(kpi, {})[tenant.id] = each
            await connection.execute("insert into config_version select id, 1, null, '', $1, now() from tenant", CONFIG.to_json())
            await connection.execute("update tenant set config_version = 1")
        async with here.site.working(1):
            for several in sent.values():
                for number, each in several.items():
                    await _send(here, number, each)
            await here.site.consumed()
        async with here.site.pool.acquire() as connection:
            await segments.rebuild(connection)
            return {kpi: await _answers(connection, CATALOG.kpis[kpi], list(several)) for kpi, several in sent.items()}


async def _send(here: Running, tenant: int, events: Sequence[dict[str, Any]]) -> None:
    """Send events as they stand, what is older than a live event may be as history."""
    for backfill in (True, False):
        part = [each for each in events if _is_old(each) == backfill]
        if part:
            decoded = here.decoder.decode(json.dumps(part).encode(), Form.ARRAY, Stamp(tenant, RECEIVED_US, backfill))
            assert decoded.rejected == []
            await here.appender.append(decoded.rows, decoded.packed)


def _is_old(event: dict[str, Any]) -> bool:
    return to_us(datetime.fromisoformat(event["time"])) < RECEIVED_US - 7 * DAY


async def _answers(connection: Connection, kpi: Kpi, tenants: Sequence[int]) -> list[Figures]:
    asked = read_question(kpi, queried(kpi.id), Asker(1, "UTC", ASKED_US, CONFIG), Settings())
    windows = [replace(asked.window, tenant=tenant, key=tenant) for tenant in tenants]
    found: dict[int, set[Hashable]] = {tenant: set() for tenant in tenants}
    declared = dict.fromkeys(tenants, declared_of(CONFIG))
    for by in {asked.question.by, kpi.head.required}:
        for one in await run(connection, kpi, windows, replace(asked.question, by=by), declared=declared):
            dims = tuple(sorted(one.dims.items()))
            found[one.tenant].add((one.statistic, dims, one.value, one.numerator, one.denominator, one.note))
    return [frozenset(found[tenant]) for tenant in tenants]


def test_the_events_of_a_page_count(figures: dict[str, list[Figures]]) -> None:
    idle = " ".join(kpi for kpi, (nothing, whole, *_) in figures.items() if nothing == whole)
    assert idle == ""


def test_each_event_of_a_page_counts(figures: dict[str, list[Figures]]) -> None:
    idle = {
        kpi: [EVENTS[kpi][place]["id"] for place, each in enumerate(without) if each == whole]
        for kpi, (_, whole, *without) in figures.items()
    }
    assert {kpi: each for kpi, each in idle.items() if each} == {}
