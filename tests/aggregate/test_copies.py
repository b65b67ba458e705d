"""Of copies within a batch the first that may be stored is, decided as columns as it is one by one."""

from collections import defaultdict

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from service.aggregate.batch import Heads
from service.aggregate.dedupe import UNTIMED_H, buckets, decide, group
from service.aggregate.grouping import some_rows
from service.aggregate.policy import Outcome
from service.aggregate.seen import SeenIds
from service.clock import HOUR

VERDICTS = st.sampled_from([Outcome.STORED, Outcome.STORED, Outcome.TOO_LATE, Outcome.IN_FUTURE])
EVENTS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 2**63, 2**64 - 1]),
        st.integers(0, 2),
        st.booleans(),
        st.integers(0, 3 * UNTIMED_H),
        st.integers(0, 3),
        VERDICTS,
    ),
    max_size=30,
)
Event = tuple[int, int, bool, int, int, Outcome]
"""Both halves of the id, whether it has a time, its hour, its record, and what the time policy says."""


def heads_of(events: list[Event]) -> Heads:
    rows, nothing = len(events), np.zeros(len(events), dtype=np.int64)
    time_us = np.array([hour * HOUR for _, _, _, hour, _, _ in events], dtype=np.int64)
    return Heads(
        hi=np.array([hi for hi, *_ in events], dtype=np.uint64),
        lo=np.array([lo for _, lo, *_ in events], dtype=np.uint64),
        partition=nothing,
        tenant=nothing,
        time_us=time_us,
        timed=np.array([timed for _, _, timed, *_ in events], dtype=np.bool_),
        received_us=time_us,
        backfill=np.zeros(rows, dtype=np.bool_),
        source=nothing,
        record=np.array([record for *_, record, _ in events], dtype=np.int64),
    )


def decided(events: list[Event]) -> list[Outcome]:
    """One event after another, in the order of the log: an id stands for one time, or for none."""
    outcomes = [verdict for *_, verdict in events]
    stored: defaultdict[tuple[int, int, int | None], list[int]] = defaultdict(list)
    for row in sorted(range(len(events)), key=lambda row: (events[row][4], row)):
        hi, lo, timed, hour, _, verdict = events[row]
        kept = stored[hi, lo, hour if timed else None]
        if any(timed or abs(hour - other) <= UNTIMED_H for other in kept):
            outcomes[row] = Outcome.DUPLICATE
        elif verdict == Outcome.STORED:
            kept.append(hour)
    return outcomes


def of_one_time(events: list[Event]) -> list[Event]:
    """The time is part of the identity: ids of other times, or of none, are others."""
    return [
        (hi, lo + 3 * (hour + 1 if timed else 0), timed, hour, record, verdict) for hi, lo, timed, hour, record, verdict in events
    ]


@given(EVENTS)
def test_copies_within_a_batch_are_decided_as_one_by_one(events: list[Event]) -> None:
    named = of_one_time(events)
    heads = heads_of(named)
    groups = group(heads)
    seen = SeenIds(max_bytes=1_000_000)
    seen.add(buckets(groups), {})
    verdicts = np.array([verdict for *_, verdict in named], dtype=np.int8)
    assert decide(heads, groups, verdicts, seen).tolist() == decided(named)


def test_some_rows_are_those_asked_for_though_they_are_as_many_as_there_are() -> None:
    frame = pl.DataFrame({"user": ["ada", "bob", "cyd"]})
    assert some_rows(frame, np.array([2, 0, 1]))["user"].to_list() == ["cyd", "ada", "bob"]
    assert some_rows(frame, np.array([0, 1, 2])) is frame
    assert some_rows(frame, np.array([1]))["user"].to_list() == ["bob"]
