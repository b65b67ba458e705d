"""Instants of the contract: RFC 3339 text to integer microseconds since 1970, and nothing looser."""

import re
from datetime import UTC, datetime, timedelta

from service.domain.reasons import Reason
from service.errors import EventRefused

MAX_TEXT = 64
"""Characters that are looked at: a date, a time, an offset, and more fraction digits than anybody measures."""
MAX_INSTANT_US = 253_402_300_799_999_999
"""9999-12-31T23:59:59.999999Z: the last instant that a four-digit year can say."""

_SECOND_LENGTH = len("2025-11-17T09:30:00")
_SECOND = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)", re.ASCII)
_REST = re.compile(r"(?:\.(\d+))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MICRO_DIGITS = 6
_DAY_US = 86_400_000_000
"""More than any offset: what lies so far from the first and from the last instant stays between them."""


class Instants:
    """Reads instants, and remembers the parts of their texts: events of one second share it, and fractions come again.

    Bounded: past `limit` parts of one kind it forgets these and begins again. Several threads may use it at once.
    """

    def __init__(self, *, limit: int = 16_384) -> None:
        self._limit = limit
        self._seconds: dict[str, int] = {}
        """Only those that no offset brings out of bounds."""
        self._rests: dict[str, int] = {}

    def of(self, text: str, path: str) -> int:
        """Read an instant as `instant_us` does."""
        try:
            return self._seconds[text[:_SECOND_LENGTH]] + self._rests[text[_SECOND_LENGTH:]]
        except KeyError:
            return self._read(text, path)

    def _read(self, text: str, path: str) -> int:
        second, rest = text[:_SECOND_LENGTH], text[_SECOND_LENGTH:]
        second_us = self._seconds.get(second)
        if second_us is not None and len(text) <= MAX_TEXT:
            try:
                rest_us = _rest_us(rest)
            except ValueError as error:
                raise _refused(text, path, str(error)) from None
            _remember(self._rests, rest, rest_us, self._limit)
            return second_us + rest_us
        instant = instant_us(text, path)
        second_us = _second_us(second)
        if _DAY_US <= second_us <= MAX_INSTANT_US - _DAY_US:
            _remember(self._seconds, second, second_us, self._limit)
        return instant


def instant_us(text: str, path: str) -> int:
    """Read an RFC 3339 date-time with its offset (section 5.6): microseconds since 1970-01-01T00:00:00Z.

    Digits past the microsecond are cut off. Raises EventRefused (`bad_time`, naming `path`) for everything
    else: no offset, a leap second, a day that is not in the calendar, instants before 1970 or after 9999.
    """
    try:
        instant = _second_us(text[:_SECOND_LENGTH]) + _rest_us(text[_SECOND_LENGTH:MAX_TEXT])
    except ValueError as error:
        raise _refused(text, path, str(error)) from None
    if not 0 <= instant <= MAX_INSTANT_US:
        raise _refused(text, path, "lies before 1970 or after 9999")
    if len(text) > MAX_TEXT:
        raise _refused(text, path, f"has {len(text)} characters, {MAX_TEXT} at the most")
    return instant


def _remember(known: dict[str, int], text: str, value: int, limit: int) -> None:
    if len(known) >= limit:
        known.clear()
    known[text] = value


def _refused(text: str, path: str, trouble: str) -> EventRefused:
    way_out = "write RFC 3339 with an offset, like 2025-11-17T09:30:00.250Z"
    return EventRefused(Reason.BAD_TIME, path, f"{text[:40]!r} {trouble}; {way_out}")


def _second_us(text: str) -> int:
    match = _SECOND.fullmatch(text)
    if match is None:
        raise ValueError("is no date and time with seconds")
    year, month, day, hour, minute, second = map(int, match.groups())
    if second == 60:  # noqa: PLR2004 the number of a leap second
        raise ValueError("names a leap second, which no day here has")
    try:
        instant = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise ValueError("is not in the calendar") from None
    return (instant - _EPOCH) // _MICROSECOND


def _rest_us(text: str) -> int:
    """Microseconds of the fraction, less the offset."""
    digits = text[1:-1]
    if text[:1] == "." and text[-1] in "Zz" and digits.isdecimal() and digits.isascii():
        return int(digits[:_MICRO_DIGITS].ljust(_MICRO_DIGITS, "0"))
    match = _REST.fullmatch(text)
    if match is None:
        raise ValueError("ends in no offset (Z or +hh:mm)")
    fraction, sign, hours, minutes = match.groups()
    micros = int(fraction[:_MICRO_DIGITS].ljust(_MICRO_DIGITS, "0")) if fraction else 0
    if sign is None:
        return micros
    offset_us = (int(hours) * 60 + int(minutes)) * 60_000_000
    return micros - offset_us if sign == "+" else micros + offset_us
