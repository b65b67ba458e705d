"""Feedback, recoveries and tracked items from their steps, taken in order, one by one."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from service.catalog import Window
from service.domain.families import feedback, item, recovery
from tests.oracle.stored import Event
from tests.oracle.wanted import WITHIN, Dims, Filters, Ratio, Wanted, days, durations
from tests.oracle.world import World, split, within

COLOURS = {"high_high": "red", "high_medium": "red", "medium_high": "red", "high_low": "yellow", "medium_medium": "yellow"}
COLOURS |= {"low_high": "yellow", "medium_low": "green", "low_medium": "green", "low_low": "green"}
NEVER_US = 2**62


def feedback_value(event: Event, name: str) -> str:
    if name == "account":
        return event.account
    if name == "scale":
        return str(event.data.get("scale", 10 if event.data["survey"] == feedback.NPS else feedback.DEFAULT_SCALE))
    return str(event.data.get(name, ""))


def feedback_answers(world: World, window: Window) -> list[Event]:
    return [event for event in within(world.of("feedback"), window) if event.data.get("action", "responded") == "responded"]


def kpi_nps(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """A user's newest answer that passes the filters, in each account and wave that is asked for."""
    answers = [event for event in feedback_answers(world, window) if event.data["survey"] == feedback.NPS]
    wanted: Wanted = {}
    for dims, events in split(answers, by, filters, feedback_value).items():
        keys = [name for name in ("account", "wave") if name in {*by, *filters}]
        newest: dict[tuple[str, ...], Event] = {}
        for event in sorted(events, key=lambda event: event.rank):
            newest[event.subject, *(feedback_value(event, name) for name in keys)] = event
        scores = [event.data["score"] for event in newest.values()]
        good, bad, n = sum(score >= 9 for score in scores), sum(score <= 6 for score in scores), len(scores)
        shares = {"promoters": good, "passives": n - good - bad, "detractors": bad}
        wanted |= {(dims, name): Ratio(of, n) for name, of in shares.items()}
        wanted |= {(dims, ""): Ratio(100 * (good - bad), n), (dims, "count"): n}
    return wanted


