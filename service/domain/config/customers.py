"""The tables `[items]` and `[recovery]`: colours of tracked items, and the buckets that accounts fall into."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from service.domain.config.base import Several, Share, Table, or_similar
from service.domain.config.terms import Amount, check_rising

MAX_BUCKETS: Final = 20
Colour = Literal["red", "orange", "yellow", "green"]
DEFAULT_COLOURS: Final[Mapping[str, Colour]] = MappingProxyType(
    {
        "high_high": "red",
        "high_medium": "red",
        "high_low": "yellow",
        "medium_high": "red",
        "medium_medium": "yellow",
        "medium_low": "green",
        "low_high": "yellow",
        "low_medium": "green",
        "low_low": "green",
    }
)
"""By probability and impact."""


def _beside_defaults(declared: Any) -> Any:  # the file's own value, of any type
    return {**DEFAULT_COLOURS, **declared} if isinstance(declared, dict) else declared


def _check_pairs(colours: dict[str, Colour]) -> dict[str, Colour]:
    wrong = [name for name in colours if name not in DEFAULT_COLOURS]
    if wrong:
        form = "write PROBABILITY_IMPACT, each low, medium or high"
        raise Several([((name,), f"there is no {name}{or_similar(name, DEFAULT_COLOURS)}; {form}") for name in wrong])
    return colours


def _rising(edges: tuple[float, ...]) -> tuple[float, ...]:
    check_rising(edges)
    return edges


Edges = Field(min_length=1, max_length=MAX_BUCKETS)


class Items(Table):
    """`[items]`: the colour of a tracked item, `PROBABILITY_IMPACT`; pairs that are not declared have their defaults."""

    colours: Annotated[dict[str, Colour], BeforeValidator(_beside_defaults), AfterValidator(_check_pairs)] = Field(
        default_factory=lambda: dict(DEFAULT_COLOURS)
    )


class Recovery(Table):
    """`[recovery]`: edges of buckets, from the lowest to the highest; an edge belongs to the bucket above it."""

    rate_buckets: Annotated[tuple[Share, ...], Edges, AfterValidator(_rising)] = (0.15, 0.25, 0.35)
    """Of the share of cases that were recovered."""
    revenue_buckets: Annotated[tuple[Annotated[Amount, Field(ge=0)], ...], Edges, AfterValidator(_rising)] = (50_000, 200_000)
    """Of the revenue that was recovered in a month, in minor units."""
