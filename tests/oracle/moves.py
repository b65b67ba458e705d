"""Who came, stayed, came back and left from window to window, and how cohorts are retained: by plain sets."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from service.catalog import Window, window_before
from service.clock import DAY
from tests.oracle.people import active, each_day
from tests.oracle.scene import local_day
from tests.oracle.wanted import Dims, Filters, Ratio, Wanted, days
from tests.oracle.world import World

TURNOVER = ("returning_users", "resurrected_users", "dormant_users")
EVER = date(2000, 1, 1)
DAY_LONG = timedelta(days=1)
AGES = {"": ("day", 1), "d1": ("day", 1), "d7": ("day", 7), "d30": ("day", 30), "m6": ("month", 6)}
Users = defaultdict[Dims, set[str]]


def between(world: World, first: date, last: date, by: Sequence[str], filters: Filters) -> Users:
    """Active users by the split."""
    return defaultdict(set, active(world, first, last, by, filters))


def turnover(kpi: str, world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Users of the window by what they were before, and those of the window before who are gone."""
    first, last = days(window)
    before = window_before(window)
    here = between(world, first, last, by, filters)
    earlier = between(world, local_day(before.start_us, before.zone), first - DAY_LONG, by, filters)
    known = between(world, EVER, first - DAY_LONG, by, filters)
    sets = {
        "returning_users": {dims: users & earlier[dims] for dims, users in here.items()},
        "resurrected_users": {dims: users & known[dims] - earlier[dims] for dims, users in here.items()},
        "dormant_users": {dims: users - here[dims] for dims, users in earlier.items()},
    }[kpi]
    return {(dims, ""): len(users) for dims, users in sets.items() if users} or ({((), ""): 0} if not by else {})


def kpi_period_retention(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Of the users of the window before, those who are active in this one."""
    first, last = days(window)
    before = window_before(window)
    here = between(world, first, last, by, filters)
    earlier = between(world, local_day(before.start_us, before.zone), first - DAY_LONG, by, filters)
    return {(dims, ""): Ratio(len(users & here[dims]), len(users)) for dims, users in earlier.items() if users or not by}


def kpi_repeat_visit(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Of the active users, those of two days."""
    visits: defaultdict[Dims, Counter[str]] = defaultdict(Counter, {} if by else {(): Counter()})
    for day in each_day(window):
        for dims, users in active(world, day, day, by, filters).items():
            visits[dims].update(users)
    again = {dims: sum(n > 1 for n in of.values()) for dims, of in visits.items()}
    return {(dims, ""): Ratio(again[dims], len(of)) for dims, of in visits.items() if of or not by}


def kpi_retention(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Of the cohorts whose age falls into the window, the users who are active at it."""
    firsts: defaultdict[Dims, dict[str, date]] = defaultdict(dict)
    first, last = EVER, local_day(world.scene.now_us + 40 * DAY, window.zone)
    daily: dict[date, Users] = {}
    for event_day in sorted({event.day for event in world.uses() if first <= event.day <= last}):
        daily[event_day] = between(world, event_day, event_day, by, filters)
        for dims, users in daily[event_day].items():
            for user in users:
                firsts[dims].setdefault(user, event_day)
    wanted: Wanted = {}
    for statistic, (unit, n) in AGES.items():
        counts: defaultdict[Dims, list[int]] = defaultdict(lambda: [0, 0], {} if by else {(): [0, 0]})
        for start, end in _periods(unit, window):
            born = _shifted(unit, start, -n)
            grown = _shifted(unit, born, 1) - DAY_LONG
            for dims, of in firsts.items():
                cohort = {user for user, day in of.items() if born <= day <= grown}
                there = {user for day, users in daily.items() if start <= day <= end for user in users[dims]}
                counts[dims][0] += len(cohort & there)
                counts[dims][1] += len(cohort)
        wanted |= {(dims, statistic): Ratio(*both) for dims, both in counts.items() if both[1] or not by}
    return wanted


def _periods(unit: str, window: Window) -> Iterator[tuple[date, date]]:
    """The calendar's days, weeks or months that have begun and end in the window."""
    first, begun = days(window)
    last = local_day(window.end_us - 1, window.zone)
    start = {"day": first, "week": first - timedelta(days=first.weekday()), "month": first.replace(day=1)}[unit]
    while start <= begun:
        end = _shifted(unit, start, 1) - DAY_LONG
        if first <= end <= last:
            yield start, end
        start = end + DAY_LONG


def _shifted(unit: str, start: date, n: int) -> date:
    if unit == "month":
        months = start.year * 12 + start.month - 1 + n
        return date(months // 12, months % 12 + 1, 1)
    return start + n * timedelta(days=7 if unit == "week" else 1)
