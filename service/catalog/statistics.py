"""Figures from exact integers: ratios, means, percentiles of histograms and of durations, rates."""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from service.catalog.kpi import MAIN, PERCENTILES, Kpi, Per
from service.catalog.value import Exact, Figure, Row, counted, decimal, exact, histograms, quotient
from service.catalog.windows import Window
from service.clock import MINUTE, to_datetime
from service.domain import histogram

DAYS_A_MONTH = Fraction("30.4375")
_DAY = timedelta(days=1)
_NANOS = {"ms": 10**6, "s": 10**9}
_NANO_UNITS = 10**9
REMEMBERED_SPANS: Final = 1_024
SHARES = {name: Fraction(str(share)).as_integer_ratio() for name, share in PERCENTILES.items()}
"""Numerator and denominator of the share that lies below a percentile."""


def scale(unit: str) -> int:
    """How many of the stored integers (nanoseconds, or 10⁻⁹ of a meter's unit) make one of the unit."""
    return _NANOS.get(unit, _NANO_UNITS)


def plain(kind: str, numerator: Exact | None, denominator: Exact | None) -> Figure:
    """The figure of a count, or of a numerator over its denominator.

    A count is 0 when nothing was counted; over a denominator of 0 it could not be counted, and has no value.
    """
    over, under = exact(numerator), exact(denominator)
    if kind == "count" and (over is not None or under != 0):
        return Figure(counted(over or 0), over or 0, under)
    if not under or over is None:
        return Figure(None, over, under)
    return Figure(quotient(over, under), over, under)


