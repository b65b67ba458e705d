"""Ids in memory: exact also where halves collide, bounded, and seen before they are committed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.aggregate.seen import BUCKET_BYTES, Run, SeenIds, Words
from service.store.ids import Bucket

# Few different halves, so that first halves collide all the time.
HALVES = st.integers(0, 5) | st.sampled_from([2**63, 2**64 - 1])
IDS = st.lists(st.tuples(HALVES, HALVES), max_size=40)
BUCKET = Bucket(0, 480_000)


def words(ids: list[tuple[int, int]]) -> tuple[Words, Words]:
    """The two halves, in the order of the first."""
    ordered = sorted(ids, key=lambda pair: pair[0])
    return np.array([hi for hi, _ in ordered], np.uint64), np.array([lo for _, lo in ordered], np.uint64)


def packed(ids: list[tuple[int, int]]) -> bytes:
    return b"".join(hi.to_bytes(8, "big") + lo.to_bytes(8, "big") for hi, lo in ids)


@given(IDS, IDS)
def test_a_run_tells_exactly_what_it_holds(held: list[tuple[int, int]], asked: list[tuple[int, int]]) -> None:
    hi, lo = words(asked)
    found = Run(*words(held)).contains(hi, lo)
    assert found.tolist() == [pair in set(held) for pair in zip(hi.tolist(), lo.tolist(), strict=True)]


@given(IDS, st.lists(IDS, max_size=6), IDS)
def test_any_runs_and_merges_hold_the_same_ids(
    loaded: list[tuple[int, int]], batches: list[list[tuple[int, int]]], asked: list[tuple[int, int]]
) -> None:
    seen = SeenIds(max_bytes=10**9)
    seen.add([BUCKET], {BUCKET: packed(loaded)})
    for number, batch in enumerate(batches):
        seen.pin(number, [BUCKET])
        seen.stage(number, BUCKET, *words(batch))
        if number % 2:
            seen.commit(number - 1)
            seen.commit(number)
    hi, lo = words(asked)
    everything = {*loaded, *(pair for batch in batches for pair in batch)}
    assert seen.contains(BUCKET, hi, lo).tolist() == [pair in everything for pair in zip(hi.tolist(), lo.tolist(), strict=True)]
    assert seen.size_bytes == BUCKET_BYTES + 16 * (len(loaded) + sum(map(len, batches)))


def test_what_a_failed_batch_staged_is_forgotten_with_its_bucket() -> None:
    seen = SeenIds(max_bytes=10**9)
    seen.add([BUCKET], {BUCKET: packed([(1, 1)])})
    seen.pin(1, [BUCKET])
    seen.stage(1, BUCKET, *words([(2, 2)]))
    seen.drop_pending()
    assert seen.missing([BUCKET]) == [BUCKET]
    assert seen.size_bytes == 0


def test_a_bucket_that_a_batch_needs_stays_whatever_the_bound() -> None:
    seen = SeenIds(max_bytes=2 * BUCKET_BYTES)
    buckets = [Bucket(0, hour) for hour in range(10)]
    seen.add(buckets, {})
    seen.pin(1, buckets[:1])
    seen.pin(2, buckets)
    seen.commit(2)
    assert seen.missing(buckets[:1]) == []
    assert seen.size_bytes <= 2 * BUCKET_BYTES


def test_an_id_takes_sixteen_bytes_and_a_bucket_few_runs() -> None:
    seen = SeenIds(max_bytes=10**9)
    seen.add([BUCKET], {})
    draw = np.random.default_rng(1)
    for number in range(200):
        hi = np.sort(draw.integers(0, 2**63, 500, dtype=np.uint64))
        seen.pin(number, [BUCKET])
        seen.stage(number, BUCKET, hi, hi)
        seen.commit(number)
    assert seen.ids == 100_000
    assert seen.size_bytes <= 20 * seen.ids
    assert len(seen._held[BUCKET].runs) <= 18
