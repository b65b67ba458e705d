"""What came of one part of a formula: an exact number a row, of values or of columns that Postgres made."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
import msgspec

from service.catalog.kpi import MAIN, Kpi
from service.catalog.question import ACCOUNT, Question, by_account_first
from service.catalog.statistics import derived, elapsed, empty, rated
from service.catalog.value import EXPIRED, MIXED, NO_DATA, Exact, Value, exact
from service.catalog.windows import Window
from service.domain.formula import Operand
from service.domain.formula_columns import Absent, Column, Outcome, Ratio, divided, ratio_of

Place = tuple[int, Hashable]
"""Tenant and the key of a window."""
Row = tuple[str | None, ...]
"""A value a dimension, None where an operand does not have the dimension."""
Known = Ratio | str
"""An exact number, or the reason why there is none."""
_DIMS: Final = msgspec.json.Decoder(dict[str, str])
_NONE: Final[Mapping[Any, Any]] = {}


@dataclass(frozen=True, slots=True)
class Sheet:
    """What there is of a part by window and statistic, and by row."""

    kpi: Kpi
    dims: tuple[str, ...]
    """Of the formula."""
    places: tuple[int, ...]
    """Which of them the KPI has."""
    figures: dict[tuple[Place, str], dict[Row, Known]] = field(default_factory=dict)
    """By the dimensions that the KPI has."""
    notes: dict[tuple[Place, str], dict[Row, str]] = field(default_factory=dict)
    """What its statement says of some."""
    happened: dict[Place, dict[Row, None]] = field(default_factory=dict)
    """Rows of the formula in which something happened, or that are declared."""
    texts: dict[Row, str] = field(default_factory=dict)
    """How Postgres writes rows, of a KPI that has all dimensions."""
    gone: set[Place] = field(default_factory=set)
    """Windows that are finer than what is kept."""

    @property
    def is_whole(self) -> bool:
        """Whether it has all of them."""
        return len(self.places) == len(self.dims)

    def column(self, operand: Operand, place: Place, rows: Sequence[Row]) -> Column:
        """What an operand comes to in these rows of the formula."""
        statistic = operand.selector.statistic or MAIN
        said, figure = f"{operand.selector} has no value", empty(self.kpi, statistic)
        nothing: Outcome = Absent(NO_DATA, said) if figure.value is None else ratio_of(figure.numerator or 0)
        found = self.figures.get((place, statistic), _NONE)
        absent = {reason: Absent(reason, said) for reason in {known for known in found.values() if isinstance(known, str)}}
        column = (found.get(row, nothing) for row in self._own(rows))
        return [absent[known] if isinstance(known, str) else known for known in column]

    def noted(self, operand: Operand, place: Place, rows: Sequence[Row]) -> list[str] | None:
        """What is said of an operand in these rows; None: nothing in any."""
        found = self.notes.get((place, operand.selector.statistic or MAIN))
        return [found.get(row, "") for row in self._own(rows)] if found else None

    def _own(self, rows: Iterable[Row]) -> Iterable[Row]:
        """Rows of the formula by the dimensions that the KPI has."""
        if self.is_whole:
            return [tuple([value or "" for value in row]) if None in row else row for row in rows]
        return [tuple([row[place] or "" for place in self.places]) for row in rows]

    def all_of(self, own: Iterable[Row]) -> Iterable[Row]:
        """The rows of the formula that these are, by the dimensions that the KPI has."""
        if self.is_whole:
            return own
        places = [self.places.index(place) if place in self.places else None for place in range(len(self.dims))]
        return (tuple([None if place is None else row[place] for place in places]) for row in own)


def _empty(kpi: Kpi, dims: tuple[str, ...]) -> Sheet:
    return Sheet(kpi, dims, tuple(place for place, name in enumerate(dims) if kpi.splits_by(name)))


def sheet_of_values(kpi: Kpi, dims: tuple[str, ...], values: Iterable[Value]) -> Sheet:
    """What came of a KPI that was asked as any other is."""
    made = _empty(kpi, dims)
    names, is_whole, happened = [dims[place] for place in made.places], made.is_whole, dict[Place, dict[Row, None]]()
    kinds = {name: statistic.kind for name, statistic in kpi.statistics.items()}
    for value in values:
        place, told, statistic = (value.tenant, value.window), value.dims, value.statistic
        if value.reason == EXPIRED:
            made.gone.add(place)
        elif value.reason != MIXED:
            row: Row = tuple([told.get(name, "") for name in names])
            known = value.reason if value.value is None else _exact_of(value, kinds[statistic])
            made.figures.setdefault((place, statistic), {})[row] = known
            if value.note:
                made.notes.setdefault((place, statistic), {})[row] = value.note
            if value.row or told:
                happened.setdefault(place, {})[row] = None
                if value.row and is_whole:
                    made.texts[row] = value.row
    made.happened.update({place: dict.fromkeys(made.all_of(rows)) for place, rows in happened.items()})
    return made


def sheet_of_columns(
    kpi: Kpi,
    dims: tuple[str, ...],
    windows: Sequence[Window],
    question: Question,
    records: Sequence[asyncpg.Record],
    known: dict[tuple[str, ...], dict[str, Row]],
) -> Sheet:
    """What came of a KPI as columns (columns.py); `known` remembers what texts say, by the dimensions that are read of them."""
    made = _empty(kpi, dims)
    names = tuple(dims[place] for place in made.places)
    rates, by_account = derived(kpi), by_account_first((*question.by, *kpi.head.apart))
    rows_of, read = known.setdefault(names, {}), _reader(names)
    order: dict[Place, list[tuple[str, Row]]] = {}
    for record in records:
        window, texts = windows[record["win"]], record["dims"]
        wanted = [name for name in question.statistics if rates.get(name, (name,))[0] == record["statistic"]]
        rows = [rows_of.get(text) or rows_of.setdefault(text, read(text)) for text in texts]
        place = window.tenant, window.key
        for name in wanted:
            figures = made.figures.setdefault((place, name), {})
            figures.update(zip(rows, _known(kpi, name, window, record), strict=True))
        if wanted:
            # No text has a NUL: accounts come first, then texts.
            account = names.index(ACCOUNT) if by_account else 0
            keys = [f"{row[account]}\0{text}" for row, text in zip(rows, texts, strict=True)] if by_account else texts
            order.setdefault(place, []).extend(zip(keys, rows, strict=True))
            made.texts.update(zip(rows, texts, strict=True) if made.is_whole else ())
    for place, found in order.items():
        made.happened[place] = dict.fromkeys(made.all_of([row for _, row in sorted(found)]))
    return made


def _reader(names: tuple[str, ...]) -> Callable[[str], Row]:
    def read(text: str) -> Row:
        told = _DIMS.decode(text)
        return tuple([told.get(name, "") for name in names])

    return read


def _known(kpi: Kpi, name: str, window: Window, record: asyncpg.Record) -> list[Known]:
    """The exact numbers of a statistic in the rows of one record, as `statistics.plain` and `rate` make them."""
    kind, rates = kpi.statistics[name].kind, derived(kpi)
    overs: Sequence[Exact | None] = record["overs"]
    unders: Sequence[Exact | None] = record["unders"]
    if not record["is_whole"]:
        overs, unders = (list(map(exact, record[column])) for column in ("exact_overs", "exact_unders"))
    if name in rates:
        of, per = rates[name]
        if kpi.statistics[of].kind == "count":
            overs = [0 if over is None and under != 0 else over for over, under in zip(overs, unders, strict=True)]
        span = elapsed(window, per)
        divisors = {under: rated(span, under) for under in set(unders)}
        unders = [divisors[under] for under in unders]
        if kind == "count":
            pairs = zip(overs, unders, strict=True)
            return [NO_DATA if over is None or under is None else ratio_of(over) for over, under in pairs]
    elif kind == "count":
        return [_counted(over, under) for over, under in zip(overs, unders, strict=True)]
    by = {under: ratio_of(under) for under in set(unders) if under}
    return [
        NO_DATA if over is None or not under else divided(ratio_of(over), by[under])
        for over, under in zip(overs, unders, strict=True)
    ]


def _counted(over: Exact | None, under: Exact | None) -> Known:
    return NO_DATA if over is None and under == 0 else ratio_of(over or 0)


def _exact_of(value: Value, kind: str) -> Ratio:
    """The exact number of a figure that has a value: what it was made of, else (percentiles) the number that is shown."""
    over, under = value.numerator, value.denominator
    if over is None:
        return (value.value or 0).as_integer_ratio()
    if kind == "count" or under is None:
        return ratio_of(over)
    return divided(ratio_of(over), ratio_of(under))
