"""Who was active, who is new, whom shares are of: again by plain sets."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from service.catalog import Window
from tests.oracle.stored import Event
from tests.oracle.wanted import WITHIN, Dims, Filters, Ratio, Wanted, days, durations
from tests.oracle.world import World, in_days, passes, split


def values(world: World) -> Callable[[Event, str], str]:
    """How dimensions of users are read."""
    traits: dict[tuple[str, str], str] = {}

    def value(event: Event, name: str) -> str:
        if name in ("account", "feature"):
            return event.account if name == "account" else str(event.data.get("feature", ""))
        key = (event.subject, name.removeprefix("user."))
        if key not in traits:
            traits[key] = world.trait(*key)
        return traits[key]

    return value


def active(world: World, first: date, last: date, by: Sequence[str], filters: Filters) -> dict[Dims, set[str]]:
    """Users by the split, those who did something that makes active, or who used what is asked for."""
    asks = "feature" in by or "feature" in filters
    uses = [event for event in in_days(world.uses(), first, last) if asks or world.makes_active(event)]
    groups = split(uses, by, filters, values(world))
    return {dims: {event.subject for event in events} for dims, events in groups.items()}


def counts(world: World, first: date, last: date, by: Sequence[str], filters: Filters) -> Counter[Dims]:
    """How many they are."""
    return Counter({dims: len(users) for dims, users in active(world, first, last, by, filters).items()})


def each_day(window: Window) -> list[date]:
    """The local days of the window that have begun."""
    first, last = days(window)
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def business(world: World, day: date) -> bool:
    """Whether it is a business day."""
    return day.isoweekday() < 6 and day != world.scene.change


def kpi_active(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    return {(dims, ""): n for dims, n in counts(world, *days(window), by, filters).items()}


def _user_days(world: World, chosen: Iterable[date], by: Sequence[str], filters: Filters) -> Counter[Dims]:
    total: Counter[Dims] = Counter()
    for day in chosen:
        total.update(counts(world, day, day, by, filters))
    return total


def kpi_average_dau(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    chosen = each_day(window)
    return {(dims, ""): Ratio(n, len(chosen)) for dims, n in _user_days(world, chosen, by, filters).items()}


def stickiness(weekly: bool, world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:  # noqa: FBT001
    """Average daily users over the users of the window; the weekly one is declared to be of business days."""
    chosen = [day for day in each_day(window) if not weekly or business(world, day)]
    daily = _user_days(world, chosen, by, filters)
    users = counts(world, *days(window), by, filters)
    return {(dims, ""): Ratio(daily[dims], len(chosen) * n) for dims, n in users.items() if chosen or not by}


def kpi_new_users(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """A user is new where the first use lies: ever, or in the accounts that are asked for."""
    first, last = days(window)
    firsts: defaultdict[Dims, dict[str, date]] = defaultdict(dict)
    groups = split((event for event in world.uses() if world.makes_active(event)), by, filters, values(world))
    for dims, events in groups.items():
        for event in events:
            known = firsts[dims].get(event.subject, event.day)
            firsts[dims][event.subject] = min(known, event.day)
    wanted = {dims: sum(first <= day <= last for day in of.values()) for dims, of in firsts.items()}
    return {(dims, ""): n for dims, n in ({(): 0} | wanted if not by else wanted).items() if n or not by}


def features(kpi: str, world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Users of features, of the active or of those who are eligible; what is declared or asked for shows without users."""
    rest = tuple(name for name in by if name != "feature")
    others = {name: allowed for name, allowed in filters.items() if name != "feature"}
    used, everyone = active(world, *days(window), by, filters), active(world, *days(window), rest, others)
    shown = filters.get("feature", ("csv_export", "audit"))
    wanted: Wanted = {}
    for place, users in everyone.items():
        if not users:
            continue
        labels = {dims[by.index("feature")] for dims in used} | set(shown) if "feature" in by else {""}
        for label in labels:
            dims = tuple(label if name == "feature" else place[rest.index(name)] for name in by)
            if label in shown or dims in used or "feature" not in by:
                wanted[dims, ""] = _adoption(kpi, world, used.get(dims, set()), users, label or filters["feature"][0])
    return wanted or ({((), ""): 0 if kpi == "feature_users" else None} if not by else {})


def _adoption(kpi: str, world: World, used: set[str], users: set[str], feature: str) -> Any:
    if kpi == "feature_users":
        return len(used)
    if feature == "audit":
        used, users = ({user for user in of if world.trait(user, "role") == "admin"} for of in (used, users))
    return Ratio(len(used), len(users))


