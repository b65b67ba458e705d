"""Amounts as people write them ("10m", "95%", 500), in the unit of the KPI that they speak of."""

import math
import re
from decimal import Decimal
from typing import Final

from service.errors import InvalidText

NANOSECONDS: Final = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60 * 1_000_000_000,
    "min": 60 * 1_000_000_000,
    "h": 3_600 * 1_000_000_000,
    "d": 86_400 * 1_000_000_000,
    "w": 7 * 86_400 * 1_000_000_000,
}
"""Units of time, and how many nanoseconds each of them has; a day here is 24 hours."""

_AMOUNT = re.compile(r"([+-]?[0-9][0-9_]*(?:\.[0-9]+)?)\s*([a-zA-Z%]*)")


def amount(written: str | float, unit: str) -> float:
    """The number, in `unit`, that was written: a number as it is, a text converted from its own unit.

    Units of time convert into each other and `%` into `ratio`; any other unit takes plain numbers
    alone. Raises InvalidText.
    """
    if not isinstance(written, str):
        return _finite(written)
    number, suffix = _split(written)
    if not suffix:
        return _finite(float(number))
    if suffix == "%":
        if unit != "ratio":
            raise InvalidText(f'"{written}" is a share, and this is measured in {unit}: write a number')
        return _finite(float(number / 100))
    if suffix not in NANOSECONDS:
        known = ", ".join([*NANOSECONDS, "%"])
        raise InvalidText(f'"{written}" ends in a unit that is not known; units are {known}')
    if unit not in NANOSECONDS:
        raise InvalidText(f'"{written}" is a time, and this is measured in {unit}: write a number{_or_share(unit)}')
    return _finite(float(number * NANOSECONDS[suffix] / NANOSECONDS[unit]))


def readable(written: str) -> None:
    """Check the form of an amount whose unit is not known; raises InvalidText."""
    _, suffix = _split(written)
    if suffix and suffix != "%" and suffix not in NANOSECONDS:
        amount(written, "")


def _split(written: str) -> tuple[Decimal, str]:
    match = _AMOUNT.fullmatch(written.strip())
    if match is None:
        raise InvalidText(f'"{written}" is no amount: write a number, or one with its unit, as "10m", "500ms" or "95%"')
    return Decimal(match[1].replace("_", "")), match[2]


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise InvalidText(f"{number} is no amount: write a finite number")
    return float(number)


def _or_share(unit: str) -> str:
    return ' or a share such as "95%"' if unit == "ratio" else ""
