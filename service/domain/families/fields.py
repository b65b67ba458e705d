"""Types of the contract's fields: what a text, a name, a duration may be, for the decoder and for the published schema."""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Raw

from service.domain.names import MAX_NAME, MAX_SOURCE
from service.domain.numbers import MAX_COUNT, MAX_DURATION_MS, MAX_QUANTITY, MAX_VALUE

MAX_ID = 256
MAX_ACCOUNT = 128
MAX_TEXT = 256
MAX_PROPERTIES = 10
MAX_TRAITS = 20
MAX_ATTRIBUTES = 8
MAX_ACCOUNTS = 100
MAX_SIGNALS = 40
MAX_THEMES = 10
MAX_SCORE = 10
KIND: Final = "kind"
"""Key of `Meta.extra`: which check beyond length a text has (`name`, `source`)."""

_NAME_SCHEMA: dict[str, Any] = {
    "pattern": '^[^~,{}="\\u0000-\\u001f\\u007f][^,{}="\\u0000-\\u001f\\u007f]*$',
    "description": 'A name: printable, NFC, without , { } = " and not starting with ~',
}
_INSTANT_SCHEMA: dict[str, Any] = {"format": "date-time", "examples": ["2025-11-17T09:30:00.250Z"]}
_DATE_SCHEMA: dict[str, Any] = {"format": "date", "examples": ["2026-03-31"]}
_DURATION_SCHEMA: dict[str, Any] = {"description": "Milliseconds; kept to the nanosecond"}

Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME, extra={KIND: "name"}, extra_json_schema=_NAME_SCHEMA)]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
"""Free text of a line: titles, routes, reasons of exclusion."""
Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]
Account = Annotated[str, Meta(min_length=1, max_length=MAX_ACCOUNT)]
Source = Annotated[
    str,
    Meta(min_length=1, max_length=MAX_SOURCE, extra={KIND: "source"}, extra_json_schema={"format": "uri-reference"}),
]
Instant = Annotated[str, Meta(extra_json_schema=_INSTANT_SCHEMA)]
"""Left a text: it is read where the row is made (domain/timestamps.py)."""
Currency = Annotated[
    str, Meta(min_length=3, max_length=3, pattern="^[A-Z]{3}$", description="ISO 4217; the number is in its minor units")
]
Date = Annotated[str, Meta(extra_json_schema=_DATE_SCHEMA)]
"""Left a text: it is checked where the row is made (domain/dates.py)."""
MinorUnits = Annotated[int, Meta(ge=-MAX_VALUE, le=MAX_VALUE, description="In minor units of the currency, cents of a dollar")]
Severity = Literal["P0", "P1", "P2", "P3"]
Grade = Literal["low", "medium", "high"]
DurationMs = Annotated[float, Meta(ge=0, le=MAX_DURATION_MS, extra_json_schema=_DURATION_SCHEMA)]
Count = Annotated[int, Meta(ge=1, le=MAX_COUNT)]
Amount = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Level = Annotated[int, Meta(ge=1, le=4)]
Quantity = Annotated[
    Raw,
    Meta(
        extra={KIND: "quantity"},
        extra_json_schema={"type": "number", "exclusiveMinimum": 0, "maximum": MAX_QUANTITY},
    ),
]
"""The literal as it was written: decimals are read from it exactly (domain/numbers.py)."""
Progress = Annotated[Raw, Meta(extra={KIND: "progress"}, extra_json_schema={"type": "number", "minimum": 0, "maximum": 1})]
Value = Annotated[
    Raw, Meta(extra={KIND: "value"}, extra_json_schema={"type": "number", "minimum": -MAX_VALUE, "maximum": MAX_VALUE})
]
Properties = Annotated[dict[Name, Text], Meta(max_length=MAX_PROPERTIES)]
Traits = Annotated[dict[Name, Text], Meta(max_length=MAX_TRAITS)]
Attributes = Annotated[dict[Name, Text], Meta(max_length=MAX_ATTRIBUTES)]
Signals = Annotated[dict[Name, bool], Meta(max_length=MAX_SIGNALS)]
Themes = Annotated[list[Name], Meta(max_length=MAX_THEMES)]
Score = Annotated[int, Meta(ge=0, le=MAX_SCORE)]
Scale = Annotated[int, Meta(ge=2, le=MAX_SCORE)]
Accounts = Annotated[list[Account], Meta(max_length=MAX_ACCOUNTS)]


class Data(msgspec.Struct, kw_only=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """What an event says: the fields of a family; `null` is the same as leaving a field out."""


class Money(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """An amount in one currency; amounts of different currencies are never added."""

    amount: MinorUnits
    currency: Currency


def money_parts(money: Money | None) -> tuple[int | None, str]:
    """The amount in minor units and its currency, as rows have them."""
    return (None, "") if money is None else (money.amount, money.currency)
