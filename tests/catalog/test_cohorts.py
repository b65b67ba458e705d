"""Who came, stayed, came back and left, and how cohorts are retained, against plain sets over the same uses."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from service.catalog import Catalog, Question, run
from tests.catalog.people import Use, store_people
from tests.catalog.rollups import make_tenant
from tests.catalog.test_milestones import QUESTIONS
from tests.catalog.test_users import ACCOUNTS, FEATURES, MONDAY, TRAITS, Oracle, declared, window

FIRST = MONDAY - timedelta(days=50)
WEEK = timedelta(days=7)
SPANS = {"day": 1, "week": 7}
Dims = tuple[str, ...]
Found = dict[Dims, tuple[Any, Any]]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


def months_of_uses(seed: int, *, users: int = 60, uses: int = 600) -> tuple[list[Use], dict[str, dict[str, str]]]:
    """Uses over eight weeks up to the Sunday of the week that begins on MONDAY."""
    dice = random.Random(seed)
    names = [f"u{number}" for number in range(users)]
    made = [
        Use(FIRST + timedelta(days=dice.randrange(57)), dice.choice(names), dice.choice(FEATURES), dice.choice(ACCOUNTS))
        for _ in range(uses)
    ]
    traits = {user: {trait: dice.choice(values) for trait, values in TRAITS.items() if dice.random() < 0.8} for user in names}
    return made, traits


async def asked(
    catalog: Catalog, connection: asyncpg.Connection, kpi: str, tenant: int, name: str, **question: Any
) -> dict[tuple[str, Dims], tuple[Any, Any]]:
    """Numerators and denominators by statistic and dimensions, of the window that ends with Sunday."""
    asking = Question(**question)
    found = await run(connection, catalog.kpis[kpi], [window(tenant, name, MONDAY + WEEK)], asking, declared={tenant: declared()})
    return {(v.statistic, tuple(v.dims[each] for each in asking.by)): (v.numerator, v.denominator) for v in found}


class Sets:
    """Users by the split, as plain sets."""

    def __init__(self, oracle: Oracle, by: Sequence[str], filters: Mapping[str, Sequence[str]]) -> None:
        self.oracle, self.by, self.filters = oracle, by, filters

    def active(self, first: date, last: date) -> dict[Dims, set[str]]:
        return defaultdict(set, self.oracle.users(first, last, self.by, self.filters))

    def born(self, first: date, last: date) -> dict[Dims, set[str]]:
        before = self.active(FIRST, first - timedelta(days=1))
        return defaultdict(set, {dims: who - before[dims] for dims, who in self.active(first, last).items()})


@pytest.mark.parametrize("name", ["7d", "week", "day", "28d", "month"])
async def test_new_returning_and_resurrected_users_are_all_active_ones(
    catalog: Catalog, connection: asyncpg.Connection, name: str
) -> None:
    tenant = await make_tenant(connection, "pilot")
    uses, traits = months_of_uses(21)
    await store_people(connection, tenant, uses, traits=traits)
    here = window(tenant, name, MONDAY + WEEK)
    first, last = (date(1970, 1, 1) + timedelta(days=day) for day in (here.first_day, here.last_day))
    long = (last - first).days + 1
    before = (
        (date(2025, 10, 1), date(2025, 10, 31)) if name == "month" else (first - timedelta(days=long), first - timedelta(days=1))
    )
    for by, filters in QUESTIONS:
        sets = Sets(Oracle(uses, traits), by, filters)
        now, earlier, known = sets.active(first, last), sets.active(*before), sets.active(FIRST, first - timedelta(days=1))
        wanted = {
            "new_users": {dims: who - known[dims] for dims, who in now.items()},
            "returning_users": {dims: who & earlier[dims] for dims, who in now.items()},
            "resurrected_users": {dims: (who & known[dims]) - earlier[dims] for dims, who in now.items()},
            "dormant_users": {dims: who - now[dims] for dims, who in earlier.items()},
        }
        found = {kpi: await asked(catalog, connection, kpi, tenant, name, by=by, filters=filters) for kpi in wanted}
        for kpi, users in wanted.items():
            counts = {dims: n for (_, dims), (n, _) in found[kpi].items() if n}
            assert counts == {dims: len(who) for dims, who in users.items() if who}, (kpi, by, filters)
        kept = await asked(catalog, connection, "period_retention", tenant, name, by=by, filters=filters)
        assert {dims: pair for (_, dims), pair in kept.items() if pair != (None, None)} == {
            dims: (len(who & now[dims]), len(who)) for dims, who in earlier.items() if who
        }
        active = {dims: len(who) for dims, who in now.items()}
        for dims, n in active.items():
            arrived = (found[kpi].get(("", dims), (0, None))[0] for kpi in list(wanted)[:3])
            assert sum(arrived) == n


@pytest.mark.parametrize("name", ["7d", "28d"])
async def test_a_visit_is_repeated_on_another_day(catalog: Catalog, connection: asyncpg.Connection, name: str) -> None:
    tenant = await make_tenant(connection, "pilot")
    uses, traits = months_of_uses(22)
    await store_people(connection, tenant, uses, traits=traits)
    here = window(tenant, name, MONDAY + WEEK)
    days = [date(1970, 1, 1) + timedelta(days=day) for day in range(here.first_day, here.last_day + 1)]
    for by, filters in QUESTIONS:
        sets = Sets(Oracle(uses, traits), by, filters)
        visits: dict[Dims, list[str]] = defaultdict(list)
        for day in days:
            for dims, who in sets.active(day, day).items():
                visits[dims] += who
        wanted = {dims: (sum(of.count(user) > 1 for user in set(of)), len(set(of))) for dims, of in visits.items()}
        found = await asked(catalog, connection, "repeat_visit", tenant, name, by=by, filters=filters)
        assert {dims: pair for (_, dims), pair in found.items()} == wanted, (by, filters)


def spans(unit: str, first: date, last: date) -> list[tuple[date, date]]:
    """The calendar's days, weeks and months that end between two days."""
    if unit == "month":
        starts = [date(2025, month, 1) for month in range(1, 13)]
        both = [(start, (start + timedelta(days=32)).replace(day=1) - timedelta(days=1)) for start in starts]
    else:
        long = timedelta(days=SPANS[unit])
        start = MONDAY - 20 * WEEK
        both = [(start + number * long, start + (number + 1) * long - timedelta(days=1)) for number in range(300)]
    return [(start, end) for start, end in both if first <= end <= last]


