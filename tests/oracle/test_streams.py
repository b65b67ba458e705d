"""Random streams through the real parts give the figures of plain loops over the same events."""

import random
from datetime import date

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from service.catalog import Catalog
from tests.oracle.asking import COUNTED, counted_windows, differences, some
from tests.oracle.running import Running, cut, in_log_order
from tests.oracle.scene import SCENES, Scene
from tests.oracle.stored import outcome
from tests.oracle.streams import stream
from tests.oracle.world import World

SEEDS = st.lists(st.integers(0, 2**32 - 1), min_size=100, max_size=400)
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


@FEW_BUT_BIG
@given(scene=st.sampled_from(SCENES), seeds=SEEDS, sizes=st.lists(st.integers(1, 80), min_size=1, max_size=5), dice=st.integers(0, 2**16))
async def test_a(running: dict[date, Running], catalog: Catalog, scene: Scene, seeds: list[int], sizes: list[int], dice: int) -> None:
    here = running[scene.season]
    choices = {"start": "first_login", "activated": "first_use", "mttr_from": "detected", "critical": "true"}
    tenant = await here.tenant(scene, choices)
    batches = cut(stream(seeds, scene), sizes)
    await here.send(tenant, batches)
    await here.site.consume()
    wanted = outcome(in_log_order(batches), scene.zone)
    world = World(scene, wanted.events, choices)
    said = []
    import time
    pick = random.Random(dice)
    t=time.time()
    n=0
    for subject in COUNTED:
        for asked in some(pick, subject.questions, 9):
            n+=1
            said += await differences(here, catalog, world, counted_windows(scene, tenant), subject, asked)
    print(n, time.time()-t)
    assert not said, "\n".join(said[:30])
