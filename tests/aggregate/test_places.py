"""What the aggregator remembers of users, seats and series is what Postgres gave out, whatever it forgets."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from service.aggregate.places import NO_DAY, UNKNOWN, Places

KEYS = st.lists(st.tuples(st.integers(1, 3), st.text(max_size=2)), unique=True, max_size=30)


def frame(keys: list[tuple[int, str]]) -> pl.DataFrame:
    return pl.DataFrame(keys, schema={"tenant": pl.Int32(), "user": pl.String()}, orient="row")


def ints(values: list[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


@given(st.lists(st.tuples(KEYS, st.integers(0, 40)), max_size=6), KEYS)
def test_keys_have_the_number_they_were_learnt_with_and_their_earliest_day(
    learnt: list[tuple[list[tuple[int, str]], int]], asked: list[tuple[int, str]]
) -> None:
    places = Places(most=1_000)
    numbers: dict[tuple[int, str], int] = {}
    days: dict[tuple[int, str], int] = {}
    for keys, day in learnt:
        for key in keys:
            numbers.setdefault(key, len(numbers))
            days[key] = min(day, days.get(key, NO_DAY))
        places.learn(frame(keys), ints([numbers[key] for key in keys]), ints([day] * len(keys)))
    assert len(places) == len(numbers)
    found, first = places.find(frame(asked))
    assert found.tolist() == [numbers.get(key, UNKNOWN) for key in asked]
    assert first.tolist() == [days.get(key, NO_DAY) for key in asked]


def test_no_more_keys_are_kept_than_allowed_and_those_that_are_kept_stay_right() -> None:
    places = Places(most=100)
    for start in range(0, 2_000, 40):
        keys = [(1, f"user-{number}") for number in range(start, start + 40)]
        places.learn(frame(keys), ints(list(range(start, start + 40))), ints([NO_DAY] * 40))
        assert 0 < len(places) <= 100
    found, _ = places.find(frame([(1, f"user-{number}") for number in range(2_000)]))
    kept = np.flatnonzero(found != UNKNOWN)
    assert kept.size == len(places)
    assert found[kept].tolist() == kept.tolist()


def test_a_key_that_was_forgotten_can_be_learnt_again() -> None:
    places = Places(most=4)
    for number in range(200):
        key = frame([(1, f"user-{number % 7}")])
        places.learn(key, ints([number % 7]), ints([NO_DAY]))
        assert len(places) <= 4
    known = [int(places.find(frame([(1, f"user-{number}")]))[0][0]) for number in range(7)]
    assert all(found in (number, UNKNOWN) for number, found in enumerate(known))
