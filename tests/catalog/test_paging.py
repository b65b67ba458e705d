"""Pages of a split put together are the whole answer, however many accounts a page is made of."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise

import asyncpg
import pytest

from service.catalog import Catalog, Declared, Kept, Question, Value, Window, run
from service.catalog.paging import FEWEST_ACCOUNTS, read_page, rows_of_a_page
from service.catalog.question import by_account_first
from service.catalog.value import grouped
from service.clock import HOUR
from service.errors import InvalidQuery
from tests.catalog.people import Told, Use, store_milestones, store_people, store_statuses
from tests.catalog.rollups import Observation, make_partitions, make_tenant, store
from tests.catalog.test_users import MONDAY, at, declared, window

SUNDAY = MONDAY + timedelta(days=6)
ODD = (
    "Zebra",
    "zebra",
    "a b",
    "a",
    'a"b',
    "a\\b",
    "a'b",
    "a,b",
    "a-b",
    "aB",
    "Ab",
    "ä",
    "éa",
    "日本",
    "~",
    "0",
    "{}",
    "\u0001x",
    "😀",
)
PLAIN = tuple(f"account-{number}" for number in range(4 * FEWEST_ACCOUNTS))
UNSEATED = ("service-1", "service-2", "Aservice")
"""They have uses and requests, and no user."""
FEATURES = ("dashboard", "csv", "pdf", 'odd "one"')
STEPS = [
    {"name": "known", "accounts": "known"},
    {"name": "here", "users": "active"},
    {"name": "shared", "users": "feature:export", "base": "here"},
    {"name": "trained", "users": "milestone:trained", "base": "here"},
]
WAY = [{"name": "come", "users": "milestone:first_login"}, {"name": "look", "users": "milestone:trained", "base": "come"}]
TABLES = {
    "funnel": [{"name": "each", "steps": STEPS}, {"name": "way", "ordered": True, "steps": WAY}],
    "feature_groups": {"export": ["csv", "pdf"]},
    "features": {"dashboard": {}, "never_used": {"adoption_target": 0.5}, "csv": {"eligible": {"role": ["buyer"]}}},
    "bands": {"size": {"edges": [10, 100], "names": ["small", "mid", "large"]}},
    "activity": {"time_to_first_value_from": "first_login"},
}
FILTERS: dict[str, Sequence[str]] = {"account": ("account-3", 'a"b', "日本", "nobody", "zebra", *PLAIN[40:90])}
GROUPED: dict[str, Sequence[str]] = {"feature": ("export", "dashboard")}
SPLITS: list[tuple[str, tuple[str, ...], Mapping[str, Sequence[str]]]] = [
    ("feature_users", ("account", "feature"), {}),
    ("feature_users", ("feature", "account"), FILTERS),
    ("feature_users", ("account", "feature"), GROUPED),
    ("feature_users", ("account", "feature", "band.size"), {}),
    ("feature_users", ("account", "feature", "user.role"), {}),
    ("feature_adoption", ("account", "feature"), {}),
    ("feature_adoption", ("account", "feature"), {"band.size": ("mid", "large")}),
    ("usage_frequency", ("account", "feature"), {}),
    ("usage_frequency", ("account", "feature"), GROUPED | FILTERS),
    ("feature_uses", ("account", "feature", "ok"), {}),
    ("feature_heatmap", ("account", "feature", "weekday"), {}),
    ("wau", ("account", "user.role"), {}),
    ("average_dau", ("account", "feature"), {}),
    ("wau_share", ("account", "user.role"), {}),
    ("arr", ("account", "status"), {}),
    ("retention", ("account", "cohort", "age"), {}),
    ("funnel", ("account", "funnel", "step"), {}),
    ("funnel", ("step", "account", "funnel"), FILTERS),
    ("funnel", ("account", "funnel", "step", "user.role"), {}),
    ("time_to_milestone", ("account", "milestone"), {}),
    ("time_to_first_value", ("account", "user.role"), {}),
    ("requests", ("account", "service"), {}),
    ("requests", ("account", "service"), {"account": UNSEATED}),
    ("request_latency", ("account", "status"), {}),
    ("customers", ("account", "status"), {}),
    ("deliveries", ("account", "integration"), {}),
    ("meter", ("account", "meter"), {}),
    ("mau_share", ("account", "user.role"), {}),
    ("new_users", ("account", "user.role"), {}),
    ("dormant_users", ("account", "user.role"), {}),
    ("repeat_visit", ("account", "user.role"), {}),
    ("wau", ("account",), {}),
    ("wau", ("account", "band.size"), {}),
    ("feature_users", ("feature",), {}),
]


@dataclass(frozen=True, slots=True)
class Filled:
    """A database with one tenant's week."""

    url: str
    tenant: int
    known: Mapping[int, Declared]

    @property
    def window(self) -> Window:
        return window(self.tenant, "7d", MONDAY + timedelta(days=7))


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


