"""Words that several tables share: severities, tiers, values of a dimension, stretches of time, rising edges."""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, Strict

from service.domain import units
from service.domain.config.base import MAX_VALUES, Several

MAX_DAYS: Final = 400
MAX_AMOUNT: Final = 10**15
_SECONDS_A_DAY: Final = 86_400
_STRETCH = re.compile(r"([1-9][0-9]{0,8})(s|m|min|h|d|w)")
_SUPPORT_STRETCH = re.compile(r"([1-9][0-9]{0,5})(m|h|d|bh|bd)")
_MOST_OF: Final = {"m": MAX_DAYS * 1_440, "h": MAX_DAYS * 24, "d": MAX_DAYS, "bh": MAX_DAYS * 9, "bd": MAX_DAYS}

Severity = Literal["P0", "P1", "P2", "P3"]
"""Of an incident; the priority of a ticket is written the same."""
Tier = Literal["enterprise", "mid_market", "starter"]
Better = Literal["higher", "lower", "neither"]
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Amount = Annotated[int, Strict(), Field(ge=-MAX_AMOUNT, le=MAX_AMOUNT)]
"""A whole number of anything that is counted, money in minor units."""


def _several(values: object) -> object:
    return (values,) if isinstance(values, str) else values


Values = Annotated[tuple[str, ...], BeforeValidator(_several), Field(min_length=1, max_length=MAX_VALUES)]
"""Values of a dimension or a trait; one alone needs no list."""


def _stretch(text: str) -> str:
    if _STRETCH.fullmatch(text) is None:
        raise ValueError(f'"{text}" is no stretch of time: write a whole number and s, m, h, d or w, as "30m", "4h" or "7d"')
    if units.amount(text, "s") > MAX_DAYS * _SECONDS_A_DAY:
        raise ValueError(f'"{text}" is longer than {MAX_DAYS} days, the limit: write a shorter stretch of time')
    return text


Stretch = Annotated[str, AfterValidator(_stretch)]
"""A stretch of time by the clock, longer than nothing: `30m`, `4h`, `7d`. Kept as it is written."""


def seconds(stretch: str) -> int:
    """The seconds of a Stretch."""
    return round(units.amount(stretch, "s"))


def _support_stretch(text: str) -> str:
    match = _SUPPORT_STRETCH.fullmatch(text)
    if match is None:
        written = 'write a whole number and m, h, d, bh (hours of support) or bd (business days), as "30m", "4h", "2bh" or "5bd"'
        raise ValueError(f'"{text}" is no limit of support: {written}')
    if int(match[1]) > _MOST_OF[match[2]]:
        raise ValueError(f'"{text}" is longer than {MAX_DAYS} days, the limit: write a shorter one')
    return text


SupportStretch = Annotated[str, AfterValidator(_support_stretch)]
"""A limit of support: by the clock (`30m`, `4h`, `2d`), in hours of support (`2bh`), in business days (`5bd`)."""


def check_rising(edges: Sequence[float]) -> None:
    """Check that each edge lies above the one before; raises ValueError."""
    for lower, upper in pairwise(edges):
        if lower >= upper:
            raise ValueError(f"{upper:g} stands behind {lower:g}: write edges from the lowest to the highest")


def check_once(names: Iterable[str], key: str, what: str) -> None:
    """Check that no two tables of a list have the same name under a key; raises Several."""
    seen: set[str] = set()
    again: list[tuple[tuple[str | int, ...], str]] = []
    for index, name in enumerate(names):
        if name in seen:
            again.append(((index, key), f"{name} is {what} already: give each its own {key}"))
        seen.add(name)
    if again:
        raise Several(again)
