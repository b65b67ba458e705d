"""Active users are counted exactly, by account, feature and trait, against plain sets over the same uses."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from service.catalog import Catalog, Declared, Question, Window, declared_of, resolve_window, run
from service.catalog.declared import default_window
from service.clock import to_us
from service.domain.config import TenantConfig
from tests.catalog.people import Use, store_people
from tests.catalog.rollups import make_tenant

MONDAY = date(2025, 11, 17)
ACCOUNTS = ("", "acme", "beta", "core")
FEATURES = ("dashboard", "csv_export", "pdf_export", "audit")
TRAITS = {"region": ("eu", "us"), "role": ("admin", "member")}
GROUPS = {"export": ("csv_export", "pdf_export")}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


def at(day: date) -> int:
    return to_us(datetime(day.year, day.month, day.day, tzinfo=UTC))


def window(tenant: int, name: str, end: date, *, key: int = 0) -> Window:
    """The closed window of that name which ends before this day begins."""
    return resolve_window(tenant, "UTC", now_us=at(end) + 400 * 86_400_000_000, name=name, end_us=at(end), key=key)


def declared(**tables: Any) -> Declared:
    return declared_of(TenantConfig.model_validate(tables))


def random_uses(seed: int, *, users: int = 150, days: int = 10, uses: int = 700) -> tuple[list[Use], dict[str, dict[str, str]]]:
    dice = random.Random(seed)  # a seed, so that a failure repeats
    names = [f"u{number}" for number in range(users)]
    made = [
        Use(
            MONDAY + timedelta(days=dice.randrange(days)),
            dice.choice(names),
            dice.choice(FEATURES),
            dice.choice(ACCOUNTS),
        )
        for _ in range(uses)
    ]
    traits = {
        use.user: {trait: dice.choice(values) for trait, values in TRAITS.items() if dice.random() < 0.8}
        for use in sorted(made, key=lambda use: use.user)
    }
    return made, traits


class Oracle:
    """Plain sets over the uses."""

    def __init__(self, uses: Sequence[Use], traits: Mapping[str, Mapping[str, str]]) -> None:
        self.uses = uses
        self.traits = traits

    def users(
        self, first: date, last: date, by: Sequence[str], filters: Mapping[str, Sequence[str]]
    ) -> dict[tuple[str, ...], set[str]]:
        found: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for use in self.uses:
            if first <= use.day <= last and self.passes(use, filters):
                for values in self.dims(use, by, filters):
                    found[values].add(use.user)
        return found

    def passes(self, use: Use, filters: Mapping[str, Sequence[str]]) -> bool:
        if "feature" not in filters and not use.counts:
            return False
        return all(self.value(use, name) in members(values) for name, values in filters.items())

    def dims(self, use: Use, by: Sequence[str], filters: Mapping[str, Sequence[str]]) -> Iterable[tuple[str, ...]]:
        if "account" in by and not use.account:
            return
        labels = [use.feature]
        if "feature" in filters:
            labels = [label for label in filters["feature"] if use.feature in members((label,))]
        for label in labels if "feature" in by else [""]:
            yield tuple(label if name == "feature" else self.value(use, name) for name in by)

    def value(self, use: Use, name: str) -> str:
        if name == "account":
            return use.account
        if name == "feature":
            return use.feature
        return self.traits.get(use.user, {}).get(name.removeprefix("user."), "")


def members(values: Sequence[str]) -> set[str]:
    return {feature for value in values for feature in GROUPS.get(value, (value,))}


QUESTIONS: list[tuple[tuple[str, ...], dict[str, tuple[str, ...]]]] = [
    ((), {}),
    (("account",), {}),
    (("feature",), {}),
    (("user.region",), {}),
    (("user.region", "user.role"), {}),
    (("account", "feature"), {}),
    (("account", "user.role"), {}),
    (("feature", "user.region"), {}),
    ((), {"account": ("acme",)}),
    ((), {"account": ("acme", "beta")}),
    (("account",), {"account": ("acme", "beta")}),
    (("feature",), {"account": ("acme", "core")}),
    (("user.role",), {"account": ("acme", "beta")}),
    ((), {"user.region": ("eu",)}),
    (("user.role",), {"user.region": ("eu", "us")}),
    ((), {"user.region": ("eu",), "account": ("beta",)}),
    ((), {"feature": ("export",)}),
    (("feature",), {"feature": ("export", "dashboard")}),
    (("account",), {"feature": ("export",)}),
    (("account", "feature"), {"feature": ("export",), "user.role": ("admin",)}),
    ((), {"feature": ("never_used",)}),
    ((), {"account": ("nobody",)}),
]


@pytest.mark.parametrize("spread", [1, 50], ids=["one chunk", "several chunks"])
async def test_users_are_counted_once_however_they_are_split_and_filtered(
    catalog: Catalog, connection: asyncpg.Connection, spread: int
) -> None:
    tenant, other = await make_tenant(connection, "pilot"), await make_tenant(connection, "other")
    uses, traits = random_uses(1)
    oracle = Oracle(uses, traits)
    await store_people(connection, tenant, uses, traits=traits, spread=spread)
    await store_people(connection, other, random_uses(2)[0])
    known = {tenant: declared(feature_groups=GROUPS)}
    windows = [window(tenant, "7d", MONDAY + timedelta(days=7)), window(tenant, "week", MONDAY + timedelta(days=8), key=1)]
    for by, filters in QUESTIONS:
        found = await run(connection, catalog.kpis["wau"], windows, Question(by=by, filters=filters), declared=known)
        for key, first in ((0, MONDAY), (1, MONDAY + timedelta(days=7))):
            wanted = {dims: len(who) for dims, who in oracle.users(first, first + timedelta(days=6), by, filters).items()}
            got = {tuple(value.dims[name] for name in by): value.value for value in found if value.window == key}
            assert got == (wanted or ({} if by else {(): 0})), (by, filters, key)


@pytest.mark.parametrize("business", [False, True], ids=["all days", "business days"])
async def test_the_mean_and_the_stickiness_are_made_of_the_daily_users(
    catalog: Catalog, connection: asyncpg.Connection, *, business: bool
) -> None:
    tenant = await make_tenant(connection, "pilot")
    uses, traits = random_uses(3, users=40)
    oracle = Oracle(uses, traits)
    await store_people(connection, tenant, uses, traits=traits)
    holiday = MONDAY + timedelta(days=1)
    known = {tenant: declared(tenant={"holidays": [holiday]}, feature_groups=GROUPS)}
    days = [MONDAY + timedelta(days=n) for n in range(7)]
    counted = [day for day in days if not business or (day.weekday() < 5 and day != holiday)]
    for by, filters in QUESTIONS[:-2]:
        question = Question(by=by, filters=filters, parameters={"days": "business" if business else "all"})
        asked = [window(tenant, "7d", MONDAY + timedelta(days=7))]
        mean = await run(connection, catalog.kpis["average_dau"], asked, question, declared=known)
        sticky = await run(connection, catalog.kpis["stickiness_weekly"], asked, question, declared=known)
        user_days: dict[tuple[str, ...], int] = defaultdict(int)
        for day in counted:
            for dims, who in oracle.users(day, day, by, filters).items():
                user_days[dims] += len(who)
        weekly = oracle.users(MONDAY, days[-1], by, filters)
        assert {key(by)(v.dims): v.value for v in mean} == {
            dims: pytest.approx(n / len(counted)) for dims, n in user_days.items()
        }, (by, filters)
        assert {key(by)(v.dims): v.value for v in sticky} == {
            dims: pytest.approx(user_days[dims] / len(counted) / len(who)) for dims, who in weekly.items()
        }, (by, filters)


def key(by: Sequence[str]) -> Callable[[Mapping[str, str]], tuple[str, ...]]:
    return lambda dims: tuple(dims[name] for name in by)


async def test_an_open_window_has_a_mean_of_the_days_that_have_begun(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    await store_people(
        connection, tenant, [Use(MONDAY, "a", "f"), Use(MONDAY, "b", "f"), Use(MONDAY + timedelta(days=1), "a", "f")]
    )
    now = at(MONDAY) + 26 * 3_600_000_000
    week = resolve_window(tenant, "UTC", now_us=now, name="week")
    (value,) = await run(connection, catalog.kpis["average_dau"], [week], declared={tenant: declared()})
    assert (value.value, value.numerator, value.denominator) == (1.5, 3, 2)


async def test_a_week_without_users_has_a_mean_of_none_and_no_stickiness(
    catalog: Catalog, connection: asyncpg.Connection
) -> None:
    tenant = await make_tenant(connection, "pilot")
    asked = [window(tenant, "7d", MONDAY)]
    (mean,) = await run(connection, catalog.kpis["average_dau"], asked, declared={tenant: declared()})
    (sticky,) = await run(connection, catalog.kpis["stickiness_weekly"], asked, declared={tenant: declared()})
    assert (mean.value, sticky.value, sticky.reason) == (0, None, "no_data")


async def test_what_is_declared_decides_which_days_count(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    await store_people(connection, tenant, [Use(MONDAY + timedelta(days=n), "a", "f") for n in (0, 5)])
    known = {tenant: declared(activity={"business_days_only": ["average_dau"]})}
    asked = [window(tenant, "7d", MONDAY + timedelta(days=7))]
    (mean,) = await run(connection, catalog.kpis["average_dau"], asked, declared=known)
    (sticky,) = await run(connection, catalog.kpis["stickiness_weekly"], asked, declared=known)
    assert (mean.value, sticky.value) == (1 / 5, 2 / 7)


@pytest.mark.parametrize(("declared_window", "shown"), [("7d", "7d"), ("week", "week")])
def test_what_is_declared_decides_the_window_of_a_question_that_names_none(
    catalog: Catalog, declared_window: str, shown: str
) -> None:
    config = TenantConfig.model_validate({"activity": {"wau_window": declared_window}})
    assert {default_window(catalog.kpis[kpi].head, config) for kpi in ("wau", "wau_share", "stickiness_weekly")} == {shown}
