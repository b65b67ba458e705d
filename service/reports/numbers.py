"""Numbers as people read them: shares in per cent, durations in the unit that fits, money in major units."""

import math
from collections.abc import Sequence

NO_VALUE = "–"
_TIMES = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"))
_ZERO_DECIMALS = frozenset({"JPY", "KRW", "CLP", "VND", "ISK", "XOF", "XAF"})
_THREE_DECIMALS = frozenset({"BHD", "KWD", "OMR", "JOD", "TND"})
_CURRENCY_CHARACTERS = 3


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
    if len(unit) == _CURRENCY_CHARACTERS and unit.isupper():
        return _money(value, unit)
    counted = unit.removesuffix("s") if value == 1 and len(unit) > _CURRENCY_CHARACTERS else unit
    return f"{_trimmed(value, 2)} {counted}".strip()


def target_text(op: str | None, target: float | Sequence[float] | None, unit: str) -> str:
    """`≥ 95 %`, `8 – 10`; "" where there is no target."""
    if target is None:
        return ""
    if isinstance(target, (int, float)):
        return f"{ ({'>=': '≥', '<=': '≤'}.get(op or '', op or '')) } {readable(target, unit)}".strip()
    low, high = target
    return f"{readable(low, '')} – {readable(high, unit)}"


def change_text(value: float | None, before: float | None, unit: str) -> str:
    """The change from the window before: percentage points of a ratio, else relative; from 0 the difference alone."""
    if value is None or before is None:
        return ""
    if unit == "ratio":
        return f"{(value - before) * 100:+.1f} pp"
    if before == 0:
        return "±0" if value == 0 else f"{'+' if value > 0 else '−'}{readable(abs(value), unit)}"
    return f"{(value - before) / abs(before) * 100:+.1f} %"


def _duration(value: float) -> str:
    size, name = next(((size, name) for size, name in _TIMES if abs(value) >= size), (0.001, "ms"))
    return f"{_trimmed(value / size, 1)} {name}" if value else "0 s"


def _money(value: float, currency: str) -> str:
    decimals = 0 if currency in _ZERO_DECIMALS else 3 if currency in _THREE_DECIMALS else 2
    return f"{value / 10**decimals:,.{decimals}f} {currency}"


def _share(percent: float) -> str:
    """One decimal; more where it says something: 99.55 is not 99.6, and 0.015 is not 0."""
    if 0 < abs(percent) < 1 or 0 < abs(100 - percent) < 1:
        rest = min(abs(percent), abs(100 - percent))
        return _trimmed(percent, min(6, 1 - math.floor(math.log10(rest))))
    return _trimmed(percent, 1)


def _trimmed(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
