"""RFC 3339, strictly: what is an instant, and which."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.clock import to_us
from service.domain.reasons import Reason
from service.domain.timestamps import MAX_INSTANT_US, Instants, instant_us
from service.errors import EventRefused

from .samples import PATIENT

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("text", "expected"), [
    ("1970-01-01T00:00:00Z", 0),
    ("1970-01-01T00:00:00.000001Z", 1),
    ("1970-01-01T00:00:00.0000019Z", 1),
    ("1970-01-01T00:00:00.1z", 100_000),
    ("1970-01-01t00:00:01Z", 1_000_000),
    ("1970-01-01T01:00:00+01:00", 0),
    ("1969-12-31T23:30:00-00:30", 0),
    ("1970-01-01T00:00:00-00:00", 0),
    ("1970-01-01T23:59:00+23:59", 0),
    ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
    ("9999-12-31T23:59:59.999999Z", MAX_INSTANT_US),
    ("9999-12-31T23:59:59.9999999999999999Z", MAX_INSTANT_US),
])  # fmt: skip
def test_an_instant_is_read_to_the_microsecond(text: str, expected: int) -> None:
    assert instant_us(text, "time") == expected


@pytest.mark.parametrize("text", [
    "", "2025", "2025-11-17", "2025-11-17T09:30Z", "2025-11-17T09:30:00", "2025-11-17 09:30:00Z", "20251117T093000Z",
    "2025-W47-1T09:30:00Z", "2025-321T09:30:00Z", "2025-11-17T09:30:00,5Z", "2025-11-17T09:30:00.Z", "2025-11-17T24:00:00Z",
    "2025-11-17T09:60:00Z", "2025-11-17T09:30:60Z", "2016-12-31T23:59:60Z", "2025-02-29T00:00:00Z", "2025-13-01T00:00:00Z",
    "2025-00-01T00:00:00Z", "2025-11-31T00:00:00Z", "0000-01-01T00:00:00Z", "2025-11-17T09:30:00+0100", "2025-11-17T09:30:00+01",
    "2025-11-17T09:30:00+24:00", "2025-11-17T09:30:00+01:60", "2025-11-17T09:30:00 Z", " 2025-11-17T09:30:00Z",
    "2025-11-17T09:30:00Z ", "2025-11-17T09:30:00Z\n", "\uff12025-11-17T09:30:00Z", "2025-11-17T09:30:00.\u0661Z",
    "-2025-11-17T09:30:00Z",
    "+2025-11-17T09:30:00Z", "2025-11-17T09:30:00ZZ", "2025-11-17T09:30:00[Europe/Berlin]", "1969-12-31T23:59:59.999999Z",
    "1970-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "1763373600",
    "2025-11-17T09:30:00." + "0" * 60 + "Z", "x" * 100_000,
    "2025-11-17T09:30:00." + "0" * 43 + "ZZ",
])  # fmt: skip
def test_anything_looser_is_refused(text: str) -> None:
    with pytest.raises(EventRefused) as caught:
        instant_us(text, "data.accepted_at")
    assert caught.value.reason is Reason.BAD_TIME
    assert caught.value.path == "data.accepted_at"


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)),  # noqa: DTZ001 the zone is drawn beside
    st.integers(-1439, 1439),
    st.integers(0, 9),
)
@PATIENT
def test_every_instant_in_every_offset_is_read_as_written(moment: datetime, offset_min: int, digits: int) -> None:
    moment = moment.replace(tzinfo=timezone(timedelta(minutes=offset_min)))
    micros = moment.microsecond // 10 ** max(6 - digits, 0) * 10 ** max(6 - digits, 0)
    fraction = f".{moment.microsecond:06d}999"[: digits + 1] if digits else ""
    sign, minutes = ("-", -offset_min) if offset_min < 0 else ("+", offset_min)
    text = f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}{sign}{minutes // 60:02d}:{minutes % 60:02d}"
    assert instant_us(text, "time") == (moment.replace(microsecond=micros) - EPOCH) // timedelta(microseconds=1)


SECONDS = ("2025-11-17T09:30:00", "1970-01-01T00:00:00", "1970-01-02t00:00:00", "9999-12-31T23:59:59", "2025-02-29T00:00:00", "x")
RESTS = (
    "Z",
    "z",
    ".25Z",
    ".123456789Z",
    "+00:01",
    "-23:59",
    ".5+23:59",
    "." + "0" * 43 + "Z",
    "." + "0" * 44 + "Z",
    "",
    ".Z",
    "+24:00",
)


def _read_by(read: Callable[[str, str], int], text: str) -> int | str:
    try:
        return read(text, "time")
    except EventRefused as refusal:
        return str(refusal)


@given(st.lists(st.tuples(st.sampled_from(SECONDS), st.sampled_from(RESTS)), max_size=40), st.integers(1, 4))
@PATIENT
def test_what_was_read_before_changes_no_instant_and_no_refusal(parts: list[tuple[str, str]], limit: int) -> None:
    instants = Instants(limit=limit)
    for second, rest in parts:
        assert _read_by(instants.of, second + rest) == _read_by(instant_us, second + rest)


def test_the_clock_and_the_contract_agree() -> None:
    assert instant_us("2025-11-17T09:30:00.25Z", "time") == to_us(datetime(2025, 11, 17, 9, 30, 0, 250_000, tzinfo=UTC))
