"""What several KPIs read alike in a round: users of features, handed to each as rows, and what formulas are made of."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from service.catalog.declared import Declared
from service.catalog.handed import read_rows
from service.catalog.joint import key_of
from service.catalog.kpi import Kpi
from service.catalog.question import Question
from service.catalog.statement import reads
from service.catalog.value import Value
from service.catalog.windows import Window
from service.store.engine import Connection

_SHARED: Final = "active"
Slow = Callable[[Kpi], Mapping[int, str]]
"""Tenants that a KPI of an operator's own is known to take too long for, each with what it said."""


def nobody_slow(kpi: Kpi) -> Mapping[int, str]:  # noqa: ARG001  # the plain Slow
    """Nothing is known."""
    return {}


@dataclass(slots=True)
class Shared:
    """What KPIs read alike, for as long as figures are to be of one time: a round of the evaluator.

    The relation `active` by split and windows: bits of every feature are the dearest that a round reads, and each KPI of
    features reads them. And the figures that formulas are made of. Bounded by the splits that KPIs keep live, each of
    MAX_ROWS rows at the most.
    """

    slow: Slow = nobody_slow
    _rows: dict[tuple[tuple[str, ...], tuple[Window, ...]], str | None] = field(default_factory=dict)
    _figures: dict[Hashable, list[Value]] = field(default_factory=dict)
    _turns: dict[Hashable, asyncio.Lock] = field(default_factory=dict)
    """By question: of what formulas read."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """KPIs that are evaluated side by side wait for the one that reads first."""

    async def figures(
        self, kpi: Kpi, windows: Sequence[Window], asked: Question, ask: Callable[[], Awaitable[list[Value]]]
    ) -> list[Value]:
        """What a formula reads of a KPI, by the first one that asks for it; `asked` is of an operand."""
        key = key_of(kpi, windows, asked)
        # Whoever waits for an operand holds none that this one is made of: formulas have no circles.
        async with self._turns.setdefault(key, asyncio.Lock()):
            if key not in self._figures:
                self._figures[key] = await ask()
        return self._figures[key]

    async def active(
        self, connection: Connection, kpi: Kpi, windows: Sequence[Window], asked: Question, declared: Mapping[int, Declared]
    ) -> str | None:
        """The rows of `active` for a KPI that reads them by feature, for `statement`; None: it has to make its own."""
        whole = not asked.filters and asked.after is None and asked.rows is None
        if not whole or "feature" not in asked.by or not reads(kpi, asked.by, _SHARED):
            return None
        key = asked.by, tuple(windows)
        async with self._turn:
            if key not in self._rows:
                self._rows[key] = await read_rows(connection, kpi, _SHARED, windows, asked, declared)
        return self._rows[key]