@pytest.fixture(scope="module")
def filled(make_database: Callable[[], str]) -> Filled:
    """A tenant of many accounts, some of which have odd names, no users, or nothing at all in the week."""
    url = make_database()
    tenant = asyncio.run(_fill(url))
    return Filled(url, tenant, {tenant: declared(**TABLES)})


@pytest.fixture
async def connection(filled: Filled) -> AsyncIterator[asyncpg.Connection]:
    made = await asyncpg.connect(filled.url, server_settings={"timezone": "UTC"})
    try:
        yield made
    finally:
        await made.close()


async def _fill(url: str) -> int:
    connection = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
    try:
        await make_partitions(connection)
        tenant = await make_tenant(connection, "many")
        dice = random.Random(7)
        accounts = [*ODD, *(name for name in PLAIN if dice.random() < 0.8), ""]
        await _use(connection, tenant, dice, accounts)
        await _tell(connection, tenant, dice, accounts)
        return tenant
    finally:
        await connection.close()


async def _use(connection: asyncpg.Connection, tenant: int, dice: random.Random, accounts: Sequence[str]) -> None:
    uses = []
    for account in accounts:
        for day in dice.sample(range(-7, 7), dice.randrange(5)):
            features = dice.sample(FEATURES, dice.randrange(1, len(FEATURES)))
            uses += [Use(MONDAY + timedelta(days=day), f"u{dice.randrange(200)}", each, account) for each in features]
    traits = {use.user: {"role": dice.choice(["buyer", "admin"])} for use in uses if dice.random() < 0.8}
    await store_people(connection, tenant, uses, traits=traits)
    used = [
        Observation(at(use.day) + HOUR, {"feature": use.feature, "ok": dice.choice(["true", "false"])}, use.account, 10**9)
        for use in [*uses, *(Use(SUNDAY, "", feature, account) for account in UNSEATED for feature in FEATURES)]
    ]
    await store(connection, tenant, "usage", "UTC", used, distribution=False, minutes=False)
    asked = [
        Observation(
            at(MONDAY) + HOUR, {"service": service, "status": status}, account, dice.randrange(10**9), dice.randrange(1, 4)
        )
        for account in (*accounts, *UNSEATED)
        for service, status in dice.sample([("api", "200"), ("web", "200"), ("web", "500")], dice.randrange(3))
    ]
    await store(connection, tenant, "request", "UTC", asked, minutes=False)
    delivered = [
        Observation(
            at(MONDAY) + HOUR, {"integration": f"i{dice.randrange(3)}", "direction": "inbound", "outcome": "delivered"}, each
        )
        for each in accounts
    ]
    await store(connection, tenant, "delivery", "UTC", delivered, minutes=False)
    measured = [
        Observation(at(MONDAY) + HOUR, {"meter": "cost", "currency": dice.choice(["EUR", "USD"])}, each, 10**9, id=str(number))
        for number, each in enumerate([*accounts, *accounts])
    ]
    await store(connection, tenant, "meter", "UTC", measured, minutes=False)


