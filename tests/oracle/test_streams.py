"""Random streams through the real parts give the figures of plain loops over the same events."""

import random
from collections import Counter
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from service.catalog import Catalog
from service.store import segments
from tests.oracle.asking import differences
from tests.oracle.questions import SUBJECTS, some
from tests.oracle.running import Running, cut, in_log_order
from tests.oracle.scene import CHOICES, PAIRS, Scene
from tests.oracle.stored import Outcome, outcome
from tests.oracle.streams import stream
from tests.oracle.windows import WINDOWS
from tests.oracle.world import World

SEEDS = st.lists(st.integers(0, 2**32 - 1), min_size=100, max_size=400)
SIZES = st.lists(st.integers(1, 120), min_size=1, max_size=5)
QUESTIONS_A_KPI = 3
FEW_BUT_BIG = settings(
    max_examples=8,
    deadline=None,
    print_blob=True,
    # Making a failing stream smaller takes minutes: add Phase.shrink to have it done.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    # The installation is the test's, the tenant the example's: none sees another's events.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


STREAMS = {
    "scenes": st.sampled_from(PAIRS),
    "choices": st.fixed_dictionaries({name: st.sampled_from(values) for name, values in CHOICES.items()}),
    "seeds": st.tuples(SEEDS, SEEDS),
    "sizes": SIZES,
    "workers": st.integers(1, 3),
    "dice": st.integers(0, 2**16),
}
"""Of two tenants of one installation."""


@FEW_BUT_BIG
@given(**STREAMS)
async def test_every_figure_is_that_of_plain_loops_over_the_events(
    running: dict[date, Running], catalog: Catalog, scenes: tuple[Scene, Scene], **drawn: Any
) -> None:
    await every_figure(running[scenes[0].season], catalog, scenes, **drawn)


@settings(FEW_BUT_BIG, max_examples=2)
@given(**STREAMS)
async def test_on_kafka_it_is_as_well(
    running_on_kafka: dict[date, Running], catalog: Catalog, scenes: tuple[Scene, Scene], **drawn: Any
) -> None:
    await every_figure(running_on_kafka[scenes[0].season], catalog, scenes, **drawn)


async def every_figure(
    here: Running,
    catalog: Catalog,
    scenes: tuple[Scene, Scene],
    *,
    choices: dict[str, str],
    seeds: tuple[list[int], list[int]],
    sizes: list[int],
    workers: int,
    dice: int,
) -> None:
    tenants = {await here.tenant(scene, choices): scene for scene in scenes}
    streams = zip(tenants.items(), seeds, strict=True)
    batches = {tenant: cut(stream(numbers, scene), sizes) for (tenant, scene), numbers in streams}
    async with here.site.working(workers):
        await here.send(batches)
        await here.site.consumed()
    worlds = {}
    for tenant, scene in tenants.items():
        wanted = outcome(in_log_order(batches[tenant]), scene.zone)
        await check_the_ledger(here, tenant, wanted)
        worlds[tenant] = World(scene, wanted.events, choices)
    async with here.site.pool.acquire() as connection:
        await segments.rebuild(connection)
    pick = random.Random(dice)
    said: list[str] = []
    for kind, subjects in SUBJECTS.items():
        windows = [window for tenant, scene in tenants.items() for window in WINDOWS[kind](scene, tenant)]
        for subject in subjects:
            for asked in some(pick, subject.questions, QUESTIONS_A_KPI):
                said += await differences(here.rollups, catalog, worlds, windows, subject, asked)
    assert not said, f"{len(said)} figures differ:\n" + "\n".join(said[:40])


LETTERS = "select reason, sum(count)::int as events from dead_letter where tenant = $1 group by reason"
LEDGER = "select source, stored, duplicate, dead_lettered from ledger where tenant = $1"


async def check_the_ledger(here: Running, tenant: int, wanted: Outcome) -> None:
    """What became of the events, by source; and of the refused ones, by reason."""
    async with here.site.pool.acquire() as connection:
        letters, rows = await connection.fetch(LETTERS, tenant), await connection.fetch(LEDGER, tenant)
    found: Counter[tuple[str, str]] = Counter()
    for row in rows:
        found.update({(row["source"], name): row[name] for name in ("stored", "duplicate", "dead_lettered")})
    assert {row["reason"]: row["events"] for row in letters} == dict(wanted.reasons)
    assert +found == +wanted.ledger