def kpi_csat(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """The mean of all answers, survey by survey and scale by scale."""
    answers = [event for event in feedback_answers(world, window) if event.data["survey"] != feedback.NPS]
    rows = (*by, *(name for name in ("survey", "scale") if name not in by))
    wanted: Wanted = {}
    for dims, events in split(answers, rows, filters, feedback_value).items():
        apart = dims if "survey" not in by else (*dims[: len(by)], dims[by.index("survey")], dims[-1])
        scores = [event.data["score"] for event in events]
        top = sum(event.data["score"] >= int(feedback_value(event, "scale")) - 1 for event in events)
        wanted |= {(apart, ""): Ratio(sum(scores), len(scores)), (apart, "top2"): Ratio(top, len(scores))}
        wanted[apart, "count"] = len(scores)
    return wanted or ({} if by else {(("", ""), ""): None, (("", ""), "top2"): None, (("", ""), "count"): 0})


@dataclass(frozen=True, slots=True)
class Story:
    """The steps of one thing, in the order in which they happened, those of one time as they are listed."""

    steps: Sequence[Event]
    key: str

    def newest(self, name: str, before_us: int = NEVER_US) -> object:
        """What was told last."""
        said = [step.data[name] for step in self.steps if name in step.data and step.time_us < before_us]
        return said[-1] if said else None

    def accounts(self) -> list[str]:
        """Those that were named, in order."""
        return [step.account for step in self.steps if step.account] or [""]


def stories(world: World, family: str, key: str, order: Sequence[str]) -> list[Story]:
    """All things of a family."""
    steps: defaultdict[str, list[Event]] = defaultdict(list)
    for event in world.of(family):
        steps[event.subject].append(event)
    return [Story(sorted(of, key=lambda e: (e.time_us, order.index(e.data[key]), e.source, e.id)), key) for of in steps.values()]


@dataclass(frozen=True, slots=True)
class Case:
    """A case of recovery."""

    story: Story

    @property
    def began_us(self) -> int:
        """When it became at risk, else its first step."""
        return next((s.time_us for s in self.story.steps if s.data["action"] == "at_risk"), self.story.steps[0].time_us)

    @property
    def recovery(self) -> Event | None:
        """Its last `recovered`, if nothing was lost since."""
        ends = [step for step in self.story.steps if step.data["action"] in ("recovered", "lost")]
        return ends[-1] if ends and ends[-1].data["action"] == "recovered" else None

    def dims(self, by: Sequence[str], filters: Filters) -> Dims | None:
        """The row that it shows in; None: it does not pass."""
        values = {"account": self.story.accounts()[0], "channel": str(self.story.newest("channel") or "")}
        if any(values[name] not in allowed for name, allowed in filters.items()) or ("account" in by and not values["account"]):
            return None
        return tuple(values[name] for name in by)


def cases(world: World) -> list[Case]:
    return [Case(story) for story in stories(world, "recovery", "action", recovery.ACTIONS)]


def kpi_recovery(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Of those that became at risk the ones recovered by now."""
    groups: defaultdict[Dims, list[bool]] = defaultdict(list, {} if by else {(): []})
    for case in cases(world):
        dims = case.dims(by, filters)
        if dims is not None and window.start_us <= case.began_us < window.end_us:
            groups[dims].append(case.recovery is not None)
    wanted: Wanted = {}
    for dims, of in groups.items():
        wanted |= {(dims, ""): Ratio(sum(of), len(of)), (dims, "cases"): len(of), (dims, "recovered"): sum(of)}
    return wanted


def kpi_recovery_time(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """How long those took that were recovered in the window."""
    groups: defaultdict[Dims, list[int]] = defaultdict(list, {} if by else {(): []})
    for case in cases(world):
        dims, step = case.dims(by, filters), case.recovery
        if dims is not None and step and window.start_us <= step.time_us < window.end_us and step.time_us >= case.began_us:
            groups[dims].append(step.time_us - case.began_us)
    wanted: Wanted = {}
    for dims, took in groups.items():
        wanted |= {(dims, name): figure for name, figure in durations(took, WITHIN).items()}
        for name, hours in (("within_24h", 24), ("within_48h", 48), ("within_7d", 168)):
            wanted[dims, name] = Ratio(sum(each < hours * 3_600 * 10**6 for each in took), len(took))
    return wanted


def kpi_incentive(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Incentives of all steps of cases recovered in the window; a row where one was given or revenue came in."""
    sums: defaultdict[Dims, Fraction] = defaultdict(Fraction)
    for case in cases(world):
        dims, step = case.dims(by, filters), case.recovery
        if dims is None or step is None or not window.start_us <= step.time_us < window.end_us:
            continue
        if "amount" in step.data:
            sums[*dims, step.data["amount"]["currency"]] += 0
        for each in case.story.steps:
            if "incentive" in each.data:
                sums[*dims, each.data["incentive"]["currency"]] += each.data["incentive"]["amount"]
    return {(dims, ""): total for dims, total in sums.items()} or ({} if by else {(("",), ""): 0})


def kpi_items(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """How tracked things stand between the window's ends."""
    names = ("", "open", "new", "closed", "reopened", "net", "overdue")
    wanted: Wanted = {} if by else {((), name): 0 for name in names}
    for story in stories(world, "item", "status", item.STATUSES):
        if story.steps[0].time_us >= window.until_us:
            continue
        before, after = (story.newest("status", at) for at in (window.start_us, window.until_us))
        pair = f"{story.newest('probability')}_{story.newest('impact')}"
        values = {
            "account": story.accounts()[-1],
            "kind": str(story.newest("kind")),
            "status": str(after),
            "owner": str(story.newest("owner") or ""),
            "colour": COLOURS.get(pair, ""),
        }
        if any(values[name] not in allowed for name, allowed in filters.items()) or ("account" in by and not values["account"]):
            continue
        is_open, due = after != "closed", story.newest("due")
        counted = {
            "": is_open,
            "open": is_open,
            "new": story.steps[0].time_us >= window.start_us,
            "closed": not is_open and before != "closed",
            "reopened": is_open and before == "closed",
            "net": int(is_open) - (before not in (None, "closed")),
            "overdue": is_open and due is not None and str(due) < days(window)[1].isoformat(),
        }
        dims = tuple(values[name] for name in by)
        for name, count in counted.items():
            wanted[dims, name] = wanted.get((dims, name), 0) + int(count)
    return wanted
