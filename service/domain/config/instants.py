"""Instants of a configuration: with an offset, or a date for the midnight that begins it in the tenant's zone."""

import contextlib
from datetime import UTC, date, datetime
from typing import Annotated, cast

from pydantic import AwareDatetime, BeforeValidator, ValidationInfo

from service.clock import to_datetime
from service.domain import localtime


def _instant(written: object, info: ValidationInfo) -> object:
    """A date is the midnight that begins it in the tenant's zone; a time without an offset is nobody's."""
    if info.mode == "json":
        written = _read(written)
    elif not isinstance(written, date):
        raise ValueError(f"{written!r} is no time: write it without quotes, as 2027-01-04T05:00:00Z")
    if isinstance(written, date) and not isinstance(written, datetime):
        if "tenant" not in info.data:
            return datetime(written.year, written.month, written.day, tzinfo=UTC)
        day = (written - localtime.EPOCH).days
        return to_datetime(localtime.start_of_day_us(day, info.data["tenant"].timezone))
    if isinstance(written, datetime) and written.tzinfo is None:
        raise ValueError(f"{written.isoformat()} names no offset: write one, as in {written.isoformat()}Z")
    return written


def _read(written: object) -> date:
    """The date or the time that a text of JSON is; raises ValueError."""
    for form in (date, datetime):
        with contextlib.suppress(TypeError, ValueError):
            return form.fromisoformat(cast("str", written))
    raise ValueError(f"{written!r} is no time: write a text, as 2027-01-04T05:00:00Z")


Instant = Annotated[AwareDatetime, BeforeValidator(_instant)]
"""Read after `tenant`, whose zone decides what a date means."""
