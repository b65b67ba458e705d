"""Statements of an operator's own KPIs at work: they read alone, for a bounded time, and what fails is theirs alone."""

from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from math import isfinite
from pathlib import Path
from time import perf_counter
from types import MappingProxyType
from typing import Any, Final

import asyncpg
import msgspec

from service.catalog.kpi import Kpi
from service.catalog.question import Question
from service.catalog.statistics import default_statistics
from service.catalog.value import Value
from service.catalog.windows import Window
from service.errors import KpiFailed
from service.store.engine import Connection

TIMEOUT_S: Final = 10.0
"""How long a statement may take."""
FAILED: Final = "failed"
"""The reason of a figure that there is none of because the operator's own file failed; the note says how."""
MOST_ASKED: Final = 256
"""Statements of one of them at a time, while what fails is told apart."""
PATIENCE_S: Final = 10.0
"""For how long what fails is told apart, where a round or an answer waits for it."""
AWAY: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
)
"""No fault of a statement."""
_NUMBERS: Final[Mapping[str, tuple[str, ...]]] = {"distribution": ("n", "total", "least", "greatest")}
_PLAIN: Final = ("numerator", "denominator")
_NOBODY: Final[Mapping[int, str]] = MappingProxyType({})


def rests_on_guests(kpi: Kpi) -> bool:
    """Whether a KPI is of an operator's own file, or a formula that such a one is part of."""
    return any(True for _ in guests_of(kpi))


def guests_of(kpi: Kpi) -> Iterator[Kpi]:
    """The KPIs of an operator's own files that one rests on: itself, or those that a formula is made of."""
    if kpi.is_guest:
        yield kpi
    for each in kpi.formula.kpis.values() if kpi.formula else ():
        yield from guests_of(each)


async def fetch_guest(connection: Connection, kpi: Kpi, text: str, bound: Sequence[Any]) -> list[asyncpg.Record]:
    """The rows of an operator's own statement, each as its kind needs it. Raises KpiFailed."""
    try:
        async with connection.transaction(readonly=True):
            rows: list[asyncpg.Record] = await connection.fetch(text, *bound, timeout=TIMEOUT_S)
    except AWAY:
        raise
    except TimeoutError as error:
        raise failed(kpi, f"it takes longer than {TIMEOUT_S:g} s", is_slow=True) from error
    except asyncpg.PostgresError as error:
        is_slow = isinstance(error, asyncpg.QueryCanceledError)
        raise failed(kpi, f"Postgres says {error}", is_slow=is_slow) from error
    for row in rows:
        if (wrong := _wrong(kpi, row)) is not None:
            raise failed(kpi, wrong)
    return rows


@contextmanager
def answering(kpi: Kpi) -> Iterator[None]:
    """While rows become values: those of an operator's own statement may be of any kind. Raises KpiFailed."""
    try:
        yield
    except (ArithmeticError, LookupError, TypeError, ValueError, msgspec.DecodeError) as error:
        if not kpi.is_guest:
            raise
        raise failed(kpi, f"its rows are none of the kind {kpi.head.kind}: {error or type(error).__name__}") from error


def failed(kpi: Kpi, why: str, *, is_slow: bool = False) -> KpiFailed:
    """The error of an operator's own KPI."""
    return KpiFailed(kpi.id, Path(kpi.file).name, why, is_slow=is_slow)


async def unless_failed(
    ask: Callable[[Sequence[Window]], Awaitable[list[Value]]],
    kpi: Kpi,
    windows: Sequence[Window],
    question: Question,
    *,
    slow: Mapping[int, str] = _NOBODY,
) -> list[Value]:
    """The values of a KPI that others stand beside: where it fails, none with their reason, so that the others go on.

    Halves of the tenants are asked for then, down to those that it fails for, and after that halves of the windows of each, with
    `MOST_ASKED` statements and two a tenant at the most; none is begun after `PATIENCE_S`. What takes too long is not asked for
    again: it is so for all, but for tenants that are known to be `slow`, and why. Those are not asked for at all.
    """
    names, until_s = question.statistics or default_statistics(kpi), perf_counter() + PATIENCE_S

    def none(of: Sequence[Window], why: str) -> list[Value]:
        return [Value(each.tenant, each.key, name, None, reason=FAILED, note=why) for each in of for name in names]

    answers = [value for each in windows if each.tenant in slow for value in none([each], slow[each.tenant])]
    sound, asked = [each for each in windows if each.tenant not in slow], 0
    most = MOST_ASKED + 2 * len({each.tenant for each in sound})
    waiting = deque([(sound, "")] if sound else [])
    while waiting:
        few, why = waiting.popleft()
        if asked and (asked >= most or perf_counter() >= until_s):
            answers += none(few, why)
            continue
        asked += 1
        try:
            answers += await ask(few)
        except KpiFailed as error:
            if error.is_slow or len(few) == 1:
                answers += none(few, str(error))
            elif len({each.tenant for each in few}) > 1:
                waiting.extendleft((half, str(error)) for half in _halves(few))
            else:
                waiting.extend((half, str(error)) for half in (few[: len(few) // 2], few[len(few) // 2 :]))
    return answers


def _halves(windows: Sequence[Window]) -> tuple[list[Window], list[Window]]:
    """The windows of half of the tenants, and of the others."""
    tenants = list(dict.fromkeys(each.tenant for each in windows))
    first = frozenset(tenants[: len(tenants) // 2])
    return [each for each in windows if each.tenant in first], [each for each in windows if each.tenant not in first]


def _wrong(kpi: Kpi, row: asyncpg.Record) -> str | None:
    """What keeps a row from being one of this KPI; None for a sound one."""
    if row["win"] is None or row["dims"] is None:
        return f"a row has no {'win' if row['win'] is None else 'dims'}: take both from the relations that it reads"
    if kpi.head.kind in {"count", "ratio", "mean"} and row["statistic"] not in kpi.statistics:
        known = ", ".join(repr(name) for name in kpi.statistics)
        return f"a row is of the statistic {row['statistic']!r}, which the head does not name: it has {known}"
    if kpi.head.kind == "durations":
        return None
    for name in _NUMBERS.get(kpi.head.kind, _PLAIN):
        number = row[name]
        if number is not None and not (isinstance(number, int | float | Decimal) and isfinite(number)):
            return f"a row's {name} is {number!r}: it must be a finite number, or null"
    return None
