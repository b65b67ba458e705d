"""The pilot week as a demonstration: its events, moved by whole weeks to the last full week."""

import gzip
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from typing import Any

FIRST_DAY = date(2025, 11, 17)
"""The Monday that the pilot began on."""
DAYS = 7

Event = dict[str, Any]


def week_before(now: datetime) -> date:
    """The Monday of the last week that was over at `now` (UTC)."""
    today = now.astimezone(UTC).date()
    return today - timedelta(days=today.weekday() + DAYS)


def events(types: Sequence[str], *, monday: date = FIRST_DAY) -> Iterator[Event]:
    """The week's events in their order of arrival, copies and late ones included.

    Only those whose `type` is among `types`; times moved so that the week begins on `monday`.
    Raises ValueError when that is no Monday.
    """
    if monday.weekday() != 0:
        raise ValueError(f"the pilot week begins on a Monday, and {monday} is none")
    shift = monday - FIRST_DAY
    with (files(__package__) / "pilot-week.ndjson.gz").open("rb") as packed, gzip.open(packed, "rt", encoding="utf-8") as lines:
        for line in lines:
            event: Event = json.loads(line)
            if event["type"] in types:
                yield moved(event, shift)


def moved(event: Event, shift: timedelta) -> Event:
    """The event at another date, at the same time of day."""
    instant = datetime.fromisoformat(event["time"]) + shift
    return event | {"time": instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")}


def configuration() -> str:
    """The pilot's configuration, as TOML."""
    return (files(__package__) / "pilot.toml").read_text(encoding="utf-8")


def expected() -> dict[str, Any]:
    """The figures that must come out of the week."""
    read: dict[str, Any] = json.loads((files(__package__) / "pilot-week.expected.json").read_text(encoding="utf-8"))
    return read
