"""What a flush copies of facts says the same as the facts themselves, in fewer rows."""

from collections import Counter
from typing import Any

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from service.aggregate.deltas import FACTS, Deltas
from service.aggregate.resolve import Resolved
from service.aggregate.stage import MEASURES, stage_deltas
from service.clock import DAY, MINUTE, QUARTER
from tests.aggregate.test_copying import decoded

GRAINS = {"minute": MINUTE, "quarter": QUARTER, "day": DAY}
NOBODY = pl.DataFrame(
    schema={
        "tenant": pl.Int32,
        "account": pl.String,
        "user": pl.String,
        "ordinal": pl.Int32,
        "first_day": pl.Int32,
        "day": pl.Int32,
    }
)
NO_FEATURE = pl.DataFrame(schema={"tenant": pl.Int32, "feature": pl.String, "id": pl.Int64})
NOTHING = np.empty(0, dtype=np.int64)
COPIED = ("series", *GRAINS, "n", "total")

Fact = tuple[int, str, int]
"""Series, grain, bucket."""


def facts_of(events: list[tuple[int, int]]) -> Counter[Fact]:
    """How many of the events (series, minute) are in each."""
    return Counter(
        (series, grain, minute * MINUTE // length * (1 if grain == "day" else length))
        for series, minute in events
        for grain, length in GRAINS.items()
    )


def staged(facts: Counter[Fact]) -> list[dict[str, Any]]:
    """The rows that a flush copies."""
    rows = [
        {
            "tenant": series,
            "kind": "usage",
            "account": "",
            "dims": "{}",
            "grain": grain,
            "bucket": bucket,
            "n": n,
            "total": n * series,
        }
        for (series, grain, bucket), n in facts.items()
    ]
    frame = pl.DataFrame(rows, schema_overrides={"tenant": pl.Int32, "total": pl.Int128})
    every = [frame[name] if name in frame.columns else pl.lit(None, dtype).alias(name) for name, dtype in FACTS.items()]
    deltas = Deltas(facts=frame.select(every))
    series = frame["tenant"].cast(pl.Int64).to_numpy()
    copied = stage_deltas(deltas, Resolved(NOBODY, NOBODY, series, NOTHING, NOTHING, NOTHING, NO_FEATURE)).binary["fact"]
    return [
        {name: number(value) for name, value in zip(COPIED, row, strict=False)}
        for row in decoded(copied, len(COPIED) + len(MEASURES[2:]) + 1)
    ]


def number(sent: bytes | None) -> int | None:
    """An integer, or a numeric of up to four decimals before the point."""
    if sent is None:
        return None
    return int.from_bytes(sent, signed=True) if len(sent) in (4, 8) else int.from_bytes(sent[8:])


def said(rows: list[dict[str, Any]]) -> Counter[Fact]:
    """What the merges read from them; each fact must be there once."""
    read = [
        ((row["series"], grain, row[grain]), row["n"], row["total"]) for row in rows for grain in GRAINS if row[grain] is not None
    ]
    assert len({fact for fact, _, _ in read}) == len(read)
    assert all(total == n * fact[0] for fact, n, total in read)
    return Counter({fact: n for fact, n, _ in read})


@given(
    events=st.lists(st.tuples(st.integers(1, 3), st.integers(0, 60) | st.integers(0, 4 * 1_440)), min_size=1, max_size=40),
    expired_before=st.integers(0, 2 * 1_440),
)
def test_facts_survive_being_copied_once_for_all_grains_that_they_are_the_same_in(
    events: list[tuple[int, int]], expired_before: int
) -> None:
    facts = facts_of(events)
    # Old minutes go first; quarters are kept longer.
    least = {"minute": expired_before * MINUTE, "quarter": expired_before * MINUTE // 2, "day": 0}
    for series, grain, bucket in list(facts):
        if bucket < least[grain]:
            del facts[series, grain, bucket]
    assert said(staged(facts)) == facts


def test_a_series_with_one_minute_is_copied_as_one_row() -> None:
    assert len(staged(facts_of([(1, 61), (1, 61), (2, 61)]))) == 2


def test_two_minutes_of_one_quarter_share_the_row_of_quarter_and_day() -> None:
    assert len(staged(facts_of([(1, 61), (1, 62)]))) == 3
