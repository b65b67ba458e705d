"""Random streams of accounts, feedback, recoveries and items through the real parts give the figures of plain loops."""

import random
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings

from service.catalog import Catalog
from tests.oracle import economics, opinions, revenue, sessions, told
from tests.oracle.asking import differences
from tests.oracle.customers import CUSTOMER_WEIGHTS
from tests.oracle.questions import Asked, Subject, some
from tests.oracle.running import Running, cut, in_log_order
from tests.oracle.scene import Scene
from tests.oracle.stored import outcome
from tests.oracle.streams import stream
from tests.oracle.test_streams import FEW_BUT_BIG, STREAMS, check_the_ledger
from tests.oracle.windows import windows_of_days, windows_of_quarters
from tests.oracle.world import World

OF_ACCOUNTS: tuple[Asked, ...] = (
    ((), {}),
    (("account",), {}),
    (("tier",), {}),
    ((), {"account": ("acme", "beta")}),
    (("account",), {"tier": ("enterprise", "")}),
)
OF_MONEY: tuple[Asked, ...] = (*OF_ACCOUNTS, ((), {"currency": ("USD",)}), (("tier",), {"currency": ("EUR",)}))
OF_ANSWERS: tuple[Asked, ...] = (
    ((), {}),
    (("account",), {}),
    (("wave",), {}),
    (("category",), {}),
    ((), {"wave": ("2025-Q4",)}),
    (("wave",), {"account": ("acme",)}),
)
OF_SURVEYS: tuple[Asked, ...] = (((), {}), (("account",), {}), (("category",), {"survey": ("csat",)}), ((), {"scale": ("7",)}))
OF_CASES: tuple[Asked, ...] = (((), {}), (("account",), {}), (("channel",), {}), ((), {"channel": ("", "call")}))
OF_ITEMS: tuple[Asked, ...] = (
    ((), {}),
    (("kind",), {}),
    (("colour",), {}),
    (("account", "status"), {}),
    (("owner",), {"kind": ("risk", "action")}),
    ((), {"colour": ("red", "")}),
)
OF_ALL_MONEY: tuple[Asked, ...] = (((), {}), ((), {"currency": ("USD",)}))
OF_COSTS: tuple[Asked, ...] = (*OF_ALL_MONEY, (("tier",), {}), (("tier",), {"currency": ("EUR",)}), ((), {"tier": ("starter",)}))
OF_THEMES: tuple[Asked, ...] = (
    ((), {}),
    (("theme",), {}),
    (("survey", "theme"), {"theme": ("speed", "help")}),
    (("account", "sentiment"), {}),
    ((), {"wave": ("2025-Q4", "")}),
)
OF_INVITATIONS: tuple[Asked, ...] = (((), {}), (("account",), {}), (("survey", "wave"), {}), ((), {"survey": ("nps",)}))
OF_SESSIONS: tuple[Asked, ...] = (((), {}), (("account",), {}), ((), {"account": ("acme", "beta")}))
SUBJECTS = (
    Subject("customers", revenue.kpi_customers, (*OF_ACCOUNTS, (("status",), {}))),
    Subject("new_customers", revenue.kpi_new_customers, OF_ACCOUNTS),
    Subject("mrr", revenue.kpi_mrr, OF_MONEY, ("currency",)),
    Subject("mrr_movement", revenue.kpi_movement, OF_MONEY, ("currency",)),
    Subject("customer_retention", revenue.kpi_retention, OF_ACCOUNTS),
    Subject("nps", told.kpi_nps, OF_ANSWERS),
    Subject("csat", told.kpi_csat, OF_SURVEYS, ("survey", "scale")),
    Subject("recovery", told.kpi_recovery, OF_CASES),
    Subject("recovery_time", told.kpi_recovery_time, OF_CASES),
    Subject("recovery_incentive", told.kpi_incentive, OF_CASES, ("currency",)),
    Subject("items", told.kpi_items, OF_ITEMS),
)
ECONOMIC = (
    Subject("arpa", economics.kpi_arpa, OF_MONEY, ("currency",)),
    Subject("cac", economics.kpi_cac, OF_COSTS, ("currency",)),
    Subject("gross_margin", economics.kpi_gross_margin, OF_COSTS, ("currency",)),
    Subject("burn", economics.kpi_burn, OF_ALL_MONEY, ("currency",)),
    Subject("runway", economics.kpi_runway, OF_ALL_MONEY, ("currency",)),
    Subject("customer_churn", economics.kpi_customer_churn, OF_ACCOUNTS),
    Subject("revenue_churn", economics.kpi_revenue_churn, OF_MONEY, ("currency",)),
)
"""Windows of whole days."""
OPINIONS = (
    Subject("feedback_themes", opinions.kpi_themes, OF_THEMES),
    Subject("survey_response", opinions.kpi_response, OF_INVITATIONS),
    Subject("detractor_follow_up", opinions.kpi_follow_up, OF_ANSWERS),
    Subject("recovered_revenue", opinions.kpi_recovered_revenue, OF_CASES, ("currency",)),
    Subject("session_duration", sessions.kpi_duration, OF_SESSIONS),
    Subject("concurrent_users", sessions.kpi_concurrent, OF_SESSIONS),
)
QUESTIONS_A_KPI = 3
WEIGHTS = CUSTOMER_WEIGHTS | {"measurement": 12, "usage": 12}
"""What customers cost, and sessions of their users."""


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


@settings(FEW_BUT_BIG, max_examples=6)
@given(**STREAMS)
async def test_figures_of_customers_are_those_of_plain_loops_over_the_events(
    running: dict[date, Running],
    catalog: Catalog,
    scenes: tuple[Scene, Scene],
    *,
    choices: dict[str, str],
    seeds: tuple[list[int], list[int]],
    sizes: list[int],
    workers: int,
    dice: int,
) -> None:
    here = running[scenes[0].season]
    tenants = {await here.tenant(scene, choices): scene for scene in scenes}
    batches: dict[int, Any] = {
        tenant: cut(stream(numbers, scene, copies_differ=False, weights=WEIGHTS), sizes)
        for (tenant, scene), numbers in zip(tenants.items(), seeds, strict=True)
    }
    async with here.site.working(workers):
        await here.send(batches)
        await here.site.consumed()
    worlds = {}
    for tenant, scene in tenants.items():
        wanted = outcome(in_log_order(batches[tenant]), scene.zone)
        await check_the_ledger(here, tenant, wanted)
        worlds[tenant] = World(scene, wanted.events, choices)
    pick = random.Random(dice)
    said: list[str] = []
    of_days, of_quarters = (*SUBJECTS, *ECONOMIC), (*SUBJECTS, *OPINIONS)
    for windows_of, subjects in ((windows_of_days, of_days), (windows_of_quarters, of_quarters)):
        windows = [window for tenant, scene in tenants.items() for window in windows_of(scene, tenant)]
        for subject in subjects:
            for asked in some(pick, subject.questions, QUESTIONS_A_KPI):
                said += await differences(here.rollups, catalog, worlds, windows, subject, asked)
    assert not said, f"{len(said)} figures differ:\n" + "\n".join(said[:40])