def kpi_heatmap(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """User-days by weekday; `by` ends in it."""
    rest = tuple(by[:-1])
    shown = {dims for dims, _ in features("feature_users", world, window, rest, filters)}
    wanted: Wanted = {}
    for dims in shown:
        for weekday in range(1, 8):
            wanted[(*dims, str(weekday)), ""] = 0
    for day in each_day(window):
        for dims, n in counts(world, day, day, rest, filters).items():
            if dims in shown:
                wanted[(*dims, str(day.isoweekday())), ""] += n
    for dims in shown:
        wanted[(*dims, ""), "total"] = sum(wanted[(*dims, str(weekday)), ""] for weekday in range(1, 8))
    return wanted


def share(whom: str, world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Active users over provisioned ones, or over activated ones, as of the window's end."""
    rest = tuple(name for name in by if name != "feature")
    others = {name: allowed for name, allowed in filters.items() if name != "feature"}
    below = (provisioned if whom == "provisioned" else activated)(world, window, rest, others)
    above = counts(world, *days(window), by, filters)
    wanted: Wanted = {(dims, ""): Ratio(n, below.get(without_feature(dims, by), 0)) for dims, n in above.items() if n or not by}
    if "feature" not in by:
        wanted |= {(dims, ""): Ratio(above[dims], n) for dims, n in below.items() if n or not by}
    return wanted


def without_feature(dims: Dims, by: Sequence[str]) -> Dims:
    return tuple(value for value, name in zip(dims, by, strict=True) if name != "feature")


def people(world: World, known: Iterable[Event], by: Sequence[str], filters: Filters) -> Counter[Dims]:
    """How many users these events are of, by the split: each once in a row."""
    groups = split(known, by, filters, values(world))
    return Counter({dims: len({event.subject for event in events}) for dims, events in groups.items()})


def provisioned(world: World, window: Window, by: Sequence[str], filters: Filters) -> Mapping[Dims, int]:
    """Users whose newest status, in some account, is not that they left."""
    newest: dict[tuple[str, str], Event] = {}
    for event in world.of("user"):
        if "status" in event.data and event.time_us < window.until_us:
            key = (event.subject, event.account)
            newest[key] = max(newest.get(key, event), event, key=lambda e: e.rank)
    return people(world, (event for event in newest.values() if event.data["status"] != "deactivated"), by, filters)


def activated(world: World, window: Window, by: Sequence[str], filters: Filters) -> Mapping[Dims, int]:
    """Users with a first use, or with the milestone that is declared to activate."""
    milestone = world.choices["activated"]
    if milestone == "first_use":
        return people(world, first_uses(world, window), by, filters)
    return people(world, reached(world, window, milestone), by, filters)


def first_uses(world: World, window: Window) -> list[Event]:
    """Uses that make active, up to the last day of the window."""
    return [event for event in world.uses() if world.makes_active(event) and event.day <= days(window)[1]]


def reached(world: World, window: Window, milestone: str) -> list[Event]:
    """Who reached a milestone up to the window's end."""
    return [event for event in world.of("user") if event.data.get("milestone") == milestone and event.time_us < window.until_us]


def kpi_first_value(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Of those who logged in (where no login is ever sent: who used something)."""
    sent = {event.subject for event in world.of("user") if event.data.get("milestone") == "first_login"}
    logged = reached(world, window, "first_login") + [e for e in first_uses(world, window) if e.subject not in sent]
    above, below = people(world, reached(world, window, "first_value"), by, filters), people(world, logged, by, filters)
    return {(dims, ""): Ratio(above[dims], n) for dims, n in below.items() if n or not by}


def kpi_time_to_first_value(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """From the configured start to the user's earliest first value, in the window of that."""
    firsts: dict[str, Event] = {}
    starts: dict[str, int] = {}
    for event in world.of("user"):
        if event.data.get("milestone") == "first_value":
            firsts[event.subject] = min(firsts.get(event.subject, event), event, key=lambda e: e.rank)
        if event.data.get("milestone") == world.choices["start"]:
            starts[event.subject] = min(starts.get(event.subject, event.time_us), event.time_us)
    took: defaultdict[Dims, list[int]] = defaultdict(list, {} if by else {(): []})
    for user, event in firsts.items():
        lies_in = window.start_us <= event.time_us < window.end_us
        if (
            lies_in
            and starts.get(user, event.time_us + 1) <= event.time_us
            and passes(event, by, filters, values(world), wide=False)
        ):
            took[tuple(values(world)(event, name) for name in by)].append(event.time_us - starts[user])
    return {(dims, name): wanted for dims, of in took.items() for name, wanted in durations(of, WITHIN).items()}
