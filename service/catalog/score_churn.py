"""Churn risk: the measures of its table for every customer, as of each window's end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from service.catalog.figures import Figures, Place
from service.catalog.scores import NO_FIGURES, ByAccount, Scene, ending
from service.catalog.value import Value
from service.catalog.windows import Window
from service.clock import DAY, HOUR, SECOND
from service.domain.churn import ChurnRisk, churn_risk
from service.domain.churn_columns import ChurnRisks
from service.domain.churn_columns import churn_risks as risks_of
from service.domain.churn_table import Measure
from service.domain.localtime import EPOCH, day_of
from service.store.standings import Standing

MONTH = "30d"
QUARTER = "90d"
DAYS_OF_MONTH = 30
_SUPPORT = {"survey": ("support_csat",)}
_SCALE = 5
"""The scale that a score of support is told on: others are converted."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The customers of a window, and what of them was measured: a value of each measure for each."""

    customers: Sequence[Standing]
    columns: Mapping[Measure, Sequence[float | None]]


@dataclass(slots=True)
class _Reading:
    """What KPIs say of each account; what one coroutine reads, no other does."""

    business: ByAccount = field(default_factory=dict)
    active: ByAccount = field(default_factory=dict)
    trained: ByAccount = field(default_factory=dict)
    opened: ByAccount = field(default_factory=dict)
    """Tickets that were opened, as denominators."""
    escalated: ByAccount = field(default_factory=dict)
    """Tickets that were escalated, whenever they were opened: one that was both in the month is a ticket and an escalation."""
    nps: ByAccount = field(default_factory=dict)
    nps_now: ByAccount = field(default_factory=dict)
    nps_before: ByAccount = field(default_factory=dict)
    support: ByAccount = field(default_factory=dict)
    dates: dict[Place, Mapping[Measure, Sequence[float | None]]] = field(default_factory=dict)
    """What customers' dates say."""
    down: ByAccount = field(default_factory=dict)
    down_for_all: Mapping[Place, Value] = field(default_factory=dict)

    async def customers(self, scene: Scene) -> None:
        """How they stand, which the scene keeps; what their dates say is found while others are still read."""
        of = await scene.customers()
        self.dates = {(each.tenant, each.key): _dates(of[each.tenant, each.key], each) for each in scene.windows}

    async def opinions(self, scene: Scene) -> None:
        """What users think of the product, now and a month ago."""
        # What was answered is read once: both months lie in the quarter.
        self.nps, self.nps_now, self.nps_before = await scene.by_account_of("nps", (_quarter, _month, _month_before))

    async def helped(self, scene: Scene) -> None:
        """What users think of support."""
        self.support = await scene.by_account("csat", QUARTER, filters=_SUPPORT)

    async def downtime(self, scene: Scene) -> None:
        """Of the account's own components, or of the platform."""
        self.down = await scene.by_account("downtime", MONTH)
        self.down_for_all = await scene.platform("downtime", MONTH, own=self.down)

    async def users(self, scene: Scene) -> None:
        """How many use it on business days."""
        self.business = await scene.by_account("average_dau", MONTH, parameters={"days": "business"})

    async def in_use(self, scene: Scene) -> None:
        """How many use it at all."""
        self.active = await scene.by_account("mau", MONTH)

    async def training(self, scene: Scene) -> None:
        """How many are trained."""
        self.trained = await scene.by_account("training_completion", MONTH)

    async def tickets(self, scene: Scene) -> None:
        """Tickets and escalations."""
        self.opened = await scene.by_account("ticket_escalation", MONTH)
        self.escalated = await scene.by_account("tickets", MONTH, statistic="escalated")


async def churn_risks(scene: Scene) -> dict[Place, dict[str, ChurnRisk]]:
    """The risk of every customer with its reasons, by window and account."""
    found: dict[Place, dict[str, ChurnRisk]] = {}
    for place, of in (await _measured(scene)).items():
        points = scene.config(place[0]).churn
        rows = [dict(zip(of.columns, row, strict=True)) for row in zip(*of.columns.values(), strict=True)]
        found[place] = {one.account: churn_risk(row, one.signals, points) for one, row in zip(of.customers, rows, strict=True)}
    return found


async def churn_columns(scene: Scene) -> dict[Place, tuple[list[str], ChurnRisks]]:
    """The accounts of every window's customers with their risks, scored together."""
    return {
        place: (
            [one.account for one in measured.customers],
            risks_of(measured.columns, [one.signals for one in measured.customers], scene.config(place[0]).churn),
        )
        for place, measured in (await _measured(scene)).items()
    }


