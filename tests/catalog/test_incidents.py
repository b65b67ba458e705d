"""Incidents are counted and timed as their steps say, against plain lists of the same steps."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import asyncpg
import pytest

from service.catalog import Catalog, Question, Window, declared_of, resolve_window, run
from service.clock import DAY, HOUR, MINUTE, to_us
from service.domain.config import TenantConfig
from service.domain.families.incident import ACTIONS
from tests.catalog.health import store_steps
from tests.catalog.rollups import make_tenant

MONDAY = to_us(datetime(2025, 11, 17, tzinfo=UTC))
Step = tuple[int, Mapping[str, Any]]
QUESTIONS: list[tuple[tuple[str, ...], dict[str, tuple[str, ...]]]] = [
    ((), {}),
    (("severity",), {}),
    (("service", "kind"), {}),
    (("account",), {}),
    (("account", "severity"), {"severity": ("P0", "P1")}),
    ((), {"severity": ("P0", "P1")}),
    (("severity",), {"severity": ("P0", "P1"), "service": ("redis",)}),
    ((), {"account": ("acme",)}),
    ((), {"account": ("acme", "beta")}),
    (("account",), {"account": ("acme", "beta")}),
    ((), {"service": ("redis",)}),
    ((), {"cause": ("",)}),
]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


@dataclass
class Case:
    """One incident's steps in the order in which they happened."""

    steps: list[Step]

    def first(self, action: str) -> int | None:
        return min((at for at, fields in self.steps if fields["action"] == action), default=None)

    @property
    def opened(self) -> int:
        opened = self.first("opened")
        return min(at for at, _ in self.steps) if opened is None else opened

    @property
    def is_false(self) -> bool:
        return self.first("false_positive") is not None

    def moves(self, end: int) -> list[tuple[int, int, str]]:
        moves = [(at, ACTIONS.index(f["action"]), f["action"]) for at, f in self.steps if f["action"] in ("resolved", "reopened")]
        return sorted(move for move in moves if move[0] < end)

    def is_open(self, end: int) -> bool:
        moves = self.moves(end)
        return self.opened < end and (not moves or moves[-1][2] == "reopened")

    @property
    def resolved(self) -> int | None:
        moves = self.moves(2**62)
        return moves[-1][0] if moves and moves[-1][2] == "resolved" else None

    @property
    def idle(self) -> int:
        moves = self.moves(2**62)
        return sum(b[0] - a[0] for a, b in pairwise(moves) if (a[2], b[2]) == ("resolved", "reopened"))

    def newest(self, name: str) -> str:
        said = [(at, ACTIONS.index(f["action"]), number, f[name]) for number, (at, f) in enumerate(self.steps) if name in f]
        return max(said)[3] if said else ""

    @property
    def accounts(self) -> set[str]:
        return {account for _, fields in self.steps for account in fields.get("accounts", ())}

    def dims(self, by: Sequence[str], filters: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
        values = {name: self.newest(name) for name in ("severity", "kind", "service", "cause")}
        if any(values[name] not in allowed for name, allowed in filters.items() if name != "account"):
            return []
        named, allowed = self.accounts, set(filters.get("account", ()))
        if "account" in by:
            shown = named & allowed if allowed else named
            return [tuple(account if name == "account" else values[name] for name in by) for account in shown]
        if allowed and named and not named & allowed:
            return []
        return [tuple(values[name] for name in by)]


def random_cases(seed: int) -> list[Case]:
    dice = random.Random(seed)
    cases = []
    for _ in range(60):
        at, steps = MONDAY + dice.randrange(-2 * DAY, 8 * DAY), list[Step]()
        for action in dice.choices(ACTIONS, weights=[3, 3, 2, 1, 1, 1, 1, 4, 2, 1, 0.3], k=dice.randrange(1, 9)):
            fields: dict[str, Any] = {"action": action}
            if action in ("opened", "severity_changed"):
                fields["severity"] = dice.choice(("P0", "P1", "P2", "P3"))
            for name, values in (("service", ("redis", "api")), ("kind", ("availability", "security")), ("cause", ("disk",))):
                if dice.random() < 0.4:
                    fields[name] = dice.choice(values)
            if dice.random() < 0.2:
                fields["accounts"] = dice.sample(("acme", "beta", "core"), k=dice.randrange(1, 3))
            steps.append((at, fields))
            at += dice.choice((0, MINUTE, 7 * MINUTE, HOUR, 9 * HOUR))
        cases.append(Case(distinct(steps)))
    return cases


def distinct(steps: list[Step]) -> list[Step]:
    """Each action once an instant: which of two copies came first is not what is tested here."""
    return list({(at, fields["action"]): (at, fields) for at, fields in steps}.values())


def window(tenant: int, name: str = "week") -> Window:
    return resolve_window(tenant, "UTC", now_us=MONDAY + 30 * DAY, name=name, end_us=MONDAY + 7 * DAY)


async def values(
    catalog: Catalog, connection: asyncpg.Connection, kpi: str, tenant: int, question: Question, **activity: Any
) -> dict[tuple[str, ...], float | None]:
    known = {tenant: declared_of(TenantConfig.model_validate({"activity": activity}))}
    found = await run(connection, catalog.kpis[kpi], [window(tenant)], question, declared=known)
    return {tuple(value.dims[name] for name in question.by): value.value for value in found}


def in_window(at: int | None) -> bool:
    return at is not None and MONDAY <= at < MONDAY + 7 * DAY


async def test_incidents_are_counted_by_what_is_known_of_them_now(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant, cases = await filled(connection)
    chosen = {
        "incidents": [case for case in cases if not case.is_false and in_window(case.opened)],
        "false_positives": [case for case in cases if case.is_false and in_window(case.opened)],
        "open_incidents": [case for case in cases if not case.is_false and case.is_open(MONDAY + 7 * DAY)],
    }
    for kpi, counted in chosen.items():
        for by, filters in QUESTIONS:
            wanted: dict[tuple[str, ...], float | None] = defaultdict(int)
            if by == ("severity",):
                wanted |= {(severity,): 0 for severity in filters.get("severity", ("P0", "P1", "P2", "P3"))}
            if not by:
                wanted[()] = 0
            for case in counted:
                for dims in case.dims(by, filters):
                    wanted[dims] = (wanted[dims] or 0) + 1
            assert await values(catalog, connection, kpi, tenant, Question(by=by, filters=filters)) == wanted, (kpi, by, filters)


@pytest.mark.parametrize("mttr_from", ["detected", "opened"])
async def test_durations_belong_to_the_window_of_their_later_end(
    catalog: Catalog, connection: asyncpg.Connection, mttr_from: str
) -> None:
    tenant, cases = await filled(connection)
    for kpi in ("mttd", "mtta", "mttr"):
        for by, filters in QUESTIONS:
            durations: dict[tuple[str, ...], list[int]] = defaultdict(list)
            for case in cases:
                end, took = duration(case, kpi, mttr_from)
                if took is not None and took >= 0 and in_window(end) and not case.is_false:
                    for dims in case.dims(by, filters):
                        durations[dims].append(took)
            wanted: dict[tuple[str, ...], Any] = {
                dims: pytest.approx(sum(took) / len(took) / 1e6) for dims, took in durations.items()
            }
            question = Question(by=by, filters=filters, statistics=("mean",))
            found = await values(catalog, connection, kpi, tenant, question, mttr_from=mttr_from)
            assert found == (wanted or ({} if by else {(): None})), (kpi, by, filters)


def duration(case: Case, kpi: str, mttr_from: str) -> tuple[int | None, int | None]:
    detected = case.first("detected")
    start = case.opened if detected is None else detected
    match kpi:
        case "mttd":
            return detected, None if detected is None else detected - case.opened
        case "mtta":
            seen = case.first("acknowledged")
            return seen, None if seen is None else seen - start
        case _:
            begin = case.opened if mttr_from == "opened" else start
            return case.resolved, None if case.resolved is None else case.resolved - case.idle - begin


async def filled(connection: asyncpg.Connection) -> tuple[int, list[Case]]:
    tenant, other = await make_tenant(connection, "pilot"), await make_tenant(connection, "other")
    cases = random_cases(3)
    for number, case in enumerate(cases):
        await store_steps(connection, tenant, f"i{number}", case.steps)
    for number, case in enumerate(random_cases(4)[:20]):
        await store_steps(connection, other, f"i{number}", case.steps)
    return tenant, cases


async def test_without_incidents_the_count_is_nought_and_the_times_are_none(
    catalog: Catalog, connection: asyncpg.Connection
) -> None:
    tenant = await make_tenant(connection, "pilot")
    assert await values(catalog, connection, "incidents", tenant, Question()) == {(): 0}
    assert await values(catalog, connection, "mttr", tenant, Question(statistics=("p95",))) == {(): None}
