"""What a KPI declares of itself: the head of its file, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import msgspec

from service.catalog.asked import is_of_account
from service.catalog.literals import words_of
from service.catalog.windows import NAMES, OF_DAYS
from service.domain.formula import Expression

Kind = Literal["count", "ratio", "mean", "distribution", "durations", "formula", "score"]
"""count: 0 when nothing happened; ratio, mean: numerator ÷ denominator; distribution: of a histogram;
durations: of durations kept one by one; formula: derived from other KPIs; score: of customers, by a
table that tenants declare (scoring.py)."""
Better = Literal["higher", "lower", "neither"]
Per = Literal["minute", "day", "week", "month"]
PERCENTILES: Mapping[str, float] = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}
OF_DISTRIBUTION: tuple[str, ...] = ("mean", *PERCENTILES, "min", "max", "count", "share_within")
OF_ACCOUNTS: tuple[str, ...] = ("account.*", "band.*")
"""What every KPI takes that names `account`: traits of accounts, as they are now, and bands, as of the window's end."""
MAIN = ""
"""The name of the statistic that is the KPI's plain value."""


class Statistic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One figure of a KPI beside its plain value: `error_rate.5xx`, `requests.per_minute`."""

    title: str
    unit: str = ""
    """"": the KPI's own."""
    kind: Literal["", "count", "ratio", "mean"] = ""
    """"": the KPI's own."""
    better: Literal["", "higher", "lower", "neither"] = ""
    per: Literal["", "minute", "day", "week", "month"] = ""
    """A rate: the figure `of` divided by the window's minutes, days, weeks or months so far."""
    of: str = MAIN
    """With `per`: the statistic that is divided; its row must come from the file."""
    below: float | None = None
    """Of durations: the share of those shorter than this, in the KPI's unit."""


class Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which facts the relation `facts` shows."""

    kind: Literal["usage", "session", "delivery", "request", "meter", "receipt", "delay", "slo"]
    where: str = ""
    """A condition over the series' dimensions `d` (jsonb): what it leaves out is not read at all."""
    counted_by: tuple[str, ...] = ()
    """Dimensions whose filters decide on `counted` alone, so that a denominator keeps what they leave out."""
    reads: tuple[str, ...] | None = None
    """The series' dimensions that the statement itself reads of `d`, beside what is asked for; not named: maybe any."""
    of_labels: bool = False
    """Only the features that `labels` has are read."""


class Parameter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A choice beside the splits, `:name` in the file."""

    title: str
    values: tuple[str, ...] = ()
    """The values allowed; none: any number, or any feature."""
    most: int | None = None
    """Whole numbers from 0 to this one alone."""
    feature: bool = False
    """It names a feature or a group of some, which `labels` has then."""
    dimension: str = ""
    """The dimension that says it for each row, where a question is split or filtered by that."""
    default: str = ""
    """"": the tenant's configuration decides, the file says how."""