def of_histogram(
    kpi: Kpi, row: Row, wanted: Collection[str], limit: Fraction | None, *, spread: bool = False
) -> Iterator[tuple[str, Figure]]:
    """Figures of one row with `n total least greatest histogram` (one or several), and of the head's own columns."""
    size = scale(kpi.head.unit)
    n, total, least, greatest = (_integer(row[name]) for name in ("n", "total", "least", "greatest"))
    bins, counts = histogram.unpack(*histograms(row))
    for name in wanted:
        if name == "count":
            yield name, Figure(n, n)
        elif name in kpi.head.statistics:
            yield name, _column(row.get(name), size)
        elif not n:
            yield name, Figure(None)
        elif name == "mean":
            variance = histogram.variance(bins, counts, total / n) if spread else None
            yield name, Figure(total / (n * size), _scaled(total, size), n, variance and variance / size**2)
        elif name in {"min", "max"}:
            yield name, Figure((least if name == "min" else greatest) / size, None, n)
        elif name == "share_within":
            if limit is not None:
                share = histogram.share_within(bins, counts, int(limit * size // 1), least, greatest)
                yield name, Figure(None if share is None else float(share), None if share is None else int(share * n), n)
        else:
            found = histogram.percentile(bins, counts, PERCENTILES[name], least, greatest)
            yield name, Figure(None if found is None else found / size, None, n)


def of_durations(
    kpi: Kpi, durations: Sequence[int], wanted: Collection[str], limit: Fraction | None, *, spread: bool = False
) -> Iterator[tuple[str, Figure]]:
    """Figures of durations kept one by one, in nanoseconds; percentiles interpolate as percentile_cont does."""
    size, ordered = scale(kpi.head.unit), sorted(durations)
    n = len(ordered)
    for name in wanted:
        if n and name in SHARES:
            yield name, Figure(interpolated(ordered, SHARES[name], size), None, n)
        elif name == "count":
            yield name, Figure(n, n)
        elif name == "share_within":
            if limit is not None:
                within = sum(1 for duration in ordered if duration <= limit * size)
                yield name, plain("ratio", within, n)
        elif (below := kpi.statistics[name].below) is not None:
            yield name, plain("ratio", bisect_left(ordered, Fraction(str(below)) * size), n)
        elif not n:
            yield name, Figure(None)
        elif name == "mean":
            variance, total = _variance(ordered) if spread else None, sum(ordered)
            yield name, Figure(total / (n * size), _scaled(total, size), n, variance and variance / size**2)
        else:
            yield name, Figure(ordered[0 if name == "min" else -1] / size, None, n)


def _variance(durations: Sequence[int]) -> float | None:
    """The sample variance; None of fewer than two."""
    n, total = len(durations), sum(durations)
    if n <= 1:
        return None
    return float(Fraction(n * sum(each * each for each in durations) - total * total, n * (n - 1)))


def interpolated(ordered: Sequence[int], share: tuple[int, int], size: int = 1) -> float:
    """The continuous percentile of ascending numbers, as PostgreSQL's percentile_cont defines it, in units of `size` of them.

    Exact up to the division: fractions take ten times as long, and rows by account are many.
    """
    over, under = share
    below, rest = divmod(over * (len(ordered) - 1), under)
    low = ordered[below]
    if not rest:
        return low / size
    return (low * under + rest * (ordered[below + 1] - low)) / (under * size)


def rate(figure: Figure, span: Fraction) -> Figure:
    """A figure divided by the minutes, local days, weeks or months that have `elapsed`."""
    over, under = figure.numerator, 1 if figure.denominator is None else figure.denominator
    divisor = rated(span, under)
    if over is None or divisor is None:
        return Figure(None, over, None)
    if isinstance(over, int) and isinstance(under, int):
        return Figure(over * span.denominator / (span.numerator * under), over, divisor)
    return Figure(float(Fraction(over) / (span * Fraction(under))), over, divisor)


def rated(span: Fraction, under: Exact | None) -> Exact | None:
    """What a rate divides by, where its figure divides by `under` (None: by nothing); None where it cannot be divided."""
    if span <= 0 or under == 0:
        return None
    if under is None or isinstance(under, int):
        return _divided(span.numerator * (1 if under is None else under), span.denominator)
    return decimal(span * Fraction(under))


@lru_cache(maxsize=REMEMBERED_SPANS)
def _divided(over: int, under: int) -> Exact:
    """As an exact number: the same for most rows of an answer."""
    return decimal(Fraction(over, under))


def elapsed(window: Window, per: Per) -> Fraction:
    """How much of a window has passed: minutes of time, or days of its local calendar (a 25-hour day is one).

    A month is 30.4375 days (kpis.md, *Windows*), but for the window `month`, which is one.
    """
    if per == "minute":
        return Fraction(window.until_us - window.start_us, MINUTE)
    days = _local_days(window, window.until_us)
    if per == "month":
        whole = _local_days(window, window.whole_end_us or window.end_us)
        return days / whole if window.name == "month" else days / DAYS_A_MONTH
    return days / (7 if per == "week" else 1)


def empty(kpi: Kpi, statistic: str) -> Figure:
    """The figure of a window in which nothing happened."""
    declared = kpi.statistics[statistic]
    if declared.kind == "count":
        return Figure(0, 0, None)
    of = kpi.statistics.get(declared.of)
    if declared.per and of is not None and of.kind == "count":
        return Figure(0, 0, None)
    return Figure(None)


def derived(kpi: Kpi) -> dict[str, tuple[str, Per]]:
    """Statistics that are rates of another one: name → (of, per)."""
    return {name: (s.of, s.per) for name, s in kpi.head.statistics.items() if s.per}


def default_statistics(kpi: Kpi) -> tuple[str, ...]:
    """What is computed when nothing is named: all, the plain value first."""
    return tuple(sorted(kpi.statistics, key=lambda name: name != MAIN))


def _local_days(window: Window, until_us: int) -> Fraction:
    zone = ZoneInfo(window.zone)
    start, end = (to_datetime(at).astimezone(zone).replace(tzinfo=UTC) for at in (window.start_us, until_us))
    return Fraction((end - start) // timedelta(microseconds=1), _DAY // timedelta(microseconds=1))


def _column(number: object, size: int) -> Figure:
    if not isinstance(number, (int, Decimal)):
        return Figure(None)
    return Figure(quotient(exact(number) or 0, size), _scaled(number, size))


def _scaled(number: Exact, size: int) -> Exact:
    if isinstance(number, int):
        whole, rest = divmod(number, size)
        return Decimal(number) / Decimal(size) if rest else whole
    return decimal(Fraction(number) / size)


def _integer(number: object) -> int:
    return int(number) if isinstance(number, (int, Decimal)) else 0