def earlier_span(unit: str, start: date, n: int) -> tuple[date, date]:
    if unit == "month":
        born = (start.year * 12 + start.month - 1) - n
        begins = date(born // 12, born % 12 + 1, 1)
        return begins, (begins + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    begins = start - n * timedelta(days=SPANS[unit])
    return begins, begins + timedelta(days=SPANS[unit] - 1)


@pytest.mark.parametrize("name", ["7d", "28d", "quarter"])
async def test_retention_is_of_the_cohorts_whose_age_falls_into_the_window(
    catalog: Catalog, connection: asyncpg.Connection, name: str
) -> None:
    tenant = await make_tenant(connection, "pilot")
    uses, traits = months_of_uses(23)
    await store_people(connection, tenant, uses, traits=traits)
    here = window(tenant, name, MONDAY + WEEK)
    first = date(1970, 1, 1) + timedelta(days=here.first_day)
    # The quarter is over, too: what nobody did in its rest counts against retention.
    last = date(2025, 12, 31) if name == "quarter" else MONDAY + timedelta(days=6)
    for by, filters in QUESTIONS:
        sets = Sets(Oracle(uses, traits), by, filters)
        question = {"by": by, "filters": filters}
        for statistic, unit, n in (("", "day", 2), ("d1", "day", 1), ("d7", "day", 7), ("", "week", 1), ("", "month", 1)):
            parameters = {} if statistic else {"n": str(n), "unit": unit}
            found = await asked(catalog, connection, "retention", tenant, name, **question, parameters=parameters)
            wanted: dict[Dims, list[int]] = defaultdict(lambda: [0, 0])
            for start, end in spans(unit, first, last):
                active = sets.active(start, end)
                for dims, cohort in sets.born(*earlier_span(unit, start, n)).items():
                    wanted[dims][0] += len(cohort & active[dims])
                    wanted[dims][1] += len(cohort)
            counts = {dims: tuple(of) for dims, of in wanted.items() if of[1]}
            got = {dims: pair for (name_, dims), pair in found.items() if name_ == statistic and pair[1]}
            assert got == counts, (statistic, by, filters)


@pytest.mark.parametrize(("unit", "most"), [("day", 60), ("week", 104), ("month", 60)])
async def test_no_row_of_the_triangle_exceeds_its_cohort(
    catalog: Catalog, connection: asyncpg.Connection, unit: str, most: int
) -> None:
    tenant = await make_tenant(connection, "pilot")
    uses, traits = months_of_uses(24)
    await store_people(connection, tenant, uses, traits=traits)
    first, last = date(2025, 10, 1), date(2025, 12, 31)
    for by, filters in (((), {}), (("account",), {}), ((), {"user.region": ("eu",)}), ((), {"account": ("acme", "beta")})):
        sets = Sets(Oracle(uses, traits), by, filters)
        split = (*by, "cohort", "age")
        found = await asked(
            catalog, connection, "retention", tenant, "quarter", by=split, filters=filters, parameters={"unit": unit}
        )
        wanted: dict[Dims, tuple[int, int]] = {}
        for start, end in spans(unit, first, last):
            active = sets.active(start, end)
            for n in range(most + 1):
                born = earlier_span(unit, start, n)
                for dims, cohort in sets.born(*born).items() if born[0] >= first else ():
                    if cohort:
                        wanted[(*dims, born[0].isoformat(), str(n))] = (len(cohort & active[dims]), len(cohort))
        assert {dims: pair for (_, dims), pair in found.items()} == wanted, (by, filters)
        assert all(n <= size for n, size in found.values())
        assert all(pair[0] == pair[1] for (_, dims), pair in found.items() if dims[-1] == "0")
