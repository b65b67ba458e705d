"""The temporary tables of a flush: what a batch changes, copied before the turn is taken.

They are made once a connection and emptied by each commit; being temporary, they write no WAL.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from service.store.engine import Connection

_DATED = "tenant int, kind text, who text, account text, field text, time_us bigint, source text, id text, value text"

STAGES: Final[Mapping[str, str]] = {
    # Which offsets move, under which epochs.
    "progress": """generation int, partition int, epoch bigint, first_offset bigint, next_offset bigint, events bigint,
        newest_received_us bigint, drained_us bigint""",
    # Which sequences of producers the records carried.
    "producer": "generation int, partition int, producer text, next_sequence bigint, records bigint, seen_us bigint",
    # The version of its configuration that each tenant's events were folded with.
    "version": "tenant int, version int",
    # Hashes of the stored events, by bucket.
    "ids": "generation int, partition int, hour int, first_offset bigint, hashes bytea",
    # The UTC hours that the stored events lie in, as bits of their day.
    "hours": "tenant int, day int, had int",
    # Tenants whose rollups change, and the span of the events' times.
    "dirty": "tenant int, newest_us bigint, oldest_us bigint",
    # Events by outcome.
    "ledger": "tenant int, source text, day int, stored bigint, duplicate bigint, dead_lettered bigint",
    # Refused events.
    "dead_letter": """tenant int, source text, id_hash bytea, reason text, id text, time text, detail text, raw bytea,
        origin text, received_at timestamptz, count bigint""",
    # Who was active, as bits.
    "activity": "tenant int, population text, feature bigint, day int, chunk int, bits bit(2048)",
    # Who reached a milestone, was given a status or used something first, as bits, by day and by month.
    "reached": "tenant int, population text, what bigint, span text, since int, chunk int, bits bit(2048)",
    # What is added up: by minute and quarter (microseconds) and local day; a row for each grain that is not null.
    "fact": """series bigint, minute bigint, quarter bigint, day int, n bigint, total numeric, least numeric, greatest numeric,
        newest_us bigint, newest_source text, newest_id text, newest_value numeric, histogram bigint[]""",
    # Seconds that probes spoke for.
    "probe": """tenant int, account text, component text, monitor text, region text, bucket bigint, up varbit, down varbit,
        degraded varbit, planned varbit, excluded varbit, probes bigint, probes_up bigint""",
    # Sessions that begin and end, a number a minute.
    "session": "tenant int, scope text, account text, bucket bigint, unended int[], opened int[]",
    # Uses by user and week.
    "frequency": "tenant int, feature bigint, week int, account text, user_ordinal int, uses numeric",
    # The newest event of each source, an instant a minute of receipt.
    "receipts": "tenant int, source text, bucket bigint, newest bigint[]",
    # Deliveries whose acceptance is told.
    "tracked": """tenant int, delivery text, accepted_us bigint, source text, id text, account text, integration text,
        direction text, limit_ns bigint, is_excluded boolean, final_us bigint""",
    # What feeds the counters of SLOs.
    "slo": "tenant int, slo text, good bigint, total bigint",
    # Dated values: the newest of some, all of others.
    "state": _DATED,
    "state_history": _DATED,
    "milestone": "tenant int, kind text, milestone text, who text, account text, time_us bigint, source text, id text",
    # Milestones that are reached with others: those of a user, or of an account by one of its users.
    "derived": "tenant int, milestone text, of_account boolean, parts text[]",
    "step": "tenant int, family text, subject text, time_us bigint, source text, id text, account text, fields jsonb",
}
"""Columns by stage; the temporary table of a stage is `flush_STAGE`."""


@dataclass(slots=True)
class Staged:
    """The rows of a batch by stage: in COPY's binary form or as CSV (made of columns), or as tuples (few, or with long bytes)."""

    binary: dict[str, bytes] = field(default_factory=dict)
    csv: dict[str, bytes] = field(default_factory=dict)
    rows: dict[str, Sequence[tuple[Any, ...]]] = field(default_factory=dict)

    def stages(self) -> set[str]:
        """Name the stages that have rows."""
        return {name for name, content in (*self.binary.items(), *self.csv.items(), *self.rows.items()) if content}


async def make_stages(connection: Connection) -> None:
    """Make the temporary tables of a connection that is about to flush."""
    await connection.execute(
        ";".join(
            f"create temporary table if not exists flush_{name} ({columns}) on commit delete rows"
            for name, columns in STAGES.items()
        )
    )


async def copy(connection: Connection, staged: Staged) -> None:
    """Copy a batch into the temporary tables, inside the transaction of its flush."""
    for name, rows in staged.rows.items():
        if rows:
            await connection.copy_records_to_table(f"flush_{name}", records=rows)
    for name, content in staged.binary.items():
        if content:
            await connection.copy_to_table(f"flush_{name}", source=io.BytesIO(content), format="binary")
    for name, text in staged.csv.items():
        if text:
            await connection.copy_to_table(f"flush_{name}", source=io.BytesIO(text), format="csv")
