"""The histogram's promise: integer bounds, every percentile within 1 % of the nearest rank, merging loses nothing."""

from collections import Counter
from math import ceil

import asyncpg
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.columns import bin_of_wide
from service.domain.histogram import (
    BOUNDS,
    MANY_ENTRIES,
    MAX_COUNT,
    bin_of,
    edges,
    merge,
    pack,
    percentile,
    representative,
    share_within,
    split,
    unpack,
)
from tests.folds.oracle import bin_of as bin_by_powers

integers = st.one_of(st.integers(-300, 300), st.integers(-(2**81), 2**81), st.integers(1, 10**11))
samples = st.lists(integers, min_size=1, max_size=60)


def _histogram(values: list[int]) -> tuple[np.ndarray, np.ndarray]:
    bins = bin_of_wide(pl.Series(values, dtype=pl.Int128))
    return split(pack(bins, np.ones(len(bins), dtype=np.int64)))


def test_every_bound_is_the_least_integer_of_its_bin() -> None:
    assert all(bound**64 >= 1 << k and (bound - 1) ** 64 < 1 << k for k, bound in enumerate(BOUNDS))


@given(samples)
def test_a_bin_follows_from_integer_powers_alone(values: list[int]) -> None:
    assert bin_of_wide(pl.Series(values, dtype=pl.Int128)).tolist() == [bin_by_powers(value) for value in values]
    narrow = [value for value in values if abs(value) < 2**63]
    assert bin_of(np.array(narrow, dtype=np.int64)).tolist() == [bin_by_powers(value) for value in narrow]


@given(integers)
def test_what_stands_for_a_bin_is_close_to_all_that_it_holds(value: int) -> None:
    number = bin_by_powers(value)
    low, high = edges(number)
    assert low <= value <= high
    assert abs(representative(number) - value) <= 0.0055 * abs(value)
    if low == high:
        assert representative(number) == value


@settings(max_examples=300)
@given(samples, st.sampled_from([0.0, 0.07, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0]))
def test_percentiles_are_within_one_percent_of_the_nearest_rank(values: list[int], q: float) -> None:
    ordered = sorted(values)
    nearest = ordered[max(1, ceil(round(q * 100) * len(values) / 100)) - 1]
    found = percentile(*_histogram(values), q, ordered[0], ordered[-1])
    assert found is not None
    assert abs(found - nearest) <= 0.01 * abs(nearest)


@given(integers, st.integers(1, 50), st.sampled_from([0.5, 0.95]))
def test_constant_data_has_exact_percentiles(value: int, n: int, q: float) -> None:
    assert percentile(*_histogram([value] * n), q, value, value) == value


@given(samples, integers)
def test_the_share_within_a_limit_is_that_of_a_limit_at_most_one_percent_away(values: list[int], limit: int) -> None:
    share = share_within(*_histogram(values), limit, min(values), max(values))
    assert share is not None
    surely = sum(100 * value <= 100 * limit - abs(limit) for value in values)
    maybe = sum(100 * value <= 100 * limit + abs(limit) for value in values)
    assert surely <= share * len(values) <= maybe
    if limit >= max(values):
        assert share == 1


@given(st.lists(samples, min_size=1, max_size=4))
def test_merged_histograms_are_the_histogram_of_all(parts: list[list[int]]) -> None:
    packed = [pack(*_histogram(part)) for part in parts]
    assert merge(*packed).tolist() == pack(*_histogram([value for part in parts for value in part])).tolist()


def test_many_entries_add_up_as_few_do() -> None:
    values = [np.arange(first, 40_000, 37) ** 2 for first in range(-9, 9)]
    parts = [pack(bin_of(each), np.full(len(each), count)) for count, each in enumerate(values, start=1)]
    one_by_one = parts[0]
    for part in parts[1:]:
        one_by_one = merge(one_by_one, part)
    assert sum(len(part) for part in parts) > MANY_ENTRIES
    assert merge(*parts).tolist() == one_by_one.tolist()
    sent = [b"".join((8).to_bytes(4, "big") + entry.to_bytes(8, "big", signed=True) for entry in part.tolist()) for part in parts]
    for pieces in (sent, [b"".join(sent)]):
        assert pack(*unpack(*pieces)).tolist() == one_by_one.tolist()


def test_nothing_has_no_percentile_and_no_share() -> None:
    nothing = np.empty(0, dtype=np.int64)
    assert percentile(nothing, nothing, 0.5, 0, 0) is None
    assert share_within(nothing, nothing, 1, 0, 0) is None
    assert merge().tolist() == []
    assert unpack(b"")[0].tolist() == []


def test_a_count_too_large_for_one_entry_takes_several() -> None:
    bins, counts = np.array([-3, 7], dtype=np.int64), np.array([5, 3 * MAX_COUNT + 1], dtype=np.int64)
    packed = pack(bins, counts)
    assert len(packed) == 5
    assert packed.tolist() == sorted(packed.tolist(), key=lambda entry: entry >> 48)
    assert [part.tolist() for part in split(packed)] == [bins.tolist(), counts.tolist()]


@pytest.mark.parametrize("parts", [[[1, -5, 900]], [[0], [1, 2, 3], [3, 3]], [[2**80, -(2**80)], []]])
async def test_what_postgres_sends_reads_as_it_was_packed(connection: asyncpg.Connection, parts: list[list[int]]) -> None:
    packed = [pack(*_histogram(part)).tolist() if part else [] for part in parts]
    sent = b"".join([await connection.fetchval("select substring(array_send($1::bigint[]) from 21)", item) for item in packed])
    bins, counts = unpack(sent)
    expected = Counter(bin_by_powers(value) for part in parts for value in part)
    assert dict(zip(bins.tolist(), counts.tolist(), strict=True)) == dict(expected)