async def _measured(scene: Scene) -> dict[Place, Measured]:
    """What is known of the customers of each window."""
    read = _Reading()
    # Begun in this order, the dearest first: small ones fill up what connections have left.
    dear = (read.customers, read.opinions, read.downtime, read.users, read.training, read.tickets)
    await scene.side_by_side((*dear, read.helped, read.in_use))
    customers = await scene.customers()
    found: dict[Place, Measured] = {}
    for window in scene.windows:
        place = (window.tenant, window.key)
        ours = customers[place]
        names = [one.account for one in ours]
        used = _of(read.active, place, names)
        falls = zip(_of(read.nps_before, place, names), _of(read.nps_now, place, names), strict=True)
        opened, escalated = read.opened.get(place, NO_FIGURES).denominators, read.escalated.get(place, NO_FIGURES).values
        columns: dict[Measure, Sequence[float | None]] = {
            **read.dates[place],
            "dau_share": [
                _share(users, one.licensed_users) for one, users in zip(ours, _of(read.business, place, names), strict=True)
            ],
            "training_completion": _of(read.trained, place, names),
            "days_since_use": [_unused(one, window, users) for one, users in zip(ours, used, strict=True)],
            "tickets_or_escalations": [int(opened.get(name) or 0) + int(escalated.get(name) or 0) for name in names],
            "nps": _of(read.nps, place, names),
            "nps_fall": [None if before is None or now is None else before - now for before, now in falls],
            "support_csat": _of_five(read.support.get(place, NO_FIGURES), names),
            "downtime_h": _hours(_of(read.down, place, names, _plain(read.down_for_all.get(place)))),
        }
        found[place] = Measured(ours, columns)
    return found


def _dates(customers: Sequence[Standing], window: Window) -> dict[Measure, Sequence[float | None]]:
    """What the accounts' dates say on the local day that the window has come to."""
    today = window.last_day
    ends = [_day(one.contract_end) for one in customers]
    renewals = [_day(one.renewal) for one in customers]
    return {
        "days_to_contract_end": [end - today if end is not None and end >= today else None for end in ends],
        "days_past_renewal": [today - renewal if renewal is not None else None for renewal in renewals],
        "months_without_rise": [_without_rise(one, window, today) for one in customers],
    }


def _without_rise(one: Standing, window: Window, today: int) -> float | None:
    """Months since it went live, or since its MRR rose after that."""
    if one.live_us is None or one.mrr is None:
        return None
    return _months(day_of(max(one.live_us, one.risen_us or one.live_us), window.zone), today)


def _share(users: float | None, licensed_users: str | None) -> float | None:
    """Of licensed users those who are active."""
    licensed = int(licensed_users or 0)
    return (users or 0.0) / licensed if licensed else None


def _unused(one: Standing, window: Window, users: float | None) -> float:
    """0 where somebody used it within a month; else a month, or the days since the account is known if they are fewer."""
    return 0.0 if users else min(DAYS_OF_MONTH, window.last_day - day_of(one.known_us, window.zone))


def _quarter(window: Window) -> Window:
    return ending(window, QUARTER)


def _month(window: Window) -> Window:
    return ending(window, MONTH)


def _month_before(window: Window) -> Window:
    """The month that ends where that of a window begins, under its key."""
    begins_us = _month(window).start_us
    just_before = replace(window, start_us=begins_us - DAY, end_us=begins_us, until_us=begins_us, name="")
    return ending(just_before, MONTH)


def _months(first: int, last: int) -> float:
    """Whole calendar months between two days."""
    begin, end = (date.fromordinal(EPOCH.toordinal() + day) for day in (first, last))
    return (end.year - begin.year) * 12 + end.month - begin.month - (end.day < begin.day)


def _day(text: str | None) -> int | None:
    return (date.fromisoformat(text) - EPOCH).days if text else None


def _plain(value: Value | None) -> float | None:
    return None if value is None else value.value


def _of(rows: ByAccount, place: Place, accounts: Sequence[str], otherwise: float | None = None) -> list[float | None]:
    """The values of accounts: what a row says; `otherwise` where there is none, or it has no value."""
    values = rows.get(place, NO_FIGURES).values
    found = list(map(values.get, accounts))
    return found if otherwise is None else [otherwise if value is None else value for value in found]


def _of_five(rows: Figures, accounts: Sequence[str]) -> list[float | None]:
    """Mean scores as they are on a scale of five."""
    return [
        None if (mean := rows.values.get(account)) is None else mean * _SCALE / float(rows.units[account].get("scale") or _SCALE)
        for account in accounts
    ]


def _hours(seconds: Sequence[float | None]) -> list[float | None]:
    return [None if each is None else each * SECOND / HOUR for each in seconds]
