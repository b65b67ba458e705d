"""Units of the catalog as Grafana names them."""

from collections.abc import Mapping

COUNT = "locale"
"""Whole numbers with separators, never shortened: what is counted is shown to the last unit."""
SHARE = "percentunit"
SECONDS = "s"
DAYS = "suffix: days"
"""Where the name says days: Grafana's own unit of them would turn 30 into 4.29 weeks."""
NAMED = "string"
"""Of tables whose columns have units of their own, and of names."""

_UNITS: Mapping[str, str] = {
    "ms": "ms",
    "s": SECONDS,
    "days": "d",
    "months": "suffix: months",
    "ratio": SHARE,
    "bytes": "bytes",
    "points": "suffix: points",
    "score": "none",
    "times": "suffix: ×",
    "uses/user/week": "suffix: uses a user and week",
}


def unit_of(unit: str) -> str:
    """Grafana's id of a unit of the catalog; money stays in minor units, and whatever is counted keeps its number."""
    return _UNITS.get(unit, COUNT)
