"""Numbers as people read them: shares in per cent, durations in the unit that fits, money in major units."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.trend import Change

NO_VALUE = "–"
_TIMES = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"))
_ZERO_DECIMALS = frozenset({"JPY", "KRW", "CLP", "VND", "ISK", "XOF", "XAF"})
_THREE_DECIMALS = frozenset({"BHD", "KWD", "OMR", "JOD", "TND"})
_CURRENCY_CHARACTERS = 3
_POINTS = "points"
"""Of scores: they change by points, not by a part of themselves."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How the axis of a picture shows values of a unit: divided by `size`, at most so many decimals, then the unit."""

    size: float
    decimals: int
    unit: str
    one: str
    """The unit of exactly 1."""
    is_counted: bool
    """Things are counted: between two whole numbers there is nothing."""


def scale_of(unit: str, most: float) -> Scale:
    """The scale of an axis whose values reach as far as `most`, in the words of `readable`."""
    if unit == "ratio":
        return Scale(0.01, 6, "%", "%", is_counted=False)
    if unit == "s":
        size, name = _time_of(most)
        return Scale(size, 3, name, name, is_counted=False)
    if _is_currency(unit):
        decimals = _decimals_of(unit)
        return Scale(10.0**decimals, decimals, unit, unit, is_counted=False)
    return Scale(1.0, 6, unit, unit if unit == "ms" else _of_one(unit), is_counted=unit not in {"", "ms", "score", _POINTS})


def readable(value: float | None, unit: str) -> str:
    """A value with its unit: `0.9532`, ratio → `95.3 %`; `2400`, s → `40 min`; `123450`, USD → `1,234.50 USD`."""
    if value is None:
        return NO_VALUE
    if unit == "ratio":
        return f"{_share(value * 100)} %"
    if unit == "s":
        return _duration(value)
    if unit == "ms":
        return f"{_trimmed(value, 0 if abs(value) >= 10 else 2)} ms"  # noqa: PLR2004
    if _is_currency(unit):
        return _money(value, unit)
    return f"{_trimmed(value, 2)} {_of_one(unit) if value == 1 else unit}".strip()


def target_text(op: str | None, target: float | Sequence[float] | None, unit: str) -> str:
    """`≥ 95 %`, `8 – 10`; "" where there is no target."""
    if target is None:
        return ""
    if isinstance(target, (int, float)):
        return f"{ ({'>=': '≥', '<=': '≤'}.get(op or '', op or '')) } {readable(target, unit)}".strip()
    low, high = (readable(bound, unit) for bound in target)
    number, _, of = low.rpartition(" ")
    return f"{number if of and high.endswith(f' {of}') else low} – {high}"


def change_text(value: float | None, before: float | None, unit: str) -> str:
    """The change from the window before: points of a ratio or a score, else relative; from 0 the difference alone."""
    if value is None or before is None:
        return ""
    if unit == "ratio":
        return f"{_signed((value - before) * 100)} pp"
    if unit == _POINTS:
        return f"{_signed(value - before)} points"
    if before == 0:
        return "±0" if value == 0 else f"{'+' if value > 0 else '−'}{readable(abs(value), unit)}"
    return f"{_signed((value - before) / abs(before) * 100)} %"


def _signed(change: float) -> str:
    """To a tenth, with its sign; nothing has none but a plus."""
    return f"{round(change, 1) + 0.0:+.1f}"


def trend_text(moved: Change) -> str:
    """`better`, `worse`, `up`, `down`, `stable`, and of a change of few that it is; "" where nothing can be said."""
    word = moved.verdict or moved.trend or ""
    if not moved.few or not moved.absolute:
        return word
    return "too few to tell" if word == "stable" else f"{word}, of few"


def _duration(value: float) -> str:
    size, name = _time_of(value)
    return f"{_trimmed(value / size, 1)} {name}" if value else "0 s"


def _time_of(value: float) -> tuple[float, str]:
    return next(((size, name) for size, name in _TIMES if abs(value) >= size), (0.001, "ms"))


def _is_currency(unit: str) -> bool:
    return len(unit) == _CURRENCY_CHARACTERS and unit.isupper()


def _decimals_of(currency: str) -> int:
    return 0 if currency in _ZERO_DECIMALS else 3 if currency in _THREE_DECIMALS else 2


def _money(value: float, currency: str) -> str:
    decimals = _decimals_of(currency)
    return f"{value / 10**decimals:,.{decimals}f} {currency}"


def _of_one(unit: str) -> str:
    if unit.endswith("sses"):
        return unit.removesuffix("es")
    return unit.removesuffix("s") if len(unit) > _CURRENCY_CHARACTERS else unit


def _share(percent: float) -> str:
    """One decimal; more where it says something: 99.55 is not 99.6, and 0.015 is not 0."""
    if 0 < abs(percent) < 1 or 0 < abs(100 - percent) < 1:
        rest = min(abs(percent), abs(100 - percent))
        return _trimmed(percent, min(6, 1 - math.floor(math.log10(rest))))
    return _trimmed(percent, 1)


def _trimmed(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
