"""Bits say who was active, whatever the order and however often it was said."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from service.aggregate.bits import CHUNK, KEYS, chunks

ACTIVE = {
    "tenant": pl.Int32,
    "population": pl.String,
    "feature": pl.Int64,
    "day": pl.Int32,
    "ordinal": pl.Int32,
    "counts": pl.Boolean,
}
ROWS = st.lists(
    st.tuples(
        st.sampled_from([1, 2, 2**31 - 1]),
        st.sampled_from(["user", "seat"]),
        st.sampled_from([1, 7, 2**40]),
        st.integers(20_000, 20_002),
        st.sampled_from([0, 1, 7, 8, CHUNK - 1, CHUNK, 3 * CHUNK + 5]),
        st.booleans(),
    ),
    max_size=40,
)


@given(ROWS)
def test_the_bits_of_a_chunk_are_those_of_who_was_active(rows: list[tuple[int, str, int, int, int, bool]]) -> None:
    expected = set()
    for tenant, population, feature, day, ordinal, counts in rows:
        expected |= {(tenant, population, one, day, ordinal) for one in ([feature, 0] if counts else [feature])}
    made = chunks(pl.DataFrame(rows, schema=ACTIVE, orient="row"))
    assert made.columns == [*KEYS, "bits"]
    assert made.select(KEYS).rows() == sorted({(*key, ordinal // CHUNK) for *key, ordinal in expected})
    said = set()
    for tenant, population, feature, day, chunk, bits in made.rows():
        text = f"{int.from_bytes(bits):0{CHUNK}b}"
        said |= {(tenant, population, feature, day, chunk * CHUNK + place) for place, bit in enumerate(text) if bit == "1"}
    assert said == expected
