"""Random streams of accounts, feedback, recoveries and items through the real parts give the figures of plain loops."""

import random
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings

from service.catalog import Catalog
from tests.oracle import revenue, told
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
QUESTIONS_A_KPI = 4


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
        tenant: cut(stream(numbers, scene, copies_differ=False, weights=CUSTOMER_WEIGHTS), sizes)
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
    for windows_of in (windows_of_days, windows_of_quarters):
        windows = [window for tenant, scene in tenants.items() for window in windows_of(scene, tenant)]
        for subject in SUBJECTS:
            for asked in some(pick, subject.questions, QUESTIONS_A_KPI):
                said += await differences(here.rollups, catalog, worlds, windows, subject, asked)
    assert not said, f"{len(said)} figures differ:\n" + "\n".join(said[:40])
