"""Figures of a KPI by account as scores read them: numbers of all accounts in a few arrays, and no object an account."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import localcontext

import asyncpg

from service.catalog.adding import DIGITS
from service.catalog.arguments import arguments
from service.catalog.declared import Declared
from service.catalog.kpi import Kpi
from service.catalog.question import MAX_ROWS, Question, check
from service.catalog.statement import figures_statement
from service.catalog.statistics import plain
from service.catalog.value import Exact, Value
from service.catalog.windows import Window
from service.errors import TooManyRows
from service.store.engine import Connection

ACCOUNT = "account"
Place = tuple[int, Hashable]
"""Tenant and the key of a window."""


@dataclass(frozen=True, slots=True)
class Figures:
    """A KPI of one window by account; where units are apart, of each account the row of most."""

    values: dict[str, float | None] = field(default_factory=dict)
    """None: the account has a row, but no value."""
    units: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """By account, what its row is of, by the dimensions that are kept apart; "" where it has none."""
    _columns: list[tuple[Sequence[str], Sequence[Exact | None], Sequence[Exact | None]]] = field(default_factory=list)
    """Accounts with their numerators and denominators, which few ask for."""
    _rows: dict[str, tuple[Exact | None, Exact | None]] = field(default_factory=dict)
    """The same of accounts that were put one by one."""

    @property
    def numerators(self) -> dict[str, Exact | None]:
        """By account, made anew."""
        return self._numbers(0)

    @property
    def denominators(self) -> dict[str, Exact | None]:
        """The same."""
        return self._numbers(1)

    def put(self, account: str, value: float | None, over: Exact | None, under: Exact | None, units: Mapping[str, str]) -> None:
        """Add a row; of those of one account the first of the greatest denominator stays, and of several without any none."""
        if account not in self.values or (under or 0) > (self._rows[account][1] or 0):
            self.values[account], self._rows[account], self.units[account] = value, (over, under), units
        elif not self._rows[account][1]:
            self.values[account] = None
            self._rows[account] = None, self._rows[account][1]

    def add(
        self,
        accounts: Sequence[str],
        values: Iterable[float | None],
        overs: Sequence[Exact | None],
        unders: Sequence[Exact | None],
    ) -> None:
        """Add rows of accounts of which each has one."""
        self.values.update(zip(accounts, values, strict=True))
        self._columns.append((accounts, overs, unders))

    def _numbers(self, place: int) -> dict[str, Exact | None]:
        found = {account: row[place] for account, row in self._rows.items()}
        for accounts, *numbers in self._columns:
            found.update(zip(accounts, numbers[place], strict=True))
        return found


def has_figures(kpi: Kpi, statistic: str) -> bool:
    """Whether a statistic is made of two numbers that a statement gives for each row: no formula, no rate, no percentile."""
    return kpi.head.kind in {"count", "ratio", "mean"} and not kpi.is_guest and not kpi.statistics[statistic].per


async def read_figures(
    connection: Connection, kpi: Kpi, windows: Sequence[Window], question: Question, declared: Mapping[int, Declared]
) -> dict[Place, Figures]:
    """A KPI with figures (`has_figures`) by account alone, of one statistic: what `run` answers, without notes.

    Windows must not have expired. Raises InvalidQuery when the question does not fit the KPI, or has more rows than one answer.
    """
    check(kpi, question)
    by = (*question.by, *kpi.head.apart)
    made = figures_statement(kpi, by, frozenset(question.filters))
    bound = arguments(kpi, windows, question, by, declared, frozenset(made.parameters)) | {"noted": False}
    records = await connection.fetch(made.text, *(bound[name] for name in made.parameters))
    return figures_of(records, kpi, question.statistics[0], windows)


def figures_of(records: Sequence[asyncpg.Record], kpi: Kpi, statistic: str, windows: Sequence[Window]) -> dict[Place, Figures]:
    """The figures that a statement's rows hold (`figures_end`); raises TooManyRows."""
    if sum(len(record["accounts"]) for record in records) > MAX_ROWS:
        raise TooManyRows(MAX_ROWS)
    found: dict[Place, Figures] = {}
    for record in records:
        window = windows[record["win"]]
        _take(found.setdefault((window.tenant, window.key), Figures()), record, kpi, statistic)
    return found


def _take(figures: Figures, record: asyncpg.Record, kpi: Kpi, statistic: str) -> None:
    """Add the rows of one window whose numbers are whole, or those whose numbers are not."""
    accounts, kind = record["accounts"], kpi.statistics[statistic].kind
    if record["is_whole"]:
        overs, unders = record["overs"], record["unders"]
        values = _values(kind, overs, unders)
    else:
        overs, unders = record["exact_overs"], record["exact_unders"]
        values = [plain(kind, over, under).value for over, under in zip(overs, unders, strict=True)]
    if kpi.head.apart:
        units = [dict(zip(kpi.head.apart, row, strict=True)) for row in record["units"]]
        for row in zip(accounts, values, overs, unders, units, strict=True):
            figures.put(*row)
        return
    figures.add(accounts, values, overs, unders)


def _values(kind: str, overs: Sequence[int | None], unders: Sequence[int | None]) -> list[float | None]:
    """As `statistics.plain` of whole numbers, without an object a row."""
    if kind == "count":
        return [over or (None if over is None and under == 0 else 0) for over, under in zip(overs, unders, strict=True)]
    return [over / under if under and over is not None else None for over, under in zip(overs, unders, strict=True)]


def of_values(values: Iterable[Value]) -> dict[Place, Figures]:
    """The same of values that `run` gave by account."""
    found: dict[Place, Figures] = {}
    for value in values:
        account = value.dims.get(ACCOUNT)
        if account:
            of = found.setdefault((value.tenant, value.window), Figures())
            of.put(account, value.value, value.numerator, value.denominator, value.dims)
    return found


def added_to(nameless: Value, parts: Figures, kind: str) -> Value:
    """The whole of a KPI whose rows add up: what names no account, and the figures of all accounts."""
    with localcontext(prec=DIGITS):
        over, under = (
            sum(known) if (known := [each for each in numbers if each is not None]) else None
            for numbers in (
                (nameless.numerator, *parts.numerators.values()),
                (nameless.denominator, *parts.denominators.values()),
            )
        )
    figure = plain(kind, over, under)
    reason = nameless.reason if figure.value is None else ""
    return Value(
        nameless.tenant, nameless.window, nameless.statistic, figure.value, figure.numerator, figure.denominator, reason=reason
    )
