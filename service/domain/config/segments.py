"""The tables `[programme]` and `[bands.NAME]`: a tenant's named weeks, and numbers as segments of its accounts."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from service.domain.config.base import Day, Name, Several, Table, check_name
from service.domain.config.terms import MAX_AMOUNT, Number, Whole, check_rising

MAX_WEEKS: Final = 520
MAX_EDGES: Final = 20
MAX_BANDS: Final = 20
_METER: Final = "meter:"
_NUMBERS: Final = ("mrr", "size", "tenure_months")


class Programme(Table):
    """`[programme]`: weeks that are counted, "week 3 of 8"."""

    start: Day
    """The local day on which its first week begins."""
    weeks: Annotated[Whole, Field(ge=1, le=MAX_WEEKS)]


Edge = Annotated[Number, Field(ge=-MAX_AMOUNT, le=MAX_AMOUNT)]


class Band(Table):
    """`[bands.NUMBER]`: a number of accounts cut into named ranges; an edge belongs to the range above it."""

    edges: tuple[Edge, ...] = Field(min_length=1, max_length=MAX_EDGES)
    """From the lowest to the highest; of `mrr` in minor units."""
    names: tuple[Name, ...] = Field(min_length=2, max_length=MAX_EDGES + 1)
    """One more than edges, from the lowest range to the highest."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_rising(self.edges)
        if len(self.names) != len(self.edges) + 1:
            raise ValueError(f"{len(self.edges)} edges make {len(self.edges) + 1} ranges, and {len(self.names)} have names")
        if len(set(self.names)) < len(self.names):
            raise ValueError("two ranges have the same name: give each its own")
        return self


DEFAULT_BANDS: Final[Mapping[str, Band]] = MappingProxyType(
    {
        "mrr": Band(edges=(100_000, 1_000_000), names=("low", "medium", "high")),
        "size": Band(edges=(50, 250), names=("small", "medium", "large")),
        "tenure_months": Band(edges=(3, 6, 12), names=("0-3", "3-6", "6-12", "12+")),
    }
)
"""Of MRR and tenure those of the catalog; of size the classes of the European Commission's recommendation 2003/361."""


def _beside_defaults(declared: Any) -> Any:  # the file's own value, of any type
    return {**DEFAULT_BANDS, **declared} if isinstance(declared, dict) else declared


def _check_numbers(bands: dict[str, Band]) -> dict[str, Band]:
    wrong = [name for name in bands if name not in _NUMBERS and not name.startswith(_METER)]
    if wrong:
        known = f"{', '.join(_NUMBERS)} or {_METER}NAME"
        raise Several([((name,), f"{name} is no number of an account: write {known}") for name in wrong])
    for name in bands:
        if name.startswith(_METER):
            check_name(name.removeprefix(_METER))
    return bands


Bands = Annotated[
    dict[Name, Band], BeforeValidator(_beside_defaults), Field(max_length=MAX_BANDS), AfterValidator(_check_numbers)
]
