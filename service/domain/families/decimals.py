"""Fields that are decimals: read from the literal as it was written, never through a double."""

from msgspec import Raw

from service.domain.families.envelope import Intake
from service.domain.numbers import decimal_parts
from service.domain.reasons import Reason
from service.errors import EventRefused

_NUMBER_STARTS = frozenset(b"-0123456789")


def decimal_of(literal: Raw, path: str, limit: int, intake: Intake) -> tuple[int, int] | None:
    """The whole part and the 10⁻⁹ units of a JSON number; None where it is missing or null.

    Raises EventRefused: `wrong_type` for what is no number, `out_of_range` past ±`limit`. Counts what is rounded.
    """
    text = bytes(literal)
    if not text or text == b"null":
        return None
    if text[0] not in _NUMBER_STARTS:
        raise EventRefused(Reason.WRONG_TYPE, path, "is no JSON number; send a number, without quotes")
    try:
        whole, nano, lossy = decimal_parts(text.decode())
    except OverflowError:
        raise past_limit(path, limit) from None
    if abs(whole) > limit or (abs(whole) == limit and nano):
        raise past_limit(path, limit)
    intake.rounded += lossy
    return whole, nano


def past_limit(path: str, limit: int) -> EventRefused:
    """The refusal for a number whose magnitude is more than `limit`."""
    return EventRefused(Reason.OUT_OF_RANGE, path, f"is past {limit:,} in magnitude; send it in a larger unit")
