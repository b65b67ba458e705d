"""Whom shares are taken of, and what users reached: by their statuses, uses and milestones."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from service.catalog import Window
from tests.oracle.people import counts, values
from tests.oracle.stored import Event
from tests.oracle.wanted import WITHIN, Dims, Filters, Ratio, Wanted, days, durations
from tests.oracle.world import World, passes, split


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


def users_of(world: World, known: Iterable[Event], by: Sequence[str], filters: Filters) -> dict[Dims, set[str]]:
    """Whose these events are, by the split."""
    return {dims: {event.subject for event in events} for dims, events in split(known, by, filters, values(world)).items()}


def kpi_milestone(milestone: str, world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Of those who logged in (where no login is ever sent, in the accounts asked for: who used something)."""
    logins = [event for event in world.of("user") if event.data.get("milestone") == "first_login"]
    sent = users_of(world, logins, by, filters)
    logged = users_of(world, reached(world, window, "first_login"), by, filters)
    for dims, users in users_of(world, first_uses(world, window), by, filters).items():
        logged[dims] = logged.get(dims, set()) | (users - sent.get(dims, set()))
    above = people(world, reached(world, window, milestone), by, filters)
    return {(dims, ""): Ratio(above[dims], len(users)) for dims, users in logged.items() if users or not by}


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
