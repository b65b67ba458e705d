"""The tree of errors: a caller can always tell *try again* from *never*.

TidegaugeError
├── Transient            try again later: the same call may succeed
│   ├── LogUnavailable      the event log takes no writes or gives no reads
│   ├── StoreUnavailable    Postgres does not answer
│   └── LeaseLost           another worker holds the partition now; drop what is held of it
└── Permanent            never succeeds as it stands
    ├── InvalidSettings     the environment says something that cannot be
    ├── InvalidConfiguration  a tenant's configuration has mistakes (lists them all)
    ├── InvalidQuery        a query's parameter is wrong (names it, its limit, the way out)
    ├── NotFound            no such tenant, key, KPI, scorecard …
    ├── LogMismatch         kind, generation or partition count differ from the installation's
    ├── OffsetOutOfRange    an offset before the log's start or past its end
    └── RecordUnreadable    a record that this version cannot decode
"""


class TidegaugeError(Exception):
    """Root of everything that tidegauge raises on purpose."""


class Transient(TidegaugeError):
    """The same call may succeed later."""


class Permanent(TidegaugeError):
    """The same call will never succeed."""


class LogUnavailable(Transient):
    """The event log takes no writes or gives no reads at the moment."""


class StoreUnavailable(Transient):
    """Postgres does not answer at the moment."""


class LeaseLost(Transient):
    """Another worker holds the partition now."""


class InvalidSettings(Permanent):
    """The environment says something that cannot be."""


class InvalidConfiguration(Permanent):
    """A tenant's configuration has mistakes."""


class InvalidQuery(Permanent):
    """A query's parameter is wrong."""

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(f"{parameter}: {detail}")
        self.parameter = parameter
        self.detail = detail


class NotFound(Permanent):
    """There is no such thing."""


class LogMismatch(Permanent):
    """Kind, generation or partition count differ from the installation's."""


class OffsetOutOfRange(Permanent):
    """An offset before the log's start or past its end."""


class RecordUnreadable(Permanent):
    """A record that this version cannot decode."""
