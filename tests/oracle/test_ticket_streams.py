"""Random streams of tickets and accounts through the real parts give the figures of plain loops."""

import random
from datetime import date
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings

from service.catalog import Catalog
from tests.oracle import tickets
from tests.oracle.asking import differences
from tests.oracle.questions import Asked, Subject, some
from tests.oracle.running import Running, cut, in_log_order
from tests.oracle.scene import Scene
from tests.oracle.stored import outcome
from tests.oracle.streams import stream
from tests.oracle.test_streams import FEW_BUT_BIG, STREAMS, check_the_ledger
from tests.oracle.windows import windows_of_days, windows_of_quarters
from tests.oracle.world import World

WEIGHTS = {"ticket": 10, "account": 2}
OF_TICKETS: tuple[Asked, ...] = (
    ((), {}),
    (("priority",), {}),
    (("category", "tier"), {}),
    (("account",), {}),
    (("tier",), {"account": ("acme", "beta")}),
    ((), {"priority": ("P0", ""), "tier": ("enterprise", "starter")}),
)
SUBJECTS = (
    Subject("tickets", tickets.kpi_tickets, OF_TICKETS),
    Subject("open_tickets", tickets.kpi_open, OF_TICKETS),
    *(
        Subject(name, partial(tickets.times, name), OF_TICKETS)
        for name in ("first_response_time", "time_to_escalate", "resolution_time")
    ),
    *(Subject(name, partial(tickets.shares, name), OF_TICKETS) for name in ("first_contact_resolution", "ticket_escalation")),
    Subject("support_sla", tickets.kpi_sla, OF_TICKETS),
)
QUESTIONS_A_KPI = 4


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


@settings(FEW_BUT_BIG, max_examples=6)
@given(**STREAMS)
async def test_figures_of_support_are_those_of_plain_loops_over_the_events(
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
    for windows_of in (windows_of_days, windows_of_quarters):
        windows = [window for tenant, scene in tenants.items() for window in windows_of(scene, tenant)]
        for subject in SUBJECTS:
            for asked in some(pick, subject.questions, QUESTIONS_A_KPI):
                said += await differences(here.rollups, catalog, worlds, windows, subject, asked)
    assert not said, f"{len(said)} figures differ:\n" + "\n".join(said[:40])
