"""What the rows of every family look like: as cells of a scan, and as columns of a frame."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, get_type_hints

import msgspec
import numpy as np
import polars as pl

from service.aggregate.records import fields
from service.aggregate.records.scan import REJECTED_LIST, Layout
from service.domain.families.rows import (
    AccountRow,
    DeliveryRow,
    FeedbackRow,
    IncidentRow,
    ItemRow,
    MeasurementRow,
    ProbeRow,
    RecoveryRow,
    RequestRow,
    Row,
    TicketRow,
    UsageRow,
    UserRow,
)
from service.eventlog.codec import FAMILIES

ROW_TYPES: Final[Mapping[str, type[Row]]] = {
    "usage": UsageRow,
    "user": UserRow,
    "delivery": DeliveryRow,
    "request": RequestRow,
    "probe": ProbeRow,
    "measurement": MeasurementRow,
    "incident": IncidentRow,
    "account": AccountRow,
    "recovery": RecoveryRow,
    "ticket": TicketRow,
    "feedback": FeedbackRow,
    "item": ItemRow,
}
"""The row of every family of events (rejected ones are no family of events)."""

CODE: Final = "#"
"""Behind a column's name: the column of its texts' codes. Texts of one frame are equal where their codes are."""
PAIR = pl.Struct({"key": pl.String(), "value": pl.String()})
HEAD = pl.Schema(
    {
        "hash_hi": pl.UInt64(),
        "hash_lo": pl.UInt64(),
        "partition": pl.UInt16(),
        "tenant": pl.Int32(),
        "source": pl.String(),
        "id": pl.String(),
        "time_us": pl.Int64(),
        "timed": pl.Boolean(),
        "received_us": pl.Int64(),
        "account": pl.String(),
        "backfill": pl.Boolean(),
        "raw": pl.Binary(),
    }
)
"""The columns that every family's frame begins with; `time_us` is resolved: receipt where the event names none."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a type of field is scanned, and the column it becomes."""

    kind: int
    dtype: pl.DataType


_FORMS: Mapping[Any, Form] = {
    bytes: Form(fields.HASH, pl.UInt64()),
    bytes | None: Form(fields.RAW, pl.Binary()),
    str: Form(fields.TEXT, pl.String()),
    int: Form(fields.INTEGER, pl.Int64()),
    int | None: Form(fields.OPTIONAL_INTEGER, pl.Int64()),
    bool: Form(fields.FLAG, pl.Boolean()),
    bool | None: Form(fields.OPTIONAL_FLAG, pl.Boolean()),
    dict[str, str]: Form(fields.PACKED_MAP, pl.List(PAIR)),
    list[str]: Form(fields.PACKED_LIST, pl.List(pl.String())),
}
_ID = Form(fields.ID, pl.String())
"""Unlike other texts, ids are hardly ever alike."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a row."""

    name: str
    form: Form


FIELDS_OF: Final[Mapping[str, list[Field]]] = {
    family: [Field(name, _ID if name == "id" else _FORMS[hint]) for name, hint in get_type_hints(row_type).items()]
    for family, row_type in ROW_TYPES.items()
}
"""By family, in the order of a row."""
_HEAD_FIELDS: Final = len(msgspec.structs.fields(Row))
FIELDS: Final[Mapping[str, Mapping[str, pl.DataType]]] = {
    family: {field.name: field.form.dtype for field in row[_HEAD_FIELDS:]} for family, row in FIELDS_OF.items()
}
"""By family: its own columns, after the head's."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How records are read, and which columns are made of them."""

    fields: Mapping[str, list[Field]]
    """By family, in the order of a row. Texts that are left out are not looked up: of them only the place is noted."""
    left_out: Mapping[str, Collection[str]]
    """By family: columns that are not made."""
    layout: Layout
    coded: bool
    """Columns of codes stand beside those of texts."""


def reading(left_out: Mapping[str, Collection[str]], *, coded: bool = True) -> Reading:
    """Read everything but these columns, by family."""
    read = {
        family: [replace(field, form=_ID) if _skipped(field, left_out.get(family, ())) else field for field in row]
        for family, row in FIELDS_OF.items()
    }
    layout = Layout(
        lists=np.array([REJECTED_LIST if name == "rejected" else list(FIELDS_OF).index(name) for name in FAMILIES]),
        kinds=np.array([field.form.kind for row in read.values() for field in row]),
        first=np.cumsum([0, *map(len, read.values())]),
    )
    return Reading(read, left_out, layout, coded)


def _skipped(field: Field, left_out: Collection[str]) -> bool:
    return field.name in left_out and field.form.kind == fields.TEXT


EVERYTHING: Final = reading({}, coded=False)
LAYOUT: Final = EVERYTHING.layout


def schema(family: str, left_out: Collection[str] = ()) -> pl.Schema:
    """Name the columns of a family's frame, in order."""
    return pl.Schema({name: dtype for name, dtype in {**HEAD, **FIELDS[family]}.items() if name not in left_out})
