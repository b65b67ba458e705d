"""Equal rows get equal numbers, however wide the values that tell them apart."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.aggregate.grouping import FEW, NULL, numbered

LEAST, MOST = -(1 << 63), (1 << 63) - 1
VALUES = st.sampled_from([0, 1, 2, -1, 7, FEW, -FEW, 1 << 40, 1 << 61, -(1 << 61), NULL, LEAST, MOST])
WIDTHS = st.integers(1, 4)


@given(WIDTHS.flatmap(lambda width: st.lists(st.tuples(*[VALUES] * width), max_size=30)))
def test_rows_are_numbered_by_the_first_of_their_equals(rows: list[tuple[int, ...]]) -> None:
    columns = [np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)]
    group, firsts = numbered(columns, len(rows))
    distinct = list(dict.fromkeys(rows))
    assert [rows[first] for first in firsts.tolist()] == distinct
    assert firsts.tolist() == [rows.index(row) for row in distinct]
    assert group.tolist() == [distinct.index(row) for row in rows]


def test_rows_that_nothing_tells_apart_are_one_group() -> None:
    group, firsts = numbered([], 3)
    assert (group.tolist(), firsts.tolist()) == ([0, 0, 0], [0])
    assert [each.size for each in numbered([], 0)] == [0, 0]
