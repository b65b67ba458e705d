"""The risk that a customer leaves: points of every row of the table that applies, its band, and the reasons."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from service.domain.churn_table import GROUPS, ROWS, ChurnRow, Measure, met

Band = Literal["green", "yellow", "orange", "red"]
BANDS: Final[tuple[tuple[Band, int], ...]] = (("red", 61), ("orange", 41), ("yellow", 21), ("green", 0))
"""Each with the least score that it begins at."""
_FIRST_OF: Final[Mapping[str, tuple[str, ...]]] = {name: group for group in GROUPS for name in group}


@dataclass(frozen=True, slots=True)
class Reason:
    """A row that applies: its points, and what was measured (None for a signal)."""

    name: str
    points: int
    sentence: str
    value: float | None


@dataclass(frozen=True, slots=True)
class ChurnRisk:
    """The sum of the reasons' points, not below 0, its band, and the reasons, those that weigh most first."""

    score: int
    band: Band
    reasons: tuple[Reason, ...]


def churn_risk(measured: Mapping[Measure, float | None], signals: Collection[str], points: Mapping[str, int]) -> ChurnRisk:
    """The risk of what is known of a customer; `points` by row as declared, `signals` those that are raised.

    What was not measured meets no condition. Of rows of one group only the first that applies counts; one of 0 points is
    no reason.
    """
    applying = [row for row in ROWS if _applies(row, measured, signals)]
    names = {row.name for row in applying}
    counted = [row for row in applying if not _is_covered(row, names)]
    reasons = [
        Reason(row.name, worth, row.reason, measured.get(row.condition.measure) if row.condition else None)
        for row in counted
        if (worth := points.get(row.name, row.points))
    ]
    score = max(0, sum(reason.points for reason in reasons))
    return ChurnRisk(score, band_of(score), tuple(sorted(reasons, key=lambda reason: -abs(reason.points))))


def band_of(score: float) -> Band:
    """The colour of a score."""
    return next((band for band, least in BANDS if score >= least), "green")


def _is_covered(row: ChurnRow, applying: Collection[str]) -> bool:
    """Whether a row of the same group that comes before it applies, too."""
    group = _FIRST_OF.get(row.name, ())
    return any(name in applying for name in group[: group.index(row.name)]) if group else False


def _applies(row: ChurnRow, measured: Mapping[Measure, float | None], signals: Collection[str]) -> bool:
    if row.condition is None:
        return row.name in signals
    value = measured.get(row.condition.measure)
    return value is not None and bool(met(value, row.condition))
