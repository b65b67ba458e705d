"""What a load client is told, and what it says: a Plan in, Progress as it goes on, an Outcome at the end, a JSON line each."""

import msgspec

from loadtests.traffic import Population


class Http(msgspec.Struct, tag="http", kw_only=True):
    """The service's own door."""

    port: int
    keys: list[str]
    """By tenant."""


class Topic(msgspec.Struct, tag="topic", kw_only=True):
    """A topic that a source reads: one event a record, of the population's first tenant."""

    bootstrap: str
    name: str
    partitions: int


class Plan(msgspec.Struct, kw_only=True):
    """What to send."""

    to: Http | Topic
    population: Population
    families: list[str]
    connections: int
    """Requests (batches of records) in flight at the most."""
    events_a_request: int
    """Over HTTP, 1: each event by itself, in structured mode."""
    requests_per_s: float | None
    """None: again as soon as one is answered."""
    warm_up_s: float
    seconds: float
    most_events: int | None = None
    """End when so many are acknowledged."""


class Progress(msgspec.Struct, tag="progress", kw_only=True):
    """How far it is."""

    begun: bool
    """The warm-up is over."""
    acknowledged: int
    """Events, since the start."""


class Outcome(msgspec.Struct, tag="outcome", kw_only=True):
    """What was sent after the warm-up, and what came back."""

    seconds: float
    requests: int
    events: int
    body_bytes: int
    answers: dict[str, int]
    """By status; `unlike`: a 202 that rejected something; `given_up`: no connection was free for too long."""
    p50_ms: float
    p99_ms: float
    """From when a request was due (or sent) to its answer."""
    cpu_s: float
    acknowledged: int
    """Events, since the start, those of the warm-up and of the last moment too."""
    complaint: str
    """The first answer that was not as it should be."""
