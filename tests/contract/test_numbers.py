"""Numbers: exact to the last kept digit, rounded half-even, and counted where digits were lost."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.numbers import MAX_DURATION_MS, NANO, decimal_parts, nanoseconds

from .samples import PATIENT, decode, event, row_of

WIDE = Context(prec=2000, rounding=ROUND_HALF_EVEN)


@pytest.mark.parametrize(("milliseconds", "expected", "lossy"), [
    (0, 0, False), (1, 1_000_000, False), (0.1, 100_000, False), (407.9308204296996, 407_930_820, True),
    (0.0000005, 0, True), (0.0000015, 2, True), (0.0000025, 2, True), (0.0000035, 4, True), (1.0000005, 1_000_000, True),
    (1.0000015, 1_000_002, True), (123456.7890125, 123_456_789_012, True), (123456.7890135, 123_456_789_014, True),
    (MAX_DURATION_MS, 34_560_000_000_000_000, False), (34559999999.999, 34_559_999_999_999_000, False), (5e-324, 0, True),
])  # fmt: skip
def test_milliseconds_become_nanoseconds_half_even(milliseconds: float, expected: int, lossy: object) -> None:
    assert nanoseconds(milliseconds) == (expected, lossy)


@given(st.one_of(st.floats(0, MAX_DURATION_MS), st.floats(0, 2e6), st.integers(0, 2 * 10**9).map(lambda n: n / 2e6)))
@PATIENT
def test_nanoseconds_are_those_of_the_shortest_decimal(milliseconds: float) -> None:
    exact = Decimal(repr(milliseconds)).scaleb(6, WIDE)
    expected = int(exact.to_integral_value(ROUND_HALF_EVEN, WIDE))
    assert nanoseconds(milliseconds) == (expected, expected != exact)


literals = st.one_of(
    st.decimals(-(10**15), 10**15, allow_nan=False, places=12).map(str),
    st.floats(-1e15, 1e15).map(repr),
    st.integers(-(10**15), 10**15).map(str),
    st.tuples(st.integers(-(10**6), 10**6), st.integers(-20, 9)).map(lambda pair: f"{pair[0]}e{pair[1]}"),
    st.tuples(st.integers(0, 10**6), st.integers(0, 10**12)).map(lambda pair: f"{pair[0]}.{pair[1]}"),
)


@given(literals)
@PATIENT
def test_a_decimal_is_split_exactly(literal: str) -> None:
    exact = Decimal(literal)
    rounded = exact.quantize(Decimal("1e-9"), ROUND_HALF_EVEN, WIDE)
    whole, nano, lossy = decimal_parts(literal)
    assert WIDE.add(Decimal(whole), Decimal(nano).scaleb(-9, WIDE)) == rounded
    assert abs(nano) < NANO
    assert whole * nano >= 0
    assert lossy == (rounded != exact)


@pytest.mark.parametrize(
    "literal", ["1e16", "-1e16", "1e999999999999", "1e99999999999999999999", "9" * 100_000, "1000000000000000.1"]
)
def test_a_decimal_past_its_limit_overflows_at_once(literal: str) -> None:
    with pytest.raises(OverflowError):
        decimal_parts(literal)


@pytest.mark.parametrize("literal", ["1e-999999999999", "-1e-99999999999999999999", "0." + "0" * 100_000 + "1"])
def test_a_decimal_next_to_nothing_is_rounded_to_nothing(literal: str) -> None:
    assert decimal_parts(literal) == (0, 0, True)


def test_a_value_keeps_all_its_digits() -> None:
    row = row_of(b"[%s]" % _literal("value", b"-999999999999999.123456789"))
    assert (row.whole, row.nano) == (-999_999_999_999_999, -123_456_789)
    row = row_of(b"[%s]" % _literal("value", b"0.1234567885"))
    assert (row.whole, row.nano) == (0, 123_456_788)


def test_a_quantity_that_fits_lies_in_one_number_and_a_greater_one_in_two() -> None:
    usual = row_of(event("usage", {"quantity": 2.5}))
    assert (usual.quantity_whole, usual.quantity_nano) == (0, 2_500_000_000)
    greatest = row_of(event("usage", {"quantity": 10**12}))
    assert (greatest.quantity_whole, greatest.quantity_nano) == (10**12, 0)
    for quantity in (8_999_999_999, 9_000_000_000, 9_000_000_001):
        row = row_of(event("usage", {"quantity": quantity}))
        assert row.quantity_whole * NANO + row.quantity_nano == quantity * NANO
        assert row.quantity_nano < 2**63


def test_numbers_that_lose_digits_are_counted() -> None:
    events = [
        event("request", {"latency_ms": 1.0000005}, id="1"),
        event("request", {"latency_ms": 1.5}, id="2"),
        event("measurement", {"value": 0.1234567891}, id="3"),
        event("usage", {"quantity": 0.5, "duration_ms": 0.12345678}, id="4"),
    ]
    assert decode(events).rounded == 3


def _literal(field: str, literal: bytes) -> bytes:
    head = b'{"specversion":"1.0","id":"1","source":"/t","type":"io.tidegauge.measurement.v1",'
    return head + b'"data":{"meter":"m","%s":%s}}' % (field.encode(), literal)
