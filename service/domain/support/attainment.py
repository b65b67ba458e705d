"""What share of its tickets a tier is promised to have within their limits (kpis.md, *Support*)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

PROMISED: Final[Mapping[str, float]] = MappingProxyType({"enterprise": 0.995, "mid_market": 0.98, "starter": 0.95})
"""By tier."""
