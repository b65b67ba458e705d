"""Seconds of components and of the platform, against a plain look at every single second."""

import random
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from service.catalog import Catalog, Declared, Kept, Question, Window, declared_of, resolve_window, run
from service.clock import DAY, MINUTE, SECOND, to_us
from service.domain.config import TenantConfig
from tests.catalog.health import QUARTER_S, Probe, store_probes, store_steps
from tests.catalog.rollups import make_tenant
from tests.catalog.test_plans import plan

NOON = to_us(datetime(2025, 11, 19, 12, 0, tzinfo=UTC))
HOUR_S = 3_600
COMPONENTS = {
    "web": {"critical": True},
    "api": {"critical": True, "quorum": 2},
    "mail": {},
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


def declared(components: Mapping[str, Any]) -> Declared:
    return declared_of(TenantConfig.model_validate({"components": components}))


def span(tenant: int, start_us: int, end_us: int, *, now_us: int | None = None) -> Window:
    return resolve_window(tenant, "UTC", now_us=end_us if now_us is None else now_us, start_us=start_us, end_us=end_us)


@dataclass(frozen=True, slots=True)
class Outage:
    """A false positive with `outage`: seconds from `first` up to, not including, `last`."""

    first: int
    last: int
    service: str = ""


@dataclass
class Oracle:
    """Every second by itself."""

    probes: Sequence[Probe]
    components: Mapping[str, Mapping[str, Any]]
    outages: Sequence[Outage] = ()
    said: dict[tuple[str, int], dict[tuple[str, str], set[str]]] = field(default_factory=dict)

    def seconds(
        self, first: int, last: int, by: Sequence[str], filters: Mapping[str, Sequence[str]]
    ) -> dict[tuple[str, ...], dict[str, int]]:
        groups: dict[tuple[str, ...], list[Probe]] = defaultdict(list)
        begin, end = first // QUARTER_S * QUARTER_S, -(-last // QUARTER_S) * QUARTER_S
        for probe in self.probes:
            # What was probed in a quarter of an hour of the window shows, be it with no second of it.
            if probe.second < end and probe.second + probe.interval_s > begin and self.read(probe, by, filters):
                groups[tuple(getattr(probe, name) for name in by)].append(probe)
        if "account" not in by and not ({*by, *filters} & {"monitor", "region"}):
            for name in self.components:
                if name in filters.get("component", (name,)):
                    groups[tuple(name for _ in by)] += []
        return {dims: found for dims, group in groups.items() if (found := self.of_group(group, dims, by, filters, first, last))}

    def read(self, probe: Probe, by: Sequence[str], filters: Mapping[str, Sequence[str]]) -> bool:
        if "account" in by and not probe.account:
            return False
        allowed = {name: set(values) for name, values in filters.items()}
        if "account" in allowed and "account" not in by:
            allowed["account"].add("")
        return all(getattr(probe, name) in values for name, values in allowed.items())

    def of_group(
        self,
        probes: Sequence[Probe],
        dims: tuple[str, ...],
        by: Sequence[str],
        filters: Mapping[str, Sequence[str]],
        first: int,
        last: int,
    ) -> dict[str, int] | None:
        whole = not ({*by, *filters} & {"monitor", "region"})
        names = {probe.component for probe in probes}
        if whole and "account" not in by:
            names |= {
                name for name in self.components
                if name in filters.get("component", (name,)) and ("component" not in by or name in dims)
            }  # fmt: skip
        known = {probe.component for probe in self.probes} | set(self.components)
        critical = {name for name, of in self.components.items() if of.get("critical")}
        if critical and "component" not in by and "component" not in filters:
            names &= critical
        if not names:
            return None
        counts = dict.fromkeys(("up", "down", "planned", "degraded"), 0)
        for second in range(first, last):
            states = [self.state(second, name, [p for p in probes if p.component == name], known, whole=whole) for name in names]
            kinds = {state for state, _ in states}
            kind = next((kind for kind in ("down", "unknown", "planned") if kind in kinds), "up")
            if kind == "unknown" and "planned" in kinds:
                kind = "planned"
            if kind != "unknown":
                counts[kind] += 1
            counts["degraded"] += kind == "up" and any(degraded for _, degraded in states)
        return counts

    def state(self, second: int, name: str, probes: Sequence[Probe], known: set[str], *, whole: bool) -> tuple[str, bool]:
        monitors: dict[tuple[str, str], set[str]] = defaultdict(set)
        for probe in probes:
            if probe.second <= second < probe.second + probe.interval_s:
                monitors[probe.monitor, probe.region] |= set(probe.marks)
        down = [said for said in monitors.values() if "down" in said]
        up = [said for said in monitors.values() if "up" in said and "down" not in said]
        degraded = any("degraded" in said and "down" not in said for said in monitors.values())
        if any("planned" in said for said in monitors.values()):
            return "planned", degraded
        if any(o.first <= second < o.last and (o.service == name or o.service not in known) for o in self.outages):
            return "up", degraded
        quorum = self.components.get(name, {}).get("quorum", 1) if whole else 1
        return ("down" if len(down) >= quorum else "up" if up else "unknown"), degraded


def random_probes(seed: int) -> list[Probe]:
    dice, start = random.Random(seed), NOON // SECOND - HOUR_S  # a seed: a failure repeats
    return [
        Probe(
            start + dice.randrange(3 * HOUR_S),
            dice.choice((30, 60, 300, 1500)),
            up=dice.random() < 0.7,
            component=dice.choice(("web", "api", "mail", "undeclared")),
            monitor=dice.choice(("default", "second", "third")),
            region=dice.choice(("", "eu")),
            account=dice.choice(("", "", "acme")),
            degraded=dice.random() < 0.2,
            planned=dice.random() < 0.05,
            excluded=dice.random() < 0.1,
        )
        for _ in range(220)
    ]


def calm_probes(seed: int) -> list[Probe]:
    """Quarters of an hour all up, as nearly all are, some that are not there, and a few moments of anything else in between."""
    dice, start = random.Random(seed), NOON // SECOND - HOUR_S
    quarters = [
        Probe(start + number * 900, 900, component=component, monitor=monitor, account=account)
        for number in range(12)
        for component in ("web", "api", "mail")
        for monitor, account in (("default", ""), ("default", "acme"), ("second", ""))
        if dice.random() < 0.85
    ]
    others = [probe for probe in random_probes(seed) if probe.component != "undeclared" and probe.interval_s < 1_500]
    return [*quarters, *dice.sample(others, 12)]


QUESTIONS: list[tuple[tuple[str, ...], dict[str, tuple[str, ...]]]] = [
    ((), {}),
    (("component",), {}),
    (("account",), {}),
    (("monitor",), {}),
    (("component", "region"), {}),
    (("account", "component"), {}),
    ((), {"component": ("api",)}),
    ((), {"component": ("mail", "undeclared")}),
    (("component",), {"component": ("api", "mail")}),
    ((), {"account": ("acme",)}),
    ((), {"account": ("nobody",)}),
    (("component",), {"account": ("acme",)}),
    ((), {"monitor": ("second",)}),
    (("component",), {"region": ("eu",)}),
]


@pytest.mark.parametrize(
    "components", [COMPONENTS, {"api": {"quorum": 3}}, {}], ids=["critical ones", "a quorum", "none declared"]
)
async def test_every_second_is_what_its_monitors_said(
    catalog: Catalog, connection: asyncpg.Connection, components: dict[str, dict[str, Any]]
) -> None:
    tenant, other = await make_tenant(connection, "pilot"), await make_tenant(connection, "other")
    probes = random_probes(len(components))
    outages = [
        Outage(NOON // SECOND - 200, NOON // SECOND + 300, "api"),
        Outage(NOON // SECOND + 1_000, NOON // SECOND + 1_400, "elsewhere"),
    ]
    await store_probes(connection, tenant, probes)
    await store_probes(connection, other, random_probes(99))
    for number, outage in enumerate(outages):
        steps: list[tuple[int, dict[str, Any]]] = [
            (outage.first * SECOND, {"action": "opened", "severity": "P1", "outage": True, "service": outage.service}),
            (outage.last * SECOND, {"action": "resolved"}),
            (outage.last * SECOND + 1, {"action": "false_positive"}),
        ]
        await store_steps(connection, tenant, f"i{number}", steps)
    window = span(tenant, NOON - 7 * MINUTE, NOON + 53 * MINUTE)
    first, last = window.start_us // SECOND, window.end_us // SECOND
    oracle = Oracle(probes, components, outages)
    for by, filters in QUESTIONS:
        wanted = oracle.seconds(first, last, by, filters)
        assert await seconds(catalog, connection, window, Question(by=by, filters=filters), components) == wanted, (by, filters)


@pytest.mark.parametrize("components", [COMPONENTS, {"api": {"quorum": 2}}], ids=["critical ones", "a quorum"])
async def test_stretches_that_are_all_up_count_like_seconds_that_are_looked_at(
    catalog: Catalog, connection: asyncpg.Connection, components: dict[str, dict[str, Any]]
) -> None:
    tenant = await make_tenant(connection, "pilot")
    probes = calm_probes(len(components))
    outages = [
        Outage(NOON // SECOND + 100, NOON // SECOND + 1_300, "api"),
        Outage(NOON // SECOND - 2_000, NOON // SECOND - 1_000),
    ]
    await store_probes(connection, tenant, probes)
    for number, outage in enumerate(outages):
        steps: list[tuple[int, dict[str, Any]]] = [
            (outage.first * SECOND, {"action": "opened", "severity": "P1", "outage": True, "service": outage.service}),
            (outage.last * SECOND, {"action": "resolved"}),
            (outage.last * SECOND + 1, {"action": "false_positive"}),
        ]
        await store_steps(connection, tenant, f"i{number}", steps)
    spans = [(-53, -20), (-31, 7), (-15, 30), (50, 95)]
    windows = [
        replace(span(tenant, NOON + first * MINUTE, NOON + last * MINUTE), key=number)
        for number, (first, last) in enumerate(spans)
    ]
    oracle = Oracle(probes, components, outages)
    for by, filters in QUESTIONS:
        found = await seconds_of(catalog, connection, windows, Question(by=by, filters=filters), components)
        for window in windows:
            wanted = oracle.seconds(window.start_us // SECOND, window.end_us // SECOND, by, filters)
            assert found[window.key] == wanted, (by, filters, window)


async def seconds(
    catalog: Catalog, connection: asyncpg.Connection, window: Window, question: Question, components: Mapping[str, Any]
) -> dict[tuple[str, ...], dict[str, int]]:
    return (await seconds_of(catalog, connection, [window], question, components))[window.key]


async def seconds_of(
    catalog: Catalog, connection: asyncpg.Connection, windows: Sequence[Window], question: Question, components: Mapping[str, Any]
) -> dict[Hashable, dict[tuple[str, ...], dict[str, int]]]:
    """Seconds of several windows that are asked for at once, by the window's key."""
    known = {window.tenant: declared(components) for window in windows}
    found: dict[Hashable, dict[tuple[str, ...], dict[str, int]]] = {window.key: defaultdict(dict) for window in windows}
    kpis = {"down": "downtime", "planned": "planned_downtime", "degraded": "degraded_time", "up": "availability"}
    for name, kpi in kpis.items():
        for value in await run(connection, catalog.kpis[kpi], windows, question, declared=known):
            dims = tuple(value.dims[dimension] for dimension in question.by)
            found[value.window][dims][name] = int(value.numerator or 0)
    return found


async def one(
    catalog: Catalog, connection: asyncpg.Connection, kpi: str, window: Window, components: Mapping[str, Any] | None = None
) -> float | None:
    (value,) = await run(connection, catalog.kpis[kpi], [window], declared={window.tenant: declared(components or {})})
    return value.value


async def test_a_probe_speaks_for_nothing_after_the_end_of_the_window(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    await store_probes(connection, tenant, [Probe(NOON // SECOND, 3_600)])
    open_window = span(tenant, NOON, NOON + 60 * MINUTE, now_us=NOON + 90 * SECOND)
    (value,) = await run(connection, catalog.kpis["availability"], [open_window], declared={tenant: declared({})})
    assert (value.value, value.numerator, value.denominator) == (1, 90, 90)
    assert await one(catalog, connection, "probe_coverage", open_window) == 1


async def test_without_a_probe_there_is_no_availability_and_no_downtime(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    window = span(tenant, NOON, NOON + 60 * MINUTE)
    assert await one(catalog, connection, "availability", window) is None
    assert await one(catalog, connection, "downtime", window) == 0
    assert await one(catalog, connection, "probe_coverage", window) is None
    assert await one(catalog, connection, "probe_coverage", window, {"web": {}}) == 0


async def test_the_platform_is_unknown_while_a_critical_component_is(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    second = NOON // SECOND
    probes = [Probe(second, 600), Probe(second, 300, component="api"), Probe(second + 600, 100, up=False, component="api")]
    await store_probes(connection, tenant, probes)
    window, components = span(tenant, NOON, NOON + 15 * MINUTE), {"web": {"critical": True}, "api": {"critical": True}}
    (value,) = await run(connection, catalog.kpis["availability"], [window], declared={tenant: declared(components)})
    assert (value.numerator, value.denominator) == (300, 400)
    assert await one(catalog, connection, "probe_coverage", window, components) == pytest.approx(400 / 900)


async def test_an_open_false_positive_clears_what_no_probe_spoke_for_too(
    catalog: Catalog, connection: asyncpg.Connection
) -> None:
    tenant = await make_tenant(connection, "pilot")
    await store_probes(connection, tenant, [Probe(NOON // SECOND - 60, 60, up=False)])
    steps: list[tuple[int, dict[str, Any]]] = [
        (NOON - 30 * SECOND, {"action": "opened", "severity": "P2", "outage": True}),
        (NOON, {"action": "false_positive"}),
    ]
    await store_steps(connection, tenant, "i", steps)
    (value,) = await run(
        connection,
        catalog.kpis["availability"],
        [span(tenant, NOON - MINUTE, NOON + 60 * MINUTE)],
        declared={tenant: declared({})},
    )
    assert (value.numerator, value.denominator) == (3_630, 3_660)


async def test_probes_count_in_the_quarter_they_began_in(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    second = NOON // SECOND
    probes = [
        Probe(second - 10, 60),
        Probe(second, 60, up=False, monitor="m"),
        Probe(second + 60, 60, monitor="m"),
        Probe(second + 90, 60, excluded=True),
    ]
    await store_probes(connection, tenant, probes)
    window = span(tenant, NOON, NOON + 15 * MINUTE)
    assert await one(catalog, connection, "probe_success", window) == 0.5
    split = await run(connection, catalog.kpis["probe_success"], [window], Question(by=("monitor",)))
    assert {value.dims["monitor"]: value.value for value in split} == {"m": 0.5, "default": None}


async def test_a_window_older_than_the_quarters_kept_has_expired(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    window = span(tenant, NOON, NOON + 15 * MINUTE)
    (value,) = await run(connection, catalog.kpis["downtime"], [window], kept=Kept(quarter_from_us=NOON + MINUTE))
    assert (value.value, value.reason) == (None, "expired")


@pytest.mark.parametrize(("day", "hours"), [("2025-11-02", 25), ("2025-03-09", 23)], ids=["25 hours", "23 hours"])
async def test_a_local_day_has_all_of_its_seconds(catalog: Catalog, connection: asyncpg.Connection, day: str, hours: int) -> None:
    zone = "America/New_York"
    tenant = await make_tenant(connection, "pilot", zone)
    midnight = to_us(datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)))
    first = midnight // SECOND - HOUR_S
    await store_probes(connection, tenant, [Probe(first + number * HOUR_S, HOUR_S) for number in range(28)])
    window = resolve_window(tenant, zone, now_us=NOON + 400 * DAY, name="day", end_us=midnight + 12 * 3_600 * SECOND)
    (value,) = await run(connection, catalog.kpis["availability"], [window], declared={tenant: declared({})})
    assert (value.numerator, value.denominator) == (hours * HOUR_S, hours * HOUR_S)


async def test_hours_of_weeks_with_gaps_look_at_the_bits_of_their_own_days_alone(
    catalog: Catalog, connection: asyncpg.Connection
) -> None:
    tenant, days = await make_tenant(connection, "pilot"), 6
    first = NOON // SECOND - days * 24 * HOUR_S
    await store_probes(connection, tenant, [Probe(first + number * 900, 899) for number in range(days * 96)])
    hours = [
        replace(span(tenant, (first + number * HOUR_S) * SECOND, (first + (number + 1) * HOUR_S) * SECOND), key=number)
        for number in range(days * 24)
    ]
    values = await run(connection, catalog.kpis["availability"], hours, declared={tenant: declared({})})
    assert [(value.numerator, value.denominator) for value in values] == [(4 * 899, 4 * 899)] * len(hours)
    nodes = await plan(connection, catalog.kpis["availability"], hours, Question(), {tenant: declared({})})
    looked_at = sum(
        node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for node in nodes
        if node["Node Type"] == "Function Scan" and node["Alias"] == "u"
    )
    assert 0 < looked_at <= len(hours) * 96
