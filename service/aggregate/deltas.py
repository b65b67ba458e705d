"""What folds hand to the flush: changes of the rollups, by their natural keys.

Every frame is small (already grouped) and merges commutatively: adding, least, greatest, newest,
earliest, union. Keys are unique within a frame. Instants are int64 microseconds since 1970 UTC,
days int32 since 1970. Texts that are missing are "".
"""

from dataclasses import dataclass, field

import polars as pl

FACTS = pl.Schema(
    {
        "tenant": pl.Int32(),
        "kind": pl.String(),
        "account": pl.String(),
        "dims": pl.String(),  # canonical JSON object text -> text, keys sorted, no empty values
        "grain": pl.String(),  # minute, quarter, day
        "bucket": pl.Int64(),  # start in microseconds; for day: days since 1970, local
        "n": pl.Int64(),
        "total": pl.Int128(),
        "least": pl.Int128(),
        "greatest": pl.Int128(),
        "newest_us": pl.Int64(),  # null but for meters
        "newest_source": pl.String(),
        "newest_id": pl.String(),
        "newest_value": pl.Int128(),
        "histogram": pl.List(pl.Int64()),  # packed bins in order, see domain/histogram.py; null: none
    }
)
ACTIVITY = pl.Schema(
    {
        "tenant": pl.Int32(),
        "account": pl.String(),
        "user": pl.String(),
        "feature": pl.String(),
        "day": pl.Int32(),
        "counts": pl.Boolean(),  # makes active: it is no ignored feature
    }
)
"""Codes of its texts (`grouping.codes`) may stand beside them."""
ACTIVITY_KEYS = [name for name in ACTIVITY if name != "counts"]
USERS = pl.Schema({"tenant": pl.Int32(), "user": pl.String()})  # known without any activity: given an ordinal, too
STATES = pl.Schema(
    {
        "tenant": pl.Int32(),
        "kind": pl.String(),
        "who": pl.String(),
        "account": pl.String(),
        "field": pl.String(),
        "time_us": pl.Int64(),
        "source": pl.String(),
        "id": pl.String(),
        "value": pl.String(),
        "dated": pl.Boolean(),  # true: into state_history, every one; false: into state, the newest
    }
)
MILESTONES = pl.Schema(
    {
        "tenant": pl.Int32(),
        "kind": pl.String(),
        "milestone": pl.String(),
        "who": pl.String(),
        "account": pl.String(),
        "time_us": pl.Int64(),
        "source": pl.String(),
        "id": pl.String(),
    }
)
REACHED = pl.Schema(
    {
        "tenant": pl.Int32(),
        "account": pl.String(),
        "user": pl.String(),
        "milestone": pl.String(),  # or `~status`: was given one
        "day": pl.Int32(),
    }
)
STEPS = pl.Schema(
    {
        "tenant": pl.Int32(),
        "family": pl.String(),
        "subject": pl.String(),
        "time_us": pl.Int64(),
        "source": pl.String(),
        "id": pl.String(),
        "account": pl.String(),
        "fields": pl.String(),  # JSON object
    }
)
PROBES = pl.Schema(
    {
        "tenant": pl.Int32(),
        "account": pl.String(),
        "component": pl.String(),
        "monitor": pl.String(),
        "region": pl.String(),
        "bucket": pl.Int64(),
        "up": pl.Binary(),  # 113 bytes, the first 900 bits, second 0 first
        "down": pl.Binary(),
        "degraded": pl.Binary(),
        "planned": pl.Binary(),
        "excluded": pl.Binary(),
        "probes": pl.Int64(),
        "probes_up": pl.Int64(),
    }
)
SESSIONS = pl.Schema(
    {
        "tenant": pl.Int32(),
        "account": pl.String(),
        "minute_us": pl.Int64(),
        "unended": pl.Int64(),  # starts less starts of what has ended
        "opened": pl.Int64(),  # opened less closed, see folds/sessions.py
    }
)
SESSION_KEYS = ["tenant", "account", "minute_us"]
FREQUENCY = pl.Schema(
    {
        "tenant": pl.Int32(),
        "account": pl.String(),
        "user": pl.String(),
        "feature": pl.String(),  # "": any that counts
        "week": pl.Int32(),  # its Monday
        "uses": pl.Int128(),  # quantities in 1e-9
    }
)
FREQUENCY_KEYS = [name for name in FREQUENCY if name != "uses"]
TRACKED = pl.Schema(
    {
        "tenant": pl.Int32(),
        "delivery": pl.String(),
        "accepted_us": pl.Int64(),  # null, and all up to is_excluded: only the final was seen
        "source": pl.String(),
        "id": pl.String(),
        "account": pl.String(),
        "integration": pl.String(),
        "direction": pl.String(),
        "limit_ns": pl.Int64(),
        "is_excluded": pl.Boolean(),
        "final_us": pl.Int64(),
    }
)
TRACKED_KEYS = ["tenant", "delivery"]
RECEIPTS = pl.Schema(
    {
        "tenant": pl.Int32(),
        "source": pl.String(),
        "minute_us": pl.Int64(),  # of receipt
        "newest_us": pl.Int64(),  # time of the newest stored event that came then
    }
)
SLOS = pl.Schema(
    {
        "tenant": pl.Int32(),
        "slo": pl.String(),
        "good": pl.Int64(),  # live events alone, as `total`
        "total": pl.Int64(),
    }
)
SLO_KEYS = ["tenant", "slo"]

# Made once: a fold leaves most of them empty, and under low load making them would cost more than the fold.
_NOTHING = {
    name: schema.to_frame()
    for name, schema in {
        "facts": FACTS,
        "activity": ACTIVITY,
        "users": USERS,
        "states": STATES,
        "milestones": MILESTONES,
        "reached": REACHED,
        "steps": STEPS,
        "probes": PROBES,
        "sessions": SESSIONS,
        "frequency": FREQUENCY,
        "tracked": TRACKED,
        "slos": SLOS,
        "receipts": RECEIPTS,
    }.items()
}


@dataclass(frozen=True, slots=True)
class Deltas:
    """The changes that one batch makes; a fold fills what it has and leaves the rest empty."""

    facts: pl.DataFrame = field(default_factory=lambda: _NOTHING["facts"])
    activity: pl.DataFrame = field(default_factory=lambda: _NOTHING["activity"])
    users: pl.DataFrame = field(default_factory=lambda: _NOTHING["users"])
    states: pl.DataFrame = field(default_factory=lambda: _NOTHING["states"])
    milestones: pl.DataFrame = field(default_factory=lambda: _NOTHING["milestones"])
    reached: pl.DataFrame = field(default_factory=lambda: _NOTHING["reached"])
    """By local day: made of the milestones and statuses of all families together (reached.py), by no fold."""
    steps: pl.DataFrame = field(default_factory=lambda: _NOTHING["steps"])
    probes: pl.DataFrame = field(default_factory=lambda: _NOTHING["probes"])
    sessions: pl.DataFrame = field(default_factory=lambda: _NOTHING["sessions"])
    frequency: pl.DataFrame = field(default_factory=lambda: _NOTHING["frequency"])
    tracked: pl.DataFrame = field(default_factory=lambda: _NOTHING["tracked"])
    slos: pl.DataFrame = field(default_factory=lambda: _NOTHING["slos"])
    """What feeds the counters of SLOs."""
    receipts: pl.DataFrame = field(default_factory=lambda: _NOTHING["receipts"])
    """Made of the whole batch (receipts.py), by no fold."""
