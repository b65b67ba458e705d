"""A scorecard's arithmetic: the share of its rows that meet their targets, its overall state, and what health decides."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from service.domain.health import Band, band_of
from service.domain.selector import parse_selector
from service.domain.targets import Status

Decision = Literal["go", "conditional_go", "no_go"]
DECISIONS: Final[Mapping[Band, Decision]] = MappingProxyType({"green": "go", "yellow": "conditional_go", "red": "no_go"})
"""By the band of the health score: from 80 on, from 60 on, below (kpis.md, *Scores and reports*)."""

_WORST_FIRST = (Status.RED, Status.YELLOW, Status.GREEN)


@dataclass(frozen=True, slots=True)
class ScorecardRow:
    """A row that was judged, or that could not be (status `none`)."""

    selector: str
    status: Status


@dataclass(frozen=True, slots=True)
class Summary:
    """What a scorecard says as a whole."""

    met: int
    """Rows that are green."""
    judged: int
    """Rows with a status other than `none`."""
    share_met: float | None
    """met ÷ judged, 0 to 1; None where nothing was judged."""
    state: Status
    """The worst of the critical rows, of all rows where none is declared critical; `none` where none was judged."""
    unjudged_critical: tuple[str, ...]
    """Critical rows without a value or a target: the state speaks without them."""


def summarise(rows: Sequence[ScorecardRow], critical: Iterable[str] = ()) -> Summary:
    """Sum a scorecard up; `critical` are selectors of rows, in any spelling that means the same."""
    keys = {parse_selector(each).key for each in critical} or {parse_selector(row.selector).key for row in rows}
    deciding = [row for row in rows if parse_selector(row.selector).key in keys]
    judged = [row for row in rows if row.status is not Status.NONE]
    met = sum(row.status is Status.GREEN for row in judged)
    statuses = {row.status for row in deciding}
    return Summary(
        met=met,
        judged=len(judged),
        share_met=met / len(judged) if judged else None,
        state=next((status for status in _WORST_FIRST if status in statuses), Status.NONE),
        unjudged_critical=tuple(row.selector for row in deciding if row.status is Status.NONE),
    )


def decide(health: float | None) -> Decision | None:
    """What a health score decides; None where there is none."""
    return None if health is None else DECISIONS[band_of(health)]
