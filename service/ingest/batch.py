"""What goes into the decoder beside the bytes, and what comes out of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Protocol

from service.domain.families.rows import RejectedRow, Row
from service.domain.ids import Partition
from service.domain.reasons import Reason
from service.eventlog.codec import Slab

REJECTED = "rejected"
"""The family of the events that were refused."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the door knows of a request: whose it is, when it came, by which right and whence."""

    tenant: int
    received_us: int
    backfill: bool
    origin: str = "http"
    """`http`, `import:FILE`; of records it is their `place`."""
    place: Callable[[int], str] | None = None
    """Where an event lay, by its index: `kafka:TOPIC:PARTITION:OFFSET`. What cannot be read is known by it, if there is one."""


class Form(Enum):
    """How the events lie in the body."""

    JSON = auto()
    """An envelope, or an array of envelopes: the first character says."""
    OBJECT = auto()
    """One envelope: CloudEvents' structured mode."""
    ARRAY = auto()
    """An array of envelopes: CloudEvents' batch mode."""
    NDJSON = auto()
    """An envelope a line."""
    LINES = auto()
    """Lines out of a longer file: as NDJSON, but none of them need be JSON."""
    BINARY = auto()
    """The body is `data`, the attributes come beside it: CloudEvents' binary mode."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken at the most; see the settings of the same names."""

    max_request_events: int
    max_event_bytes: int
    max_depth: int
    """Objects and lists in one another, the event itself being the first."""
    max_lateness_us: int
    max_skew_us: int


@dataclass(frozen=True, slots=True)
class Rejection:
    """An event that was refused, for the answer."""

    index: int
    """Its place among the request's events, from 0; blank lines are no events."""
    id: str | None
    reason: Reason
    detail: str


class PackedRows(Protocol):
    """Encoded rows of events, in their order."""

    @property
    def events(self) -> int:
        """How many rows there are."""
        ...

    def split(self, partitions: int) -> Mapping[Partition, Mapping[str, Slab]]:
        """The rows by partition and family, in their order."""
        ...


@dataclass(slots=True)
class Batch:
    """The events of one request."""

    rows: dict[str, list[Row] | list[RejectedRow]] = field(default_factory=dict)
    """By family, only families that have any; `rejected` holds `RejectedRow`s."""
    packed: list[PackedRows] = field(default_factory=list)
    """Rows that are encoded already; a batch that has some has no others in `rows` but of what was refused."""
    rejected: list[Rejection] = field(default_factory=list)
    accepted: int = 0
    unknown_fields: int = 0
    """Fields of `data` that the contract does not know, in accepted events."""
    rounded: int = 0
    """Numbers that lost digits, in accepted events."""

    def refuse(self, rejection: Rejection, row: RejectedRow) -> None:
        """Add an event that was refused."""
        self.rejected.append(rejection)
        kept: list[Any] = self.rows.setdefault(REJECTED, [])
        kept.append(row)

    def order_rejected(self) -> None:
        """Bring what was refused on different grounds, and its rows, back into the order of the request."""
        if not self.rejected:
            return
        pairs = sorted(zip(self.rejected, self.rows[REJECTED], strict=True), key=lambda pair: pair[0].index)
        self.rejected = [rejection for rejection, _ in pairs]
        kept: list[Any] = [row for _, row in pairs]
        self.rows[REJECTED] = kept
