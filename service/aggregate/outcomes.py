"""What became of a batch's events, as rows of its flush: ids, hours, dead letters and the ledger."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

import numpy as np
import polars as pl

from service.aggregate.batch import Batch, Heads
from service.aggregate.dedupe import Group, stored_runs
from service.aggregate.grouping import numbered
from service.aggregate.policy import REFUSED, Outcome, Outcomes, TimePolicy, rfc3339
from service.clock import DAY, HOUR, to_datetime
from service.domain.ids import Partition

Rows = list[tuple[Any, ...]]

_DAY_HOURS = 24
_TOLD: Final = ("stored", "duplicate", "dead_lettered")
"""The outcomes that the ledger tells apart."""


def stored_frames(batch: Batch, outcomes: Outcomes, *, whole: Collection[str] = ()) -> dict[str, pl.DataFrame]:
    """Keep the events that are to be folded, by family; families that keep none are left out.

    Those named in `whole` come with the columns that were left out when they were read.
    """
    kept = outcomes == Outcome.STORED
    start = 0
    frames = {}
    for family, read in batch.frames.items():
        mine = kept[start : start + len(read)]
        start += len(read)
        if mine.any():
            frame = batch.whole(family) if family in whole else read
            frames[family] = frame if mine.all() else frame.filter(mine)
    return frames


def id_rows(batch: Batch, groups: list[Group], outcomes: Outcomes, generation: int) -> Rows:
    """Packed hashes of the stored events, a row a bucket."""
    heads = batch.heads
    rows = []
    taken: dict[tuple[int, int], list[np.ndarray[Any, Any]]] = {}
    for bucket, stored in stored_runs(groups, outcomes):
        taken.setdefault(bucket, []).append(stored)
    for (partition, hour), parts in sorted(taken.items()):
        stored = np.concatenate(parts)
        hi, lo = heads.hi[stored], heads.lo[stored]
        if not (hi[1:] > hi[:-1]).all():
            order = np.lexsort((lo, hi))
            hi, lo = hi[order], lo[order]
        packed = np.stack([hi, lo], axis=1).astype(">u8").tobytes()
        rows.append((generation, partition, hour, batch.spans[Partition(partition)].first, packed))
    return rows


def hour_rows(heads: Heads, outcomes: Outcomes) -> Rows:
    """UTC hours of the stored events, as 24-bit masks of their days."""
    stored = outcomes == Outcome.STORED
    tenants, hours = heads.tenant[stored], heads.time_us[stored] // HOUR
    _, firsts = numbered([tenants, hours], len(tenants))
    masks: Counter[tuple[int, int]] = Counter()
    for tenant, hour in zip(tenants[firsts].tolist(), hours[firsts].tolist(), strict=True):
        masks[tenant, hour // _DAY_HOURS] |= 1 << hour % _DAY_HOURS
    return [(*key, mask) for key, mask in sorted(masks.items())]


def dirty_rows(heads: Heads, outcomes: Outcomes) -> Rows:
    """Tenants with stored events, and the newest and oldest time among them."""
    stored = outcomes == Outcome.STORED
    tenants, times_us = heads.tenant[stored], heads.time_us[stored]
    of_row, firsts = numbered([tenants], len(tenants))
    newest, oldest = times_us[firsts], times_us[firsts]
    np.maximum.at(newest, of_row, times_us)
    np.minimum.at(oldest, of_row, times_us)
    return sorted(zip(tenants[firsts].tolist(), newest.tolist(), oldest.tolist(), strict=True))


def ledger_rows(sums: pl.DataFrame) -> Rows:
    """Events by tenant, source, UTC day of receipt and outcome, of what `receipts.sent` added up."""
    told = sums.group_by("tenant", "source", "outcome", day=pl.col("received_us") // DAY).agg(pl.col("n").sum())
    counts: defaultdict[tuple[int, str, int], Counter[str]] = defaultdict(Counter)
    for tenant, source, outcome, day, n in told.iter_rows():
        counts[tenant, source, day][outcome] = n
    return [(*key, *(found[outcome] for outcome in _TOLD)) for key, found in sorted(counts.items())]


def producer_rows(batch: Batch, generation: int) -> Rows:
    """Sequences of the batch's records, by partition and producer."""
    return [
        (generation, partition, producer, sequences.next, sequences.records, batch.spans[partition].newest_received_us)
        for (partition, producer), sequences in sorted(batch.producers.items())
    ]


def dead_letter_rows(batch: Batch, outcomes: Outcomes, policy: TimePolicy) -> Rows:
    """Refused events, each once with its count, as ingest or the time policy refused them."""
    letters: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    counts: Counter[tuple[Any, ...]] = Counter()
    for key, rest in (*_rejected(batch), *_refused(batch, outcomes, policy)):
        letters.setdefault(key, rest)
        counts[key] += 1
    return [(*key, *letters[key], counts[key]) for key in sorted(letters)]


Letter = tuple[tuple[int, str, bytes, str], tuple[Any, ...]]


def _rejected(batch: Batch) -> Iterator[Letter]:
    for _, row in batch.rejected:
        key = (row.tenant, row.source, row.id_hash, row.reason)
        yield key, (row.id, row.time, row.detail, row.raw, row.origin, to_datetime(row.received_us))


def _refused(batch: Batch, outcomes: Outcomes, policy: TimePolicy) -> Iterator[Letter]:
    start = 0
    for family, frame in batch.frames.items():
        mine = outcomes[start : start + len(frame)]
        if refused := np.flatnonzero(np.isin(mine, REFUSED)).tolist():
            whole = batch.whole(family)
            for row in refused:
                yield _letter(whole.row(row, named=True), Outcome(mine[row]), batch, int(batch.heads.record[start + row]), policy)
        start += len(frame)


def _letter(event: dict[str, Any], outcome: Outcome, batch: Batch, record: int, policy: TimePolicy) -> Letter:
    partition, offset = batch.places[record]
    id_hash = event["hash_hi"].to_bytes(8, "big") + event["hash_lo"].to_bytes(8, "big")
    key = (event["tenant"], event["source"], id_hash, str(policy.reason(outcome)))
    return key, (
        event["id"],
        rfc3339(event["time_us"]),
        policy.detail(outcome, time_us=event["time_us"], received_us=event["received_us"]),
        event["raw"] or b"",
        f"log:{partition}:{offset}",
        to_datetime(event["received_us"]),
    )


def reasons(rows: Iterable[tuple[Any, ...]]) -> Counter[str]:
    """Count dead letters by reason."""
    counted: Counter[str] = Counter()
    for row in rows:
        counted[row[3]] += row[-1]
    return counted