async def _tell(connection: asyncpg.Connection, tenant: int, dice: random.Random, accounts: Sequence[str]) -> None:
    named = [account for account in accounts if account]
    milestones = [
        Told(f"u{dice.randrange(200)}", at(MONDAY) + dice.randrange(6 * 24) * HOUR, said, account)
        for account in named
        for said in dice.sample(["first_login", "trained", "first_value"], dice.randrange(4))
    ]
    await store_milestones(connection, tenant, milestones)
    known = [Told(account, at(MONDAY), "~known", account) for account in (*named, *UNSEATED)]
    await store_milestones(connection, tenant, known, kind="account")
    sizes = [Told(account, at(MONDAY), str(dice.choice([1, 50, 500])), account) for account in named]
    await store_statuses(connection, tenant, sizes, kind="account", field="size")
    money = [Told(account, at(MONDAY), f"{dice.randrange(1, 9)} {dice.choice(['EUR', 'USD'])}", account) for account in named]
    await store_statuses(connection, tenant, money, kind="account", field="mrr")
    statuses = [Told(account, at(MONDAY), dice.choice(["active", "trial"]), account) for account in named]
    await store_statuses(connection, tenant, statuses, kind="account")


async def paged(
    connection: asyncpg.Connection, catalog: Catalog, here: Filled, kpi: str, question: Question, limit: int
) -> list[tuple[str, list[Value]]]:
    """All rows, page by page."""
    rows: list[tuple[str, list[Value]]] = []
    while True:
        page = await read_page(connection, catalog.kpis[kpi], here.window, question, limit, declared=here.known, kept=Kept())
        assert len(page.rows) == limit or not page.more
        rows += page.rows
        if not page.more:
            return rows
        question = replace(question, after=page.rows[-1][0])


@pytest.mark.parametrize(("kpi", "by", "filters"), SPLITS)
async def test_pages_put_together_are_the_whole_answer(
    connection: asyncpg.Connection,
    catalog: Catalog,
    filled: Filled,
    kpi: str,
    by: tuple[str, ...],
    filters: Mapping[str, Sequence[str]],
) -> None:
    question = Question(by=by, filters=filters)
    whole = await run(connection, catalog.kpis[kpi], [filled.window], question, declared=filled.known)
    wanted = {tuple(sorted(values[0].dims.items())): values for values in grouped(whole).values()}
    assert wanted
    for limit in (max(len(wanted) // 3, 1), len(wanted), 10_000):
        rows = await paged(connection, catalog, filled, kpi, question, limit)
        found = {tuple(sorted(values[0].dims.items())): values for _, values in rows}
        assert len(rows) == len(found)
        assert found == wanted
        if by_account_first(by):
            accounts = [values[0].dims["account"] for _, values in rows]
            changes = 1 + sum(one != other for one, other in pairwise(accounts))
            assert changes == len(set(accounts))


async def test_the_smallest_pages_show_each_row_once(connection: asyncpg.Connection, catalog: Catalog, filled: Filled) -> None:
    few = Question(by=("account", "feature"), filters={"account": ODD})
    for question in (few, replace(few, filters={"feature": ("pdf",)})):
        rows = await paged(connection, catalog, filled, "feature_users", question, 1)
        whole = await paged(connection, catalog, filled, "feature_users", question, 10_000)
        assert rows == whole


def test_a_page_by_account_and_something_has_as_many_rows_as_have_the_figures_of_an_answer() -> None:
    assert rows_of_a_page(Question(by=("account", "step", "funnel")), 4, 10_000) == 2_500
    assert rows_of_a_page(Question(by=("account", "feature")), 1, 10_000) == 10_000
    assert rows_of_a_page(Question(by=("account", "band.size")), 9, 10_000) == 10_000
    assert rows_of_a_page(Question(by=("step", "funnel")), 4, 10_000) == 10_000
    assert rows_of_a_page(Question(by=("account", "milestone")), 9, 5) == 1


async def test_the_cursor_of_another_split_is_refused(connection: asyncpg.Connection, catalog: Catalog, filled: Filled) -> None:
    question = Question(by=("account", "feature"), after="no row")
    with pytest.raises(InvalidQuery, match="cursor"):
        await paged(connection, catalog, filled, "feature_users", question, 10)
