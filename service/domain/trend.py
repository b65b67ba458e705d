"""How a figure changed: by how much, up, down or stable, better or worse, and by which test (kpis.md, *Rules*, Trend)."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from service.domain.significance import Chance, Sample, poisson_rates, two_proportions, welch

SMALL_CHANGE: Final = 0.02
"""A relative change below it is none."""
SIGNIFICANCE: Final = 0.05

Test = Literal["two_proportions", "poisson", "welch", "none"]
Trend = Literal["up", "down", "stable"]


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure, and what a test needs of it."""

    value: float | None
    numerator: int | Decimal | None = None
    denominator: int | Decimal | None = None
    variance: float | None = None
    """Of the values that a mean is of, in the square of its unit."""
    exposure_us: int = 0
    """How long things could happen that are counted."""


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a figure; without a value on one side nothing but that."""

    before: float | None
    absolute: float | None = None
    """now - before, in the figure's unit."""
    points: float | None = None
    """Of a ratio: the change in percentage points."""
    relative: float | None = None
    """(now - before) / abs(before), 0.1 for 10 %; None from 0."""
    trend: Trend | None = None
    verdict: Literal["better", "worse"] | None = None
    """None where it is stable, or neither direction is better."""
    test: Test = "none"
    """Which test told it from noise; `none` where there is none for such figures, or what it needs is missing."""
    p: float | None = None
    few: bool = False
    """The counts are small: the test is exact, and says little."""


def change(
    now: Measured,
    before: Measured,
    *,
    test: Test,
    is_ratio: bool = False,
    better: Literal["higher", "lower", "neither"] = "neither",
) -> Change:
    """Compare two figures of the same kind."""
    if now.value is None or before.value is None:
        return Change(before.value)
    absolute = now.value - before.value
    relative = absolute / abs(before.value) if before.value else None
    chance = _chance(test, now, before)
    trend = _trend(absolute, relative, chance)
    return Change(
        before=before.value,
        absolute=absolute,
        points=absolute * 100 if is_ratio else None,
        relative=relative,
        trend=trend,
        verdict=_verdict(trend, better),
        test=test if chance is not None else "none",
        p=chance.p if chance is not None else None,
        few=chance is not None and chance.few,
    )


def _trend(absolute: float, relative: float | None, chance: Chance | None) -> Trend:
    is_small = not absolute or (relative is not None and abs(relative) < SMALL_CHANGE)
    if is_small or (chance is not None and chance.p > SIGNIFICANCE):
        return "stable"
    return "up" if absolute > 0 else "down"


def _verdict(trend: Trend, better: str) -> Literal["better", "worse"] | None:
    if trend == "stable" or better == "neither":
        return None
    return "better" if (trend == "up") == (better == "higher") else "worse"


def _chance(test: Test, now: Measured, before: Measured) -> Chance | None:
    """How likely the difference is by chance; None where what the test needs is not there."""
    match test:
        case "two_proportions":
            shares = [_share(each) for each in (now, before)]
            return None if shares[0] is None or shares[1] is None else two_proportions(*shares[0], *shares[1])
        case "poisson":
            counts = [_count(each) for each in (now, before)]
            if counts[0] is None or counts[1] is None:
                return None
            return poisson_rates(counts[0], now.exposure_us, counts[1], before.exposure_us)
        case "welch":
            samples = [_sample(each) for each in (now, before)]
            return None if samples[0] is None or samples[1] is None else welch(samples[0], samples[1])
        case "none":
            return None


def _share(of: Measured) -> tuple[int, int] | None:
    if not isinstance(of.numerator, int) or not isinstance(of.denominator, int) or not 0 <= of.numerator <= of.denominator:
        return None
    return of.numerator, of.denominator


def _count(of: Measured) -> int | None:
    return of.numerator if isinstance(of.numerator, int) and of.numerator >= 0 else None


def _sample(of: Measured) -> Sample | None:
    if of.value is None or of.denominator is None:
        return None
    n = int(of.denominator)
    variance = 0.0 if n <= 1 else of.variance  # one value has none, and says next to nothing: the test knows
    return None if variance is None else Sample(n, of.value, variance)
