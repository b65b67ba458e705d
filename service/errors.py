"""The tree of errors: a caller can always tell *try again* from *never*.

TidegaugeError
├── Transient            try again later: the same call may succeed
│   ├── LogUnavailable      the event log takes no writes or gives no reads
│   │   └── LogSealed           this generation of the log takes no more: the next one is being opened
│   ├── StoreUnavailable    Postgres does not answer
│   ├── LeaseLost           another worker holds the partition now; drop what is held of it
│   ├── BatchStale          what a batch was folded with has changed; fold it again
│   ├── KpiFailed           the operator's own file of a KPI failed when it was asked (names it and Postgres's error)
│   └── Overloaded          more is waiting than may wait; says after how many seconds to come back
└── Permanent            never succeeds as it stands
    ├── InvalidSettings     the environment says something that cannot be
    ├── InvalidArgument     a name, zone, scope … that is handed in cannot be (says what can)
    ├── AlreadyExists       a thing of that name is there already
    ├── InvalidConfiguration  a tenant's configuration has mistakes (lists them all)
    ├── VersionMoved        what was to be replaced is not the newest version any more
    ├── InvalidText         a selector or an amount, as a person wrote it, that cannot be read
    ├── InvalidQuery        a query's parameter is wrong (names it, its limit, the way out)
    ├── NotFound            no such tenant, key, KPI, scorecard …
    ├── NotLive             a figure that no series on /metrics/kpis shows (says what there is instead)
    ├── SchemaMismatch      the database's schema is older than this release needs, or of a newer one
    ├── LogMismatch         kind, generation or partition count differ from the installation's
    ├── OffsetOutOfRange    an offset before the log's start or past its end
    ├── RecordUnreadable    a record that this version cannot decode
    ├── RecordTooLarge      a single event that takes more than a record of the log may hold
    ├── BodyMalformed       a body that is not JSON as a whole, or not of the announced form
    ├── TooManyEvents       more events in a request than are taken at once
    ├── ReportUnavailable   a report's format needs a library that this machine lacks
    └── EventRefused        one event that breaks the contract (its reason, the field, the way out)
"""

from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.reasons import Reason


class TidegaugeError(Exception):
    """Root of everything that tidegauge raises on purpose."""


class Transient(TidegaugeError):
    """The same call may succeed later."""


class Permanent(TidegaugeError):
    """The same call will never succeed."""


class LogUnavailable(Transient):
    """The event log takes no writes or gives no reads at the moment."""


class LogSealed(LogUnavailable):
    """A generation of the log takes no more events: the next one is being opened, or is there already."""


class StoreUnavailable(Transient):
    """Postgres does not answer at the moment."""


class LeaseLost(Transient):
    """Another worker holds the partition now."""


class BatchStale(Transient):
    """What a batch was decided and folded with has changed meanwhile."""


class KpiFailed(Transient):
    """An operator's own KPI gave no answer; others are not concerned, and with other data it may give one."""

    def __init__(self, kpi: str, file: str, why: str, *, is_slow: bool = False) -> None:
        super().__init__(
            f"the KPI {kpi} is of the operator's own file {file}, which failed: {why}; whoever runs this installation mends the"
            " file and starts it anew"
        )
        self.kpi = kpi
        self.file = file
        self.is_slow = is_slow
        """It took longer than it may: asking for fewer tenants takes as long again."""


class Overloaded(Transient):
    """More is waiting than may wait."""

    def __init__(self, detail: str, *, retry_after_s: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class ReportUnavailable(Permanent):
    """A report's format needs a library that this machine lacks."""


class InvalidSettings(Permanent):
    """The environment says something that cannot be."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a tenant's configuration: where it stands and what is wrong."""

    path: str
    """Key path such as `target[0].limit`, counted from 0; "" for the file as a whole."""
    line: int
    """Line of the file, from 1; 0 where it is no file of lines."""
    message: str

    def __str__(self) -> str:
        """The path, where there is one, and what is wrong."""
        return f"{self.path}: {self.message}" if self.path else self.message


class InvalidArgument(Permanent):
    """A name, zone, scope … that is handed in cannot be."""


class AlreadyExists(Permanent):
    """A thing of that name is there already."""


class InvalidConfiguration(Permanent):
    """A tenant's configuration has mistakes: all of them at once, in the order of their lines."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(f"line {each.line}: {each}" if each.line else str(each) for each in mistakes))
        self.mistakes = list(mistakes)


class VersionMoved(Permanent):
    """What was to be replaced is not the newest version any more: somebody was faster."""

    def __init__(self, newest: int) -> None:
        super().__init__(f"version {newest} is the newest, and another one was to be replaced: read it, and make the change anew")
        self.newest = newest


class InvalidText(Permanent, ValueError):
    """A selector or an amount, as a person wrote it, that cannot be read."""


class InvalidQuery(Permanent):
    """A query's parameter is wrong."""

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(f"{parameter}: {detail}")
        self.parameter = parameter
        self.detail = detail


class TooManyRows(InvalidQuery):
    """An answer would have more rows than one may have."""

    def __init__(self, most: int) -> None:
        super().__init__("by", f"gives more than {most} rows: split by fewer dimensions, or filter them")


class NotFound(Permanent):
    """There is no such thing."""


class NotLive(Permanent):
    """No live series shows what a selector means; the message says what there is instead."""


class SchemaMismatch(Permanent):
    """The database has not the schema that this release works on; the message says which and the way out."""


class LogMismatch(Permanent):
    """Kind, generation or partition count differ from the installation's."""


class OffsetOutOfRange(Permanent):
    """An offset before the log's start or past its end."""


class RecordUnreadable(Permanent):
    """A record that this version cannot decode."""


class RecordTooLarge(Permanent):
    """A single event that takes more than a record of the log may hold."""


class BodyMalformed(Permanent):
    """The body is not JSON as a whole, or not of the form that was announced."""


class TooManyEvents(Permanent):
    """The request holds more events than are taken at once."""


class EventRefused(Permanent):
    """One event breaks the contract; the others of its request are not concerned."""

    def __init__(self, reason: Reason, path: str, detail: str) -> None:
        super().__init__(f"{path}: {detail}" if path else detail)
        self.reason = reason
        self.path = path
