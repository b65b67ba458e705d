"""The same events in another order, cut into other batches, by one worker or by four, give the same rollups to the last bit."""

import random
from datetime import date
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.aggregate.dump import dump
from tests.oracle.bodies import WEIGHTS
from tests.oracle.customers import CUSTOMER_WEIGHTS
from tests.oracle.running import Running, cut
from tests.oracle.scene import CHOICES, SCENES, Scene
from tests.oracle.streams import Sent, stream
from tests.oracle.test_streams import FEW_BUT_BIG, SEEDS, SIZES

FIRST = {name: values[0] for name, values in CHOICES.items()}


@settings(FEW_BUT_BIG, max_examples=5)
@given(scene=st.sampled_from(SCENES), seeds=SEEDS, sizes=SIZES, other_sizes=SIZES, dice=st.integers(0, 2**16))
async def test_order_batches_and_workers_change_no_bit(
    running: dict[date, Running], scene: Scene, seeds: list[int], sizes: list[int], other_sizes: list[int], dice: int
) -> None:
    await same_rollups(running[scene.season], scene, seeds, sizes, other_sizes, dice)


@settings(FEW_BUT_BIG, max_examples=2)
@given(scene=st.sampled_from(SCENES), seeds=SEEDS, sizes=SIZES, other_sizes=SIZES, dice=st.integers(0, 2**16))
async def test_on_kafka_they_change_no_bit_either(
    running_on_kafka: dict[date, Running], scene: Scene, seeds: list[int], sizes: list[int], other_sizes: list[int], dice: int
) -> None:
    await same_rollups(running_on_kafka[scene.season], scene, seeds, sizes, other_sizes, dice)


async def same_rollups(
    here: Running, scene: Scene, seeds: list[int], sizes: list[int], other_sizes: list[int], dice: int
) -> None:
    sent = stream(seeds, scene, copies_differ=False, weights=WEIGHTS | CUSTOMER_WEIGHTS)
    shuffled = random.Random(dice).sample(sent, k=len(sent))
    one = await rollups(here, scene, sent, sizes, workers=1)
    other = await rollups(here, scene, shuffled, other_sizes, workers=4)
    assert one == other


async def rollups(here: Running, scene: Scene, sent: list[Sent], sizes: list[int], *, workers: int) -> dict[str, Any]:
    """All that stands of these events, of whichever tenant they are; ids are hashes of the tenant too."""
    tenant = await here.tenant(scene, FIRST)
    async with here.site.working(workers):
        await here.send({tenant: cut(sent, sizes)})
        await here.site.consumed()
    async with here.site.pool.acquire() as connection:
        whole = await dump(connection, "ids")
    return {name: [row[1:] for row in rows if row[0] == tenant] for name, rows in whole.items()}
