"""Why an event is refused: the closed list of the contract."""

from enum import StrEnum


class Reason(StrEnum):
    """The same words in answers, dead letters and metrics."""

    MALFORMED = "malformed"
    UNKNOWN_TYPE = "unknown_type"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    TOO_LONG = "too_long"
    TOO_LARGE = "too_large"
    BAD_NAME = "bad_name"
    BAD_TIME = "bad_time"
    TOO_LATE = "too_late"
    IN_FUTURE = "in_future"
    HOUR_CLOSED = "hour_closed"
    NOT_ALLOWED = "not_allowed"
