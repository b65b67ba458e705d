"""KPIs that a formula is made of, read in one statement: it says what it says where each of them is asked by itself."""

from collections.abc import Sequence
from typing import Final

import asyncpg
import pytest

from service.catalog import Catalog, Kept, Question, Shared, Window, declared_of, run
from service.catalog.joint import read_columns
from service.domain.config import TenantConfig
from tests.catalog.accounts import Step, store_accounts, store_family
from tests.catalog.rollups import make_partitions, make_tenant, store
from tests.catalog.test_economics import ACCOUNTS, COSTS, at, window

CATALOG: Final = Catalog.load()
BANDS: Final = {"bands": {"mrr": {"edges": [1_000, 5_000], "names": ["low", "medium", "high"]}}}
QUESTIONS: Final = (
    Question(),
    Question(by=("account",)),
    Question(by=("tier",)),
    Question(by=("currency",)),
    Question(by=("band.mrr",)),
    Question(by=("account.region", "tier")),
    Question(by=("tier",), filters={"band.mrr": ("high", "low")}),
    Question(by=("account",), filters={"currency": ("EUR",)}),
    Question(filters={"account": ("big", "new")}),
)
CASES: Final = [
    Step(at(11, day), f"case-{day}", fields, account)
    for day, account in ((3, "big"), (4, "small"), (5, "new"))
    for fields in (
        {"action": "at_risk"},
        {"action": "nudged", "incentive": 100 * day, "incentive_currency": "USD"},
        {"action": "recovered", "revenue": 5_000, "revenue_currency": "USD"},
    )
]


@pytest.fixture
async def windows(connection: asyncpg.Connection) -> Sequence[Window]:
    """A month of two tenants, of which one has no account."""
    tenant, other = await make_tenant(connection, "pilot"), await make_tenant(connection, "other")
    await make_partitions(connection)
    await store_accounts(connection, tenant, ACCOUNTS)
    await store(connection, tenant, "meter", "UTC", COSTS)
    await store_family(connection, tenant, "recovery", CASES)
    return [window(tenant), window(other)]


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
async def test_a_formula_says_the_same_however_its_kpis_are_read(
    connection: asyncpg.Connection, windows: Sequence[Window], question: Question
) -> None:
    known = {each.tenant: declared_of(TenantConfig.model_validate(BANDS)) for each in windows}
    joint = 0
    for kpi in CATALOG.kpis.values():
        names = (*question.by, *question.filters)
        if kpi.formula is None or not kpi.takes("month") or not all(kpi.splits_by(name) for name in names):
            continue
        joint += bool(await read_columns(connection, kpi.formula, windows, question, known, Kept()))
        together = await run(connection, kpi, windows, question, declared=known)
        assert together == await run(connection, kpi, windows, question, declared=known, shared=Shared()), kpi.id
    assert joint, "no formula was read in one statement"