class Live(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the evaluator keeps current, and /metrics/kpis shows."""

    windows: tuple[str, ...]
    by: tuple[tuple[str, ...], ...] = ((),)
    """Splits, each a list of dimensions; [] is the whole."""
    statistics: tuple[str, ...] = ()
    """None named: all, but `share_within`."""


class Suggestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A target that is usual for the KPI; it judges nothing until a tenant declares one."""

    op: Literal[">=", ">", "<=", "<"]
    target: float
    limit: float | None = None
    up_to: float | None = None
    """Of a range, with `>=`: its other end."""
    statistic: str = MAIN
    example: bool = False
    """It goes by the size or the trade of who is measured: it is told, but colours no panel and scores nothing."""


class EventShown(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event that counts, for the page of a KPI: that of its family, with what differs."""

    family: str
    data: dict[str, Any] | None = None
    """In place of the family's; None: as it is."""
    subject: str = ""
    account: str | None = None
    """"": none."""
    time: str = ""


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The TOML head of a file."""

    id: str
    title: str
    definition: str
    family: str
    """The chapter it stands in: Service level, Delivery SLA …"""
    unit: str
    kind: Kind
    better: Better
    dimensions: tuple[str, ...] = ()
    """What it can be split and filtered by; `property.*` stands for every dimension that begins so."""
    windows: tuple[str, ...] = NAMES
    custom: bool = True
    """Whether bounds of one's own are allowed."""
    whole_days: bool = False
    """Windows are whole local days (what counts users)."""
    default_window: str = "7d"
    default_window_from: str = ""
    """Key path of the tenant's configuration that decides it instead, such as `activity.wau_window`."""
    default_statistic: str = MAIN
    statistics: dict[str, Statistic] = {}
    parameters: dict[str, Parameter] = {}
    facts: Facts | None = None
    of_quarters: bool = False
    """Read from quarters of an hour without facts: what is older than they are kept is `expired`."""
    platform_wide: bool = False
    """For one account, what names no account counts too."""
    required: tuple[str, ...] = ()
    """Dimensions to be split or filtered by: nothing is added up across them."""
    apart: tuple[str, ...] = ()
    """Dimensions that are always split by: nothing is added up across them; one alone needs no naming."""
    declared: Literal["", "integrations"] = ""
    """Declared names that show as rows of 0 when split by, though nothing happened."""
    adds_up: bool = False
    """Of counts, ratios, distributions: rows of a split are of disjoint things, and add up to coarser ones (adding.py)."""
    together: tuple[str, ...] = ()
    """Dimensions by which its file gives several splits at once: it reads the relation `splits` (statement.py)."""
    live: Live | None = None
    suggestion: Suggestion | None = None
    suggestions: dict[str, Suggestion] = {}
    """Of further statistics, by their names."""
    test: Literal["", "none", "two_proportions", "poisson", "welch"] = ""
    """What tells a change from noise; "": by the kind of a statistic (comparing.py). none: what is counted is not independent.
    welch: its means are of so many values, and the statement gives the sum of their `squares`; the others go by their kind."""
    event: tuple[EventShown, ...] = ()
    """Events of its page that give it a figure; none: those of the families that it is computed from."""
    formula: str = ""
    """With the kind `formula`, in place of a statement: how it is derived from other KPIs (service/domain/formula.py)."""


@dataclass(frozen=True, slots=True, eq=False)
class Formula:
    """What a KPI is derived by."""

    expression: Expression
    kpis: Mapping[str, "Kpi"]
    """Those that it names, by id."""
    kind: Literal["count", "ratio", "mean"]
    """count: the whole is the sum of its parts."""


class Kpi:
    """One KPI: its head and its statement. Compared by identity: the catalog holds one of each."""

    def __init__(self, head: Head, sql: str, *, file: str, formula: Formula | None = None, is_guest: bool = False) -> None:
        self.head = head
        self.sql = sql
        self.file = file
        self.formula = formula
        self.is_guest = is_guest
        """Whether its statement is an operator's: it may only read, and for a bounded time."""
        self.beside: Mapping[str, Kpi] = {}
        """Of a score: the KPIs of its catalog."""

    def __repr__(self) -> str:
        return f"Kpi({self.id})"

    @property
    def id(self) -> str:
        """Its name everywhere."""
        return self.head.id

    @cached_property
    def words(self) -> frozenset[str]:
        """The words of its statement."""
        return words_of(self.sql)

    @cached_property
    def statistics(self) -> Mapping[str, Statistic]:
        """Every statistic by name; `MAIN` ("") is the plain value, which distributions do not have."""
        head = self.head
        own = {name: _completed(statistic, head) for name, statistic in head.statistics.items()}
        if head.kind in {"distribution", "durations"}:
            return {name: _of_distribution(name, head) for name in OF_DISTRIBUTION} | own
        kind = self.formula.kind if self.formula else _plain(head.kind)
        return {MAIN: Statistic(title=head.title, unit=head.unit, kind=kind, better=head.better)} | own

    @cached_property
    def suggestions(self) -> Mapping[str, Suggestion]:
        """Targets that are usual, by statistic: first the one that the head calls its own."""
        own, others = self.head.suggestion, self.head.suggestions.items()
        named = {name: msgspec.structs.replace(each, statistic=name) for name, each in others}
        return ({} if own is None else {own.statistic: own}) | named

    def usual(self, statistic: str) -> Suggestion | None:
        """The target that is usual for a statistic, whoever is measured; None: there is none, or an example alone."""
        found = self.suggestions.get(statistic)
        return None if found is None or found.example else found

    @property
    def dimensions(self) -> tuple[str, ...]:
        """What it can be split and filtered by: as the head says, and by what groups accounts where it names them."""
        own = self.head.dimensions
        return (*own, *(name for name in OF_ACCOUNTS if "account" in own and name not in own))

    def splits_by(self, dimension: str) -> bool:
        """Whether it can be split and filtered by a dimension."""
        if is_of_account(dimension):
            return "account" in self.head.dimensions
        return any(
            dimension == known or (known.endswith(".*") and dimension.startswith(known[:-1]) and len(dimension) > len(known) - 1)
            for known in self.head.dimensions
        )

    def takes(self, window: str) -> bool:
        """Whether it can be asked for a named window ("": bounds of one's own)."""
        return (
            self.head.custom if window == "" else window in self.head.windows and (not self.head.whole_days or window in OF_DAYS)
        )


def _plain(kind: Kind) -> Literal["", "count", "ratio", "mean"]:
    return kind if kind in {"count", "ratio", "mean"} else "mean"


def _completed(statistic: Statistic, head: Head) -> Statistic:
    if statistic.below is not None:
        of = _of_distribution("share_within", head)
        return msgspec.structs.replace(statistic, unit=of.unit, kind=of.kind, better=statistic.better or of.better)
    kind = statistic.kind or ("mean" if statistic.per else _plain(head.kind))
    return msgspec.structs.replace(statistic, unit=statistic.unit or head.unit, kind=kind, better=statistic.better or head.better)


def _of_distribution(name: str, head: Head) -> Statistic:
    match name:
        case "count":
            return Statistic(title=f"{head.title}: how many", unit="", kind="count", better="neither")
        case "share_within":
            higher: Better = "higher" if head.better == "lower" else "lower"
            return Statistic(title=f"{head.title}: share within a limit", unit="ratio", kind="ratio", better=higher)
        case _:
            return Statistic(title=f"{head.title}: {name}", unit=head.unit, kind="mean", better=head.better)
