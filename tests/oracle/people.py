"""Who was active, who is new, who used which feature: by plain sets."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from service.catalog import Window
from tests.oracle.stored import Event
from tests.oracle.wanted import Dims, Filters, Ratio, Wanted, days
from tests.oracle.world import World, in_days, split


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
    total: Counter[Dims] = Counter() if by else Counter({(): 0})
    for day in chosen:
        total.update(counts(world, day, day, by, filters))
    return total


def average_dau(world: World, window: Window, by: Sequence[str], filters: Filters, *, kind: str) -> Wanted:
    chosen = [day for day in each_day(window) if kind == "all" or business(world, day)]
    return {(dims, ""): Ratio(n, len(chosen)) for dims, n in _user_days(world, chosen, by, filters).items() if n or not by}


def stickiness(world: World, window: Window, by: Sequence[str], filters: Filters, *, kind: str) -> Wanted:
    """Average daily users over the users of the window; the weekly one is declared to be of business days."""
    chosen = [day for day in each_day(window) if kind == "all" or business(world, day)]
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
