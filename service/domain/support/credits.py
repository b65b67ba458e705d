"""Credits for missed limits: by tier and month, capped at the fee, rounded half-even (kpis.md, *Support*)."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final


@dataclass(frozen=True, slots=True)
class Terms:
    """What a tier was promised, in hundredths of the month's fee."""

    response: int
    """For a response that was late."""
    resolution: int
    """For a resolution that was late."""
    together: int | None
    """In place of the sum, for two or more misses in a month; None: the sum stands."""
    review_from: int | None
    """From so many misses in a quarter on the contract is reviewed."""


TERMS: Final[Mapping[str, Terms]] = {
    "enterprise": Terms(5, 10, together=15, review_from=3),
    "mid_market": Terms(3, 5, together=10, review_from=3),
    "starter": Terms(1, 2, together=None, review_from=None),
}
WHOLE: Final = 100
"""The cap: all of the month's fee."""
SEVERAL: Final = 2


def percent(terms: Terms, *, responses: int, resolutions: int) -> int:
    """The credit of one account's misses in a month, in hundredths of its fee."""
    misses = responses + resolutions
    if terms.together is not None and misses >= SEVERAL:
        return terms.together
    return min(WHOLE, responses * terms.response + resolutions * terms.resolution)


def credit(percent_of_fee: int, fee: int) -> int:
    """The money of it, in minor units, half-even."""
    return round(Fraction(fee * percent_of_fee, WHOLE))
