"""Windows of a tenant's programme in questions: `programme`, `programme:week` (the one of now, or of `end`), `programme:3`."""

import re

from service.domain.config import TenantConfig
from service.domain.localtime import day_of, start_of_day_us
from service.domain.programme import day_after, days_of_week, first_day_of, week_of
from service.errors import InvalidQuery

PROGRAMME = "programme"
_WEEK = re.compile(rf"{PROGRAMME}(?::(?P<week>week|[1-9][0-9]{{0,2}}))?")


def programme_bounds_us(name: str | None, config: TenantConfig, zone: str, at_us: int) -> tuple[int, int] | None:
    """Start and end of a programme's window at an instant; None for windows of other names. Raises InvalidQuery."""
    if name is None or name.partition(":")[0] != PROGRAMME:
        return None
    asked = _WEEK.fullmatch(name)
    if asked is None:
        raise InvalidQuery("window", f"{name!r} is none: write programme, programme:week, or programme:3 for its third week")
    programme = config.programme
    if programme is None:
        raise InvalidQuery("window", "no programme is declared: write [programme] with its start and weeks")
    if asked["week"] is None:
        first, after = first_day_of(programme), day_after(programme)
    else:
        week = week_of(programme, day_of(at_us - 1, zone)) if asked["week"] == "week" else int(asked["week"])
        if week is None or week > programme.weeks:
            said = "no week of it holds that time" if week is None else f"it has no week {week}"
            raise InvalidQuery("window", f"the programme runs for {programme.weeks} weeks from {programme.start} on: {said}")
        first, after = days_of_week(programme, week)
    return start_of_day_us(first, zone), start_of_day_us(after, zone)
