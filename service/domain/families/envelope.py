"""The CloudEvents envelope that every family shares, and what a family of events consists of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from service.domain.families.fields import Account, Data, Id, Instant, Source
from service.domain.families.rows import Row
from service.domain.ids import IdHash
from service.domain.names import Known, name_fault
from service.domain.numbers import NANOSECONDS_PER_MS, SURE_NS, nanoseconds
from service.domain.reasons import Reason
from service.errors import EventRefused

TYPE = "type"
STRUCTURED = "application/cloudevents+json"
"""The media type of an event with its envelope (CloudEvents JSON format, section 3)."""
ToRow = Callable[[Any, IdHash, int | None, bytes | None, "Intake"], Row]
"""`to_row(event, id_hash, time_us, raw, intake)`. It hands the row's fields over one by one, its head among them: putting a
head together and taking it apart again costs as much as making the row."""


class Envelope(msgspec.Struct, kw_only=True, frozen=True, gc=False, tag_field=TYPE):
    """CloudEvents 1.0 in JSON (its JSON format, sections 2 and 3); other attributes are allowed and ignored."""

    specversion: Literal["1.0"]
    id: Id
    source: Source
    time: Instant | None = None
    """When it happened; missing: the time of receipt."""
    subject: Id | None = None
    account: Account | None = None
    """The customer company; missing: platform-wide."""
    data_base64: None = None
    """Never taken: data are JSON, in `data`."""
    data: Data


@dataclass(slots=True)
class Intake:
    """What making the rows of one request needs and counts; `tenant`, `received_us` and `backfill` go into each of them."""

    tenant: int
    received_us: int
    backfill: bool
    names: Known = field(default_factory=lambda: Known(name_fault))
    """Names found good before; `names.issuperset` is the hot path."""
    rounded: int = 0
    """Numbers that lost digits."""

    def duration_ns(self, milliseconds: float | None) -> int | None:
        """Nanoseconds of a duration; None stays None. Counts what is rounded."""
        if milliseconds is None:
            return None
        # Nearly always so: see the first lines of `nanoseconds`, which decides all the rest.
        nearest = round(milliseconds * NANOSECONDS_PER_MS)
        if nearest < SURE_NS and nearest / NANOSECONDS_PER_MS == milliseconds:
            return nearest
        nanos, lossy = nanoseconds(milliseconds)
        self.rounded += lossy
        return nanos


@dataclass(frozen=True, slots=True)
class Family:
    """A family of events: its types, and how an event of it becomes a row.

    `to_row` raises EventRefused for what types alone cannot say.
    """

    name: str
    event: type[Envelope]
    to_row: ToRow
    title: str
    example: Mapping[str, Any]
    """A whole event, as a client would send it."""
    rules: Mapping[str, Any] = field(default_factory=dict)
    """JSON Schema keywords for `data` that say what types alone cannot."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """What a missing field of `data` means, where it means something."""

    @property
    def type(self) -> str:
        """The CloudEvents `type`, which is the tag of the union."""
        return str(self.event.__struct_config__.tag)


def missing(path: str, detail: str) -> EventRefused:
    """The refusal for a field that this event needs; `detail` says when, and what to send."""
    return EventRefused(Reason.MISSING_FIELD, path, detail)
