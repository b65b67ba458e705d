"""Tickets from their steps, taken in order, one by one; their limits by the plain rules of service/domain/support."""

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction

from service.catalog import Window
from service.clock import DAY, SECOND
from service.domain.config import TenantConfig
from service.domain.families.ticket import ACTIONS
from service.domain.support.hours import SupportCalendar, hours_over
from service.domain.support.judging import State, judge, settled
from service.domain.support.rules import rules_of
from tests.catalog.support import Dated, Ticket
from tests.oracle.revenue import Accounts
from tests.oracle.stored import Event
from tests.oracle.wanted import WITHIN, Dims, Filters, Ratio, Wanted, durations, elapsed_days
from tests.oracle.world import World

_RANK = {action: rank for rank, action in enumerate(ACTIONS)}


class Desk:
    """All tickets of a world, and the tiers of its accounts by their dates."""

    def __init__(self, world: World) -> None:
        steps: defaultdict[str, list[Event]] = defaultdict(list)
        for event in world.of("ticket"):
            steps[event.subject].append(event)
        self.tickets = [Ticket(subject, [_step(event) for event in _ordered(of)]) for subject, of in steps.items()]
        told = Accounts(world).told.items()
        self.tiers: Dated = {
            account: [(e.time_us, e.data["tier"]) for e in events if "tier" in e.data] for account, events in told
        }


def _ordered(events: Sequence[Event]) -> list[Event]:
    return sorted(events, key=lambda e: (e.time_us, _RANK[e.data["action"]], e.source, e.id))


def _step(event: Event) -> tuple[int, dict[str, object]]:
    return event.time_us, {**event.data, **({"account": event.account} if event.account else {})}


def _inside(at_us: int | None, window: Window) -> bool:
    return at_us is not None and window.start_us <= at_us < window.end_us


def kpi_tickets(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Opened, resolved and escalated; the first two a day and a month."""
    desk = Desk(world)
    counts: defaultdict[Dims, list[int]] = defaultdict(lambda: [0, 0, 0], {} if by else {(): [0, 0, 0]})
    for ticket in desk.tickets:
        moments = [_inside(at, window) for at in (ticket.opened, ticket.resolved, ticket.first("escalated"))]
        for dims in ticket.dims(by, filters, desk.tiers) if any(moments) else ():
            for n, moment in enumerate(moments):
                counts[dims][n] += moment
    days = elapsed_days(window)
    months = days / elapsed_days(window, window.end_us) if window.name == "month" else days / Fraction("30.4375")
    wanted: Wanted = {}
    for dims, (opened, resolved, escalated) in counts.items():
        wanted[dims, "escalated"] = escalated
        for name, n in (("", opened), ("resolved", resolved)):
            rate = f"{name}_per" if name else "per"
            wanted |= {(dims, name): n, (dims, f"{rate}_day"): n / days, (dims, f"{rate}_month"): n / months}
    return wanted


def kpi_open(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Those that are open at the window's end, and how old they are."""
    desk = Desk(world)
    ages: defaultdict[Dims, list[int]] = defaultdict(list, {} if by else {(): []})
    for ticket in desk.tickets:
        for dims in ticket.dims(by, filters, desk.tiers) if ticket.is_open(window.end_us) else ():
            ages[dims].append(max(0, ticket.age(window.until_us)))
    wanted: Wanted = {}
    for dims, of in ages.items():
        wanted |= {(dims, ""): len(of), (dims, "mean_age"): Ratio(Fraction(sum(of), SECOND), len(of))}
        wanted[dims, "oldest"] = Ratio(Fraction(max(of), SECOND), 1) if of else None
        wanted |= {(dims, f"over_{many}d"): sum(age > many * DAY for age in of) for many in (1, 7, 30)}
    return wanted


def times(kpi: str, world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """How long it took to answer, to escalate, to resolve; in the window of the later end."""
    desk = Desk(world)
    took: defaultdict[Dims, list[int]] = defaultdict(list, {} if by else {(): []})
    for ticket in desk.tickets:
        idle = sum(to - since for since, to in ticket.gaps)
        end, begin = {
            "first_response_time": (ticket.first("first_response"), ticket.opened),
            "time_to_escalate": (ticket.first("escalated"), ticket.opened),
            "resolution_time": (ticket.resolved, ticket.opened + idle),
        }[kpi]
        if end is not None and _inside(end, window) and end >= begin:
            for dims in ticket.dims(by, filters, desk.tiers):
                took[dims].append(end - begin)
    return {(dims, name): wanted for dims, of in took.items() for name, wanted in durations(of, WITHIN).items()}


def shares(kpi: str, world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Of those resolved the ones at the first contact, of those opened the ones escalated."""
    desk = Desk(world)
    said: defaultdict[Dims, list[bool]] = defaultdict(list, {} if by else {(): []})
    for ticket in desk.tickets:
        of_resolved = kpi == "first_contact_resolution"
        is_so = ticket.newest("first_contact") is True if of_resolved else ticket.first("escalated") is not None
        for dims in (
            ticket.dims(by, filters, desk.tiers) if _inside(ticket.resolved if of_resolved else ticket.opened, window) else ()
        ):
            said[dims].append(is_so)
    return {(dims, ""): Ratio(sum(of), len(of)) for dims, of in said.items()}


def kpi_sla(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """What was met or missed in the window, by the limits of the tiers; the scene's day of change is a holiday."""
    config = TenantConfig.model_validate({"tenant": {"timezone": world.scene.zone, "holidays": [world.scene.change]}})
    desk, now_us = Desk(world), world.scene.now_us
    hours = hours_over(SupportCalendar.of(config), [ticket.opened for ticket in desk.tickets])
    counts: defaultdict[tuple[Dims, str], list[int]] = defaultdict(lambda: [0, 0])
    for ticket in desk.tickets:
        dues = judge(ticket.facts(desk.tiers, {}), rules_of(()), hours, now_us)
        for name, several in (
            ("", dues),
            ("response", [due for due in dues if due.measure == "response"]),
            ("resolution", [due for due in dues if due.measure != "response"]),
        ):
            how = settled(several, now_us)
            for dims in ticket.dims(by, filters, desk.tiers) if how is not None and _inside(how[1], window) else ():
                counts[dims, name][0] += how is not None and how[0] is State.MET
                counts[dims, name][1] += 1
    wanted: Wanted = {key: Ratio(met, n) for key, (met, n) in counts.items()}
    for plural, name in (("missed_responses", "response"), ("missed_resolutions", "resolution")):
        wanted |= {(dims, plural): n - met for (dims, of), (met, n) in counts.items() if of == name}
    if not by:
        empty: Wanted = {((), name): Ratio(0, 0) for name in ("", "response", "resolution")}
        wanted = empty | {((), "missed_responses"): 0, ((), "missed_resolutions"): 0} | wanted
    return wanted
