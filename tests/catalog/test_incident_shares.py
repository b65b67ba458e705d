"""What incidents came to: within their target, with a postmortem, escalated, how many users, downtime inside and outside."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from service.catalog import Catalog, Question, declared_of, resolve_window, run
from service.clock import DAY, HOUR, MINUTE, SECOND, to_us
from service.domain.config import TenantConfig
from tests.catalog.health import Probe, store_probes, store_steps
from tests.catalog.rollups import make_tenant

MONDAY = to_us(datetime(2025, 11, 17, tzinfo=UTC))
Figures = dict[tuple[str, ...], tuple[Any, Any]]


class Week:
    """A tenant's week of incidents."""

    def __init__(self, connection: asyncpg.Connection, tenant: int, **config: Any) -> None:
        self.connection = connection
        self.tenant = tenant
        self.declared = {tenant: declared_of(TenantConfig.model_validate(config))}
        self.catalog = Catalog.load()

    async def add(self, name: str, *steps: tuple[int, str], account: str = "", **fields: Any) -> None:
        """An incident of these steps; the fields come with the first one."""
        told: list[tuple[int, Mapping[str, Any]]] = [(at, {"action": action}) for at, action in steps]
        told[0] = (told[0][0], {**told[0][1], **fields})
        await store_steps(self.connection, self.tenant, name, told, account=account)

    async def ask(self, kpi: str, statistic: str = "", by: Sequence[str] = (), **filters: str) -> Figures:
        window = resolve_window(self.tenant, "UTC", now_us=MONDAY + 30 * DAY, name="week", end_us=MONDAY + 7 * DAY)
        question = Question(by=tuple(by), filters={name: (value,) for name, value in filters.items()}, statistics=(statistic,))
        found = await run(self.connection, self.catalog.kpis[kpi], [window], question, declared=self.declared)
        return {tuple(value.dims[name] for name in by): (value.numerator, value.denominator) for value in found}

    async def one(self, kpi: str, statistic: str = "", **filters: str) -> tuple[Any, Any]:
        return (await self.ask(kpi, statistic, **filters))[()]


@pytest.fixture
async def tenant(connection: asyncpg.Connection) -> int:
    return await make_tenant(connection, "pilot")


async def test_incidents_are_within_target_by_their_severitys_limit(connection: asyncpg.Connection, tenant: int) -> None:
    week = Week(connection, tenant, incident_limit=[{"severity": "P1", "resolve": "90m"}])
    at = MONDAY
    await week.add("a", (at, "opened"), (at + HOUR, "detected"), (at + 2 * HOUR + 30 * MINUTE, "resolved"), severity="P1")
    await week.add("b", (at, "opened"), (at + 90 * MINUTE + 1, "resolved"), severity="P1")
    await week.add("c", (at, "opened"), (at + 25 * HOUR, "resolved"), severity="P2")  # 24 h by default
    reopened = ((at, "opened"), (at + 30 * MINUTE, "resolved"), (at + DAY, "reopened"), (at + DAY + 30 * MINUTE, "resolved"))
    await week.add("d", *reopened, severity="P0")  # an hour in all
    await week.add("e", (at, "opened"), (at + 1, "resolved"), (at + 2, "false_positive"), severity="P0")
    await week.add("f", (at, "opened"), severity="P3")
    assert await week.one("incidents_within_target") == (2, 4)
    assert await week.ask("incidents_within_target", by=["severity"]) == {("P0",): (1, 1), ("P1",): (1, 2), ("P2",): (0, 1)}
    from_opening = Week(
        connection, tenant, activity={"mttr_from": "opened"}, incident_limit=[{"severity": "P1", "resolve": "90m"}]
    )
    assert await from_opening.one("incidents_within_target", severity="P1") == (0, 2)


async def test_postmortems_are_asked_of_the_severities_that_are_declared(connection: asyncpg.Connection, tenant: int) -> None:
    week, at = Week(connection, tenant), MONDAY
    await week.add("a", (at, "opened"), (at + HOUR, "resolved"), (at + 25 * HOUR, "postmortem_completed"), severity="P0")
    await week.add("b", (at, "opened"), (at + HOUR, "resolved"), (at + 25 * HOUR + 1, "postmortem_completed"), severity="P1")
    await week.add("c", (at, "opened"), (at + HOUR, "resolved"), severity="P1")
    await week.add("d", (at, "opened"), (at + HOUR, "resolved"), severity="P2")
    assert await week.one("postmortems") == (2, 3)
    assert await week.one("postmortems", "within_24h") == (1, 3)
    assert await Week(connection, tenant, activity={"postmortem_severities": ["P2"]}).one("postmortems") == (0, 1)


