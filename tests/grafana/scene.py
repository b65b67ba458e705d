"""The service with the pilot week and more in it, Prometheus that scrapes it, and the role that Grafana reads Postgres as."""

import asyncio
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from service.catalog import Catalog
from service.demo import pilot
from service.demo.client import Client
from service.domain.families.registry import FAMILIES
from service.store.grafana import create_reader, drop_reader, new_password
from service.store.tenants import tenant_by_name
from tests.e2e.harness import Installation, send
from tests.e2e.monitoring import CONFIGURATION, Prometheus
from tests.e2e.stack import free_ports
from tests.grafana import events
from tests.grafana.dashboards import dashboards, panels

TENANT = "pilot"
SETTLED_S = 300.0
MORE = """
[integrations.benevity]
tracks_accepted = true
limit_ms = 500
[freshness."/grafana/tests"]
limit_s = 3600
[features."*"]
frequency = true
"""
_JUDGED_LIVE = re.compile(r'tidegauge_kpi_target\{kpi="(\w+)",[^}]*stat="(\w*)"')


@dataclass(frozen=True, slots=True)
class Scene:
    """What panels are asked of."""

    url: str
    role: str
    password: str
    prometheus: Prometheus
    live: Client
    now: datetime
    began: float
    """By the monotonic clock: when everything had been loaded and started."""

    async def reader(self) -> asyncpg.Connection:
        """Connect as Grafana does: with the role's own password."""
        return await asyncpg.connect(self.url, user=self.role, password=self.password)

    def go_on(self) -> None:
        """Let more happen, so that counters move between scrapes."""
        self.live.send(events.moment(datetime.now(UTC)))


@contextmanager
def scene(url: str, directory: Path) -> Iterator[Scene]:
    """Start everything, load what panels show, and stop in the end."""
    ports = free_ports()
    (directory / "prometheus").mkdir()
    with Installation(url, directory, port=str(ports["api-1"]), metrics_token="t" * 64) as installation:
        for role in ("api", "aggregate"):
            installation.start(role, ops_port=str(ports["aggregate-1"]))
        installation.wait_until_ready()
        now = datetime.now(UTC)
        client = installation.tenant(TENANT, _where_it_is_noon(now))
        declared = directory / "pilot.toml"
        declared.write_text(configuration(_where_it_is_noon(now)))
        installation.run("apply", "--tenant", TENANT, str(declared))
        week = pilot.events([family.type for family in FAMILIES], monday=pilot.week_before(now))
        send(client, [*week, *events.history(now)], timeout_s=SETTLED_S)
        # What is sent with a key for backfill feeds no counter of an SLO.
        keys = {"write_key": installation.key(TENANT, "ingest"), "read_key": installation.key(TENANT, "read")}
        with Client(installation.address, **keys, give_up_s=SETTLED_S) as live:
            send(live, [*events.today(now), *events.moment(now)], timeout_s=SETTLED_S)
            # Only now: what is evaluated once is not evaluated again with every batch.
            installation.start("evaluate", ops_port=str(ports["evaluate"]))
            prometheus = _prometheus(directory / "prometheus", ports)
            prometheus.child.start()
            try:
                prometheus.child.wait_until_ready()
                with _role(url) as (role, password):
                    yield Scene(url, role, password, prometheus, live, now, time.monotonic())
            finally:
                prometheus.child.stop()


def configuration(timezone: str) -> str:
    """The pilot's own, and a target for all that a dashboard compares with one."""
    text = pilot.configuration().replace('timezone = "UTC"', f'timezone = "{timezone}"\nsupport_timezone = "{timezone}"')
    own = text[: text.index("[[target]]")] + text[text.index("[scorecard.sla]") :]
    catalog = Catalog.load()
    usual = {kpi.id: [kpi.usual(name) for name in kpi.suggestions] for kpi in catalog.kpis.values() if not kpi.head.required}
    suggested = {kpi: each for kpi, of in usual.items() for each in of[:1] if each is not None and each.up_to is None}
    parts = [own, MORE]
    for kpi, each in suggested.items():
        limit = "" if each.limit is None else f"limit = {each.limit}\n"
        parts.append(_target(f"{kpi}.{each.statistic}".rstrip("."), each.op, each.target) + limit)
    parts += [_target(name, ">=", 1.0) for name in sorted(_shown_with_a_target()) if name.partition(".")[0] not in suggested]
    return "\n".join(parts)


def _target(kpi: str, op: str, target: float) -> str:
    return f'[[target]]\nkpi = "{kpi}"\nop = "{op}"\ntarget = {target}\n'


def _shown_with_a_target() -> set[str]:
    """KPIs whose live targets panels show."""
    targets = [target for each in dashboards().values() for panel in panels(each) for target in panel["targets"]]
    found = _JUDGED_LIVE.findall(" ".join(target.get("expr", "") for target in targets))
    return {f"{kpi}.{statistic}".rstrip(".") for kpi, statistic in found}


def _where_it_is_noon(now: datetime) -> str:
    """A time zone in which the day began twelve hours ago, about: no test runs across a midnight or just after one."""
    # In these names the sign is the other way round (IANA, file `etcetera`).
    return f"Etc/GMT{now.hour - 12:+d}"


def _prometheus(directory: Path, ports: Any) -> Prometheus:
    def of(*names: str) -> dict[str, str]:
        return {name: f"127.0.0.1:{ports[name]}" for name in names}

    targets = {"api": of("api-1"), "roles": of("aggregate-1", "evaluate"), "prometheus": of("prometheus"), "alertmanager": {}}
    made = Prometheus(directory, port=ports["prometheus"], targets=targets, token="t" * 64, interval_s=1)
    shutil.copy(CONFIGURATION.parent / "rules" / "tidegauge-slo.yml", made.rules)
    return made


@contextmanager
def _role(url: str) -> Iterator[tuple[str, str]]:
    password = new_password()

    async def make() -> str:
        connection = await asyncpg.connect(url)
        try:
            return (await create_reader(connection, await tenant_by_name(connection, TENANT), password)).role
        finally:
            await connection.close()

    async def drop() -> None:
        connection = await asyncpg.connect(url)
        try:
            await drop_reader(connection, await tenant_by_name(connection, TENANT))
        finally:
            await connection.close()

    role = asyncio.run(make())
    try:
        yield role, password
    finally:
        asyncio.run(drop())


def span(now: datetime) -> tuple[datetime, datetime]:
    """The span of time that a reader looks at: all that was loaded, to now."""
    return now - timedelta(days=events.DAYS + 2), datetime.now(UTC) + timedelta(minutes=1)
