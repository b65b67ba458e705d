"""The tables `[freshness.SOURCE]` and `[completeness]`: what is expected of events themselves."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Final

import msgspec
from pydantic import AfterValidator, BeforeValidator, Field

from service.domain.config.base import Several, Table, or_similar
from service.domain.config.terms import Number
from service.domain.families.registry import FAMILIES

MAX_SOURCES: Final = 1_000
MAX_SOURCE_CHARACTERS: Final = 512
MAX_FIELDS: Final = 20
OTHERS: Final = "*"
"""In place of a source: every one that has no limit of its own."""
DEFAULT_COMPLETENESS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({"usage": ("account",)})
"""Nearly every figure can be had per account, where the events of it name one."""


class Freshness(Table):
    """`[freshness.SOURCE]`: how old the newest event of a source may be."""

    limit_s: Annotated[Number, Field(gt=0, le=34_560_000)]
    """At most 400 days."""


def _source(text: str) -> str:
    if not 1 <= len(text) <= MAX_SOURCE_CHARACTERS or "\0" in text:
        raise ValueError(f"a source has 1 to {MAX_SOURCE_CHARACTERS} characters, as events have it in `source`")
    return text


Sources = Annotated[dict[Annotated[str, AfterValidator(_source)], Freshness], Field(max_length=MAX_SOURCES)]


@cache
def optional_fields(family: str) -> tuple[str, ...]:
    """What events of a family may leave out of their data and their envelope, by the family's name."""
    (event,) = (each.event for each in FAMILIES if each.name == family)
    envelope = {field.name: field for field in msgspec.structs.fields(event)}
    of_envelope = [name for name in ("account", "subject", "time") if not envelope[name].required]
    return (*of_envelope, *(field.name for field in msgspec.structs.fields(envelope["data"].type) if not field.required))


def _beside_defaults(declared: Any) -> Any:  # the file's own value, of any type
    return {**DEFAULT_COMPLETENESS, **declared} if isinstance(declared, dict) else declared


def _check_fields(declared: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    wrong: list[tuple[tuple[str | int, ...], str]] = []
    known = [each.name for each in FAMILIES]
    for family, fields in declared.items():
        if family not in known:
            wrong.append(((family,), f"there is no family {family}{or_similar(family, known)}; there are {', '.join(known)}"))
            continue
        optional = optional_fields(family)
        wrong += [
            (
                (family, index),
                f"{each} is no optional field of {family}{or_similar(each, optional)}; it has {', '.join(optional)}",
            )
            for index, each in enumerate(fields)
            if each not in optional
        ]
    if wrong:
        raise Several(wrong)
    return declared


Completeness = Annotated[
    dict[str, Annotated[tuple[str, ...], Field(max_length=MAX_FIELDS)]],
    BeforeValidator(_beside_defaults),
    AfterValidator(_check_fields),
]
"""By family of events: optional fields that should be there."""
