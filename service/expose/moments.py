"""Instants in answers and questions: RFC 3339 outside, microseconds inside."""

from service.clock import to_datetime
from service.domain import timestamps
from service.errors import EventRefused, InvalidQuery


def rfc3339(instant_us: int | None) -> str | None:
    """The UTC text of an instant, with as many digits as it needs."""
    if instant_us is None:
        return None
    return to_datetime(instant_us).isoformat().replace("+00:00", "Z")


def instant_us(parameter: str, text: str | None) -> int | None:
    """The instant of a query parameter; raises InvalidQuery for what is no RFC 3339."""
    if text is None:
        return None
    try:
        # A + that was not percent-encoded arrives as a space.
        return timestamps.instant_us(text.replace(" ", "+"), parameter)
    except EventRefused as error:
        raise InvalidQuery(parameter, f"{text!r} is no RFC 3339 instant with an offset, such as 2025-11-17T00:00:00Z") from error
