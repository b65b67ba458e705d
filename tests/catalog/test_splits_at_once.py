"""Splits that one statement gives at once are what each is when it is asked for by itself."""

import random

import asyncpg

from service.catalog import Catalog, Kept, Question, Value, Window, declared_of, resolve_window, run, run_splits
from service.catalog.adding import at_once
from service.clock import DAY
from service.domain.config import TenantConfig
from service.store.dated import FEW
from tests.catalog.accounts import Said, Step, store_accounts, store_family
from tests.catalog.rollups import make_tenant
from tests.catalog.support import random_tickets, store_tickets
from tests.catalog.test_adding import told
from tests.catalog.test_pilot_sets import MONDAY

CATALOG = Catalog.load()
TOGETHER = [kpi for kpi in CATALOG.kpis.values() if kpi.head.together]
ACCOUNTS = ("acme", "umbrella", "initech", "globex")
STATUSES = ("active", "at_risk", "trial", "churned")
TIERS = ("enterprise", "mid_market", "starter")


def windows(tenant: int) -> list[Window]:
    """Open and closed ones, and one in which nothing happened."""
    asked = (("7d", 7 * DAY), ("month", 40 * DAY), ("quarter", 59 * DAY), ("week", 400 * DAY))
    return [
        resolve_window(tenant, "UTC", now_us=MONDAY + 60 * DAY, name=name, end_us=MONDAY + min(at, 60 * DAY), key=name)
        for name, at in asked
    ]


async def store_customers(connection: asyncpg.Connection, tenant: int, dice: random.Random) -> None:
    """What accounts told of themselves in two months, their tickets, answers, items and cases of recovery."""
    said = []
    for account in ACCOUNTS:
        at_us = MONDAY - 50 * DAY
        for _ in range(5):
            fields = {"status": dice.choice(STATUSES), "tier": dice.choice(TIERS)}
            said.append(Said(at_us, account, fields | {"mrr": f"{dice.randrange(10**6)} {dice.choice(('EUR', 'USD'))}"}))
            at_us += dice.randrange(1, 25 * DAY)
    await store_accounts(connection, tenant, said)
    await store_tickets(connection, tenant, random_tickets(11, MONDAY), dice)
    answers = [
        Step(
            MONDAY + dice.randrange(-80 * DAY, 50 * DAY),
            f"user-{dice.randrange(25)}",
            {"action": "responded", "survey": "nps", "score": dice.randrange(11), "scale": 10},
            dice.choice(("", *ACCOUNTS)),
        )
        for _ in range(80)
    ]
    await store_family(connection, tenant, "feedback", answers)
    items = [
        Step(
            MONDAY + dice.randrange(50 * DAY),
            f"item-{dice.randrange(20)}",
            {"kind": dice.choice(("risk", "action")), "status": dice.choice(("open", "closed")), "owner": dice.choice("ab")}
            | {"probability": dice.choice(("low", "high")), "impact": dice.choice(("low", "high"))},
            dice.choice(ACCOUNTS),
        )
        for _ in range(60)
    ]
    await store_family(connection, tenant, "item", items)
    cases = [
        Step(
            MONDAY + dice.randrange(50 * DAY),
            f"case-{dice.randrange(25)}",
            {"action": dice.choice(("at_risk", "nudged", "recovered", "lost")), "channel": dice.choice(("email", "call"))},
            dice.choice(ACCOUNTS),
        )
        for _ in range(90)
    ]
    await store_family(connection, tenant, "recovery", cases)


async def test_splits_given_at_once_are_those_asked_for_by_themselves(connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "large")
    await store_customers(connection, tenant, random.Random(5))
    declared = {tenant: declared_of(TenantConfig())}
    for kpi in TOGETHER:
        asked = [window for window in windows(tenant) if kpi.takes(window.name)]
        splits = [(), *((name,) for name in kpi.head.together), kpi.head.together]
        questions = [Question(by=by) for by in dict.fromkeys(splits)]
        assert at_once(kpi, [question.by for question in questions]) == kpi.head.together
        together = await run_splits(connection, kpi, asked, questions, declared=declared, kept=Kept())
        apart = [v for each in questions for v in await run(connection, kpi, asked, each, declared=declared)]
        assert noted(together) == noted(apart), kpi.id
        assert told(together) == told(apart), kpi.id
        assert any(value.value and value.dims for value in together), kpi.id


def noted(values: list[Value]) -> list[tuple[object, ...]]:
    return sorted((str(v.window), v.statistic, v.row, v.note) for v in values)


def test_splits_by_other_dimensions_are_asked_for_one_by_one() -> None:
    nps = CATALOG.kpis["nps"]
    assert at_once(nps, [(), ("tier",)]) == ("tier",)
    assert at_once(nps, [(), ("account",)]) is None, "each account has its own newest answer of a user"
    assert at_once(nps, [("tier",)]) is None, "there is but one"


async def test_customers_count_alike_however_often_their_state_was_told(connection: asyncpg.Connection) -> None:
    found = [await customers_told(connection, name, times) for name, times in (("seldom", 1), ("often", FEW + 5))]
    assert found[0] == found[1]
    assert any(value for rows in found for *_, value in rows)


async def customers_told(connection: asyncpg.Connection, name: str, times: int) -> list[tuple[object, ...]]:
    """Figures of a tenant whose accounts told their state anew on so many days, after something else long before."""
    tenant, dice = await make_tenant(connection, name), random.Random(3)
    said = []
    for account in (f"account-{number}" for number in range(12)):
        fields = {"status": dice.choice(STATUSES), "tier": dice.choice(TIERS)}
        said.append(Said(MONDAY - 30 * DAY, account, {"status": "active", "tier": "starter"}))
        said += [Said(MONDAY - (2 + n) * DAY, account, fields) for n in range(times)]
    await store_accounts(connection, tenant, said)
    window = resolve_window(tenant, "UTC", now_us=MONDAY + DAY, name="month", key="w")
    declared = {tenant: declared_of(TenantConfig())}
    return [
        (kpi, by, value.statistic, value.row, value.value)
        for kpi in ("customers", "customer_churn")
        for by in ((), ("tier",))
        for value in await run(connection, CATALOG.kpis[kpi], [window], Question(by=by), declared=declared)
    ]