async def test_shares_of_incidents_are_split_by_their_kind_and_their_cause(connection: asyncpg.Connection, tenant: int) -> None:
    week, at = Week(connection, tenant), MONDAY
    done, late, told = (at + HOUR, "resolved"), (at + 2 * DAY, "resolved"), (at + 3 * DAY, "postmortem_completed")
    deploy, disk = {"kind": "availability", "cause": "deploy"}, {"kind": "security", "cause": "disk"}
    await week.add("a", (at, "opened"), (at + 1, "escalated"), done, told, severity="P0", **deploy)
    await week.add("b", (at, "opened"), late, severity="P1", **deploy)
    await week.add("c", (at, "opened"), done, told, severity="P1", **disk)
    await week.add("d", (at, "opened"), (at + 1, "escalated"), done, severity="P1")
    for name, first, second in (("kind", "availability", "security"), ("cause", "deploy", "disk")):
        assert await week.ask("postmortems", by=[name]) == {(first,): (1, 2), (second,): (1, 1), ("",): (0, 1)}
        assert await week.ask("postmortems", "within_24h", by=[name]) == {(first,): (0, 2), (second,): (0, 1), ("",): (0, 1)}
        assert await week.ask("incident_escalation", by=[name]) == {(first,): (1, 2), (second,): (0, 1), ("",): (1, 1)}
        assert await week.ask("incidents_within_target", by=[name]) == {(first,): (1, 2), (second,): (1, 1), ("",): (1, 1)}
        assert await week.one("incidents_within_target", **{name: first}) == (1, 2)


async def test_escalated_incidents_and_affected_users_are_those_of_the_incidents_opened(
    connection: asyncpg.Connection, tenant: int
) -> None:
    week, at = Week(connection, tenant), MONDAY
    await week.add("a", (at, "opened"), (at + 9 * DAY, "escalated"), severity="P0", affected_users=12)
    await week.add("b", (at, "opened"), severity="P1", affected_users=30, account="acme")
    await week.add("c", (at - 1, "opened"), (at, "escalated"), severity="P1", affected_users=500)
    await week.add("d", (at, "opened"), (at, "false_positive"), severity="P1", affected_users=500)
    assert await week.one("incident_escalation") == (1, 2)
    assert await week.one("affected_users") == (42, None)
    assert await week.ask("affected_users", by=["account"]) == {("acme",): (30, None)}
    assert await week.one("affected_users", account="beta") == (12, None)


async def test_time_between_failures_is_uptime_by_outages(connection: asyncpg.Connection, tenant: int) -> None:
    week, at = Week(connection, tenant), MONDAY
    await store_probes(connection, tenant, [Probe(at // SECOND, 3600), Probe(at // SECOND + 3600, 600, up=False)])
    assert await week.one("mtbf") == (3600, 0)
    await week.add("a", (at + HOUR, "opened"), severity="P0", outage=True)
    await week.add("b", (at + HOUR, "opened"), severity="P0", outage=True)
    await week.add("c", (at + HOUR, "opened"), severity="P0", outage=False)
    assert await week.one("mtbf") == (3600, 2)


async def test_downtime_lies_inside_of_an_incident_or_outside_of_any(connection: asyncpg.Connection, tenant: int) -> None:
    week, at = Week(connection, tenant), MONDAY
    second = at // SECOND
    probes = [Probe(second, 3600, up=False, component="web"), Probe(second, 1800, up=False, component="api")]
    await store_probes(connection, tenant, [*probes, Probe(second + 1800, 1800, component="api")])
    assert (await week.one("incident_downtime"), await week.one("incident_downtime", "outside")) == ((0, None), (3600, None))
    await week.add("a", (at + 10 * MINUTE, "opened"), (at + 20 * MINUTE, "resolved"), severity="P1", service="web")
    reopened = ((at + 30 * MINUTE, "reopened"), (at + 40 * MINUTE + SECOND, "resolved"))
    await store_steps(connection, tenant, "a", [(when, {"action": action, "n": 1}) for when, action in reopened], first=2)
    await week.add("b", (at + 50 * MINUTE, "opened"), (at + 51 * MINUTE, "false_positive"), severity="P1", service="web")
    inside = await week.ask("incident_downtime", by=["component"])
    assert inside == {("web",): (1201, None), ("api",): (0, None)}
    assert (await week.one("incident_downtime"), await week.one("incident_downtime", "outside")) == ((1201, None), (2399, None))
    await week.add("c", (at, "opened"), severity="P2")  # of no component: it speaks for all, and is not resolved yet
    assert (await week.one("incident_downtime"), await week.one("incident_downtime", "outside")) == ((3600, None), (0, None))
