"""What a report is made of, declared: asks for figures, tables, pictures and prose, in their order."""

from dataclasses import dataclass
from typing import Literal

State = Literal["open", "mitigating", "closed"]
Part = Literal["picture", "bands", "retention", "moves", "reasons", "matrix", "customers"]


@dataclass(frozen=True, slots=True)
class Kpis:
    """KPIs by their selectors, a line each."""

    title: str
    selectors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """KPIs by the values of one dimension: a line a value, a column a selector."""

    title: str
    selectors: tuple[str, ...]
    by: str
    top: int = 20
    """Lines at most, the greatest of the first selector first; what is left out is said."""


@dataclass(frozen=True, slots=True)
class Daily:
    """KPIs by local day: a line a day, a column a selector."""

    title: str
    selectors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trend:
    """A KPI over the windows that end with the report's."""

    title: str
    selector: str
    windows: int = 8


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Users by feature and local day."""

    title: str


@dataclass(frozen=True, slots=True)
class Funnels:
    """Every declared funnel: its steps as bars, of accounts and of users apart, and as a table."""

    title: str


@dataclass(frozen=True, slots=True)
class Scorecards:
    """Every declared scorecard, or those that are named."""

    title: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """Go, conditional go or no go: what the health score of the account decides, or of the tenant as a whole."""

    title: str


@dataclass(frozen=True, slots=True)
class Health:
    """The health score by category, with every point that is lost."""

    title: str


@dataclass(frozen=True, slots=True)
class Risk:
    """The churn risk of the report's account, with every reason."""

    title: str


@dataclass(frozen=True, slots=True)
class Attainment:
    """The share of tickets within their limits by tier, beside what each tier was promised."""

    title: str


@dataclass(frozen=True, slots=True)
class SupportMisses:
    """Every limit of support that was missed in the window."""

    title: str


@dataclass(frozen=True, slots=True)
class Misses:
    """What misses its target: every red and yellow row of this report's figures, scorecards, splits and days."""

    title: str


@dataclass(frozen=True, slots=True)
class Items:
    """Tracked items of some kinds and states, as they stand when the report is made."""

    title: str
    kinds: tuple[str, ...]
    states: tuple[State, ...] = ("open", "mitigating")


@dataclass(frozen=True, slots=True)
class Incidents:
    """Incidents that were opened in the window, the gravest first."""

    title: str


@dataclass(frozen=True, slots=True)
class Portfolio:
    """One part of all customers' churn risk, as of the window's end."""

    title: str
    part: Part


@dataclass(frozen=True, slots=True)
class Blank:
    """A named blank for prose."""

    name: str
    prompt: str


Ask = (
    Kpis
    | Split
    | Daily
    | Trend
    | HeatMap
    | Funnels
    | Scorecards
    | Decision
    | Health
    | Risk
    | Attainment
    | SupportMisses
    | Misses
    | Items
    | Incidents
    | Portfolio
    | Blank
)


@dataclass(frozen=True, slots=True)
class Chapter:
    """A section and what it asks for."""

    title: str
    asks: tuple[Ask, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """One kind of report."""

    name: str
    title: str
    window: str
    """The window that it is of by default: the last one of this name that has closed."""
    chapters: tuple[Chapter, ...]
    of_account: bool = False
    """It is made for one account."""
