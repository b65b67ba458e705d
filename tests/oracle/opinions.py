"""Who answered surveys, which themes they named, who was followed up, and what recoveries brought: by plain loops."""

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction

from service.catalog import Window
from service.clock import DAY
from tests.oracle.economics import months
from tests.oracle.stored import Event
from tests.oracle.told import Case, cases, feedback_answers, feedback_value
from tests.oracle.wanted import Dims, Filters, Ratio, Wanted
from tests.oracle.world import World, split, within

NOTHING_RECOVERED = {"": 0, "per_month": 0, "per_account": None, "per_account_month": None}


def kpi_themes(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """How often each theme was named."""
    wanted: Wanted = {} if by else {((), ""): 0}
    plain = {name: allowed for name, allowed in filters.items() if name != "theme"}
    for event in feedback_answers(world, window):
        if any(feedback_value(event, name) not in allowed for name, allowed in plain.items()):
            continue
        if "account" in by and not event.account:
            continue
        for theme in event.data.get("themes", ()):
            if theme in filters.get("theme", (theme,)):
                dims = tuple(theme if name == "theme" else feedback_value(event, name) for name in by)
                wanted[dims, ""] = wanted.get((dims, ""), 0) + 1
    return wanted


def kpi_response(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Users invited who answered since: each once a survey and wave (and account, where that is asked for)."""
    invited = [event for event in within(world.of("feedback"), window) if event.data.get("action") == "invited"]
    answers = [event for event in world.of("feedback") if event.data.get("action", "responded") == "responded"]
    wanted: Wanted = {} if by else {((), ""): Ratio(0, 0)}
    of_accounts = "account" in {*by, *filters}
    for dims, events in split(invited, by, filters, feedback_value).items():
        first: dict[tuple[str, ...], Event] = {}
        for event in sorted(events, key=lambda event: event.time_us):
            key = (event.subject, event.data["survey"], feedback_value(event, "wave"), event.account if of_accounts else "")
            first.setdefault(key, event)
        n = sum(any(_answers(one, answer, window) for answer in answers) for one in first.values())
        wanted[dims, ""] = Ratio(n, len(first))
    return wanted


def _answers(invitation: Event, answer: Event, window: Window) -> bool:
    wave = invitation.data.get("wave")
    return (
        answer.subject == invitation.subject
        and invitation.time_us <= answer.time_us < window.end_us
        and answer.data["survey"] == invitation.data["survey"]
        and (not wave or answer.data.get("wave", wave) == wave)
    )


def kpi_follow_up(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Detractors who were followed up within a day of their newest answer."""
    told = [event for event in world.of("feedback") if event.data["survey"] == "nps"]
    followed = [event for event in told if event.data.get("action") == "followed_up"]
    answers = [event for event in feedback_answers(world, window) if event.data["survey"] == "nps"]
    wanted: Wanted = {} if by else {((), ""): Ratio(0, 0)}
    for dims, events in split(answers, by, filters, feedback_value).items():
        keys = [name for name in ("account", "wave") if name in {*by, *filters}]
        newest: dict[tuple[str, ...], Event] = {}
        for event in sorted(events, key=lambda event: event.rank):
            newest[event.subject, *(feedback_value(event, name) for name in keys)] = event
        detractors = [event for event in newest.values() if event.data["score"] <= 6]
        if detractors:
            n = sum(any(_follows(one, each) for each in followed) for one in detractors)
            wanted[dims, ""] = Ratio(n, len(detractors))
    return wanted


def _follows(answer: Event, later: Event) -> bool:
    return later.subject == answer.subject and answer.time_us <= later.time_us <= answer.time_us + DAY


def kpi_recovered_revenue(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Amounts of the last `recovered` of cases recovered in the window; by the account that a case names first."""
    sums: defaultdict[Dims, Fraction] = defaultdict(Fraction)
    accounts: defaultdict[Dims, set[str]] = defaultdict(set)
    for case, dims in _recovered(world, window, by, filters):
        step = case.recovery
        if step is not None and "amount" in step.data:
            key = (*dims, step.data["amount"]["currency"])
            sums[key] += step.data["amount"]["amount"]
            accounts[key].add(case.story.accounts()[0])
    per_month = months(window)
    wanted: Wanted = {} if by or sums else {(("",), name): zero for name, zero in NOTHING_RECOVERED.items()}
    for key, total in sums.items():
        n = len(accounts[key])
        wanted |= {(key, ""): total, (key, "per_month"): total / per_month, (key, "per_account"): Ratio(total, n)}
        wanted[key, "per_account_month"] = total / n / per_month
    return wanted


def _recovered(world: World, window: Window, by: Sequence[str], filters: Filters) -> list[tuple[Case, Dims]]:
    found = []
    for case in cases(world):
        dims, step = case.dims(by, filters), case.recovery
        if dims is not None and step is not None and window.start_us <= step.time_us < window.end_us:
            found.append((case, dims))
    return found
