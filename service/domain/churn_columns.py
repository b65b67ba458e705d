"""Churn risk of many customers at once: which rows of the table apply to whom, and their points, as `churn` has it for one."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
import numpy.typing as npt

from service.domain.churn import Band, band_of
from service.domain.churn_table import GROUPS, ROWS, ChurnRow, Measure, met

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ChurnRisks:
    """The risks of customers, in the order in which they were given."""

    scores: list[int]
    rows: tuple[ChurnRow, ...]
    """The rows that are worth points, those that weigh most first."""
    worths: tuple[int, ...]
    """Their points as declared."""
    applies: Bools
    """Whether a row is a reason for a customer: `[customer, row]`."""

    @property
    def bands(self) -> list[Band]:
        """The colour of each score."""
        known = {score: band_of(score) for score in set(self.scores)}
        return [known[score] for score in self.scores]

    def notes(self, most: int) -> list[str]:
        """The reasons of each customer, those that weigh most first, `most` of them."""
        texts = [f"{row.reason} ({worth:+d})" for row, worth in zip(self.rows, self.worths, strict=True)]
        # Many customers have the same reasons, which are told once: a byte a row that says whether it applies.
        told, n = self.applies.tobytes(), len(texts)
        each = [told[place * n : place * n + n] for place in range(len(self.scores))]
        known = {applying: "; ".join(list(compress(texts, applying))[:most]) for applying in set(each)}
        return [known[applying] for applying in each]


def churn_risks(
    measured: Mapping[Measure, Sequence[float | None]], signals: Sequence[Collection[str]], points: Mapping[str, int]
) -> ChurnRisks:
    """The risks of what is known of customers, a value of each measure and the raised signals a customer; `points` by row."""
    columns = {measure: np.array(values, dtype=np.float64) for measure, values in measured.items()}
    raised: dict[str, list[int]] = {}
    for place, names in enumerate(signals):
        for name in names:
            raised.setdefault(name, []).append(place)
    applying = {row.name: _applies(row, columns, raised, len(signals)) for row in ROWS}
    counted = applying | {
        name: applying[name] & ~np.logical_or.reduce([applying[before] for before in group[:place]])
        for group in GROUPS
        for place, name in enumerate(group)
        if place
    }
    worth = {row: points.get(row.name, row.points) for row in ROWS}
    rows = tuple(sorted((row for row in ROWS if worth[row]), key=lambda row: -abs(worth[row])))
    worths = tuple(worth[row] for row in rows)
    applies = np.stack([counted[row.name] for row in rows], axis=1) if rows else np.zeros((len(signals), 0), dtype=np.bool_)
    scores = np.maximum(0, applies @ np.array(worths, dtype=np.int64))
    return ChurnRisks(scores.tolist(), rows, worths, applies)


def _applies(row: ChurnRow, columns: Mapping[Measure, Floats], raised: Mapping[str, list[int]], n: int) -> Bools:
    applies: Bools = np.zeros(n, dtype=np.bool_)
    if row.condition is None:
        applies[raised.get(row.name, [])] = True
        return applies
    column = columns.get(row.condition.measure)
    # What was not measured is no number, which meets no condition.
    return applies if column is None else met(column, row.condition)
