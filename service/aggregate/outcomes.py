"""What became of a batch's events, as rows of its flush: ids, hours, dead letters and the ledger."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import polars as pl

from service.aggregate.batch import Batch, Heads
from service.aggregate.dedupe import Group, stored_runs
from service.aggregate.policy import REFUSED, Outcome, Outcomes, TimePolicy, rfc3339
from service.clock import DAY, HOUR, to_datetime
from service.domain.ids import Partition

Rows = list[tuple[Any, ...]]

_DAY_HOURS = 24


def stored_frames(batch: Batch, outcomes: Outcomes) -> dict[str, pl.DataFrame]:
    """Keep the events that are to be folded, by family; families that keep none are left out."""
    kept = pl.Series(outcomes == Outcome.STORED)
    if kept.all():
        return dict(batch.frames)
    start = 0
    frames = {}
    for family, frame in batch.frames.items():
        mine = frame.filter(kept.slice(start, len(frame)))
        start += len(frame)
        if len(mine):
            frames[family] = mine
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
        halves = np.stack([heads.hi[stored], heads.lo[stored]], axis=1)
        packed = np.sort(halves.astype(">u8").view("S16").ravel()).tobytes()
        rows.append((generation, partition, hour, batch.spans[Partition(partition)].first, packed))
    return rows


def hour_rows(heads: Heads, outcomes: Outcomes) -> Rows:
    """UTC hours of the stored events, as 24-bit masks of their days."""
    stored = outcomes == Outcome.STORED
    pairs = pl.DataFrame({"tenant": heads.tenant[stored], "hour": heads.time_us[stored] // HOUR}).unique()
    masks: Counter[tuple[int, int]] = Counter()
    for tenant, hour in pairs.iter_rows():
        masks[tenant, hour // _DAY_HOURS] |= 1 << hour % _DAY_HOURS
    return [(*key, mask) for key, mask in sorted(masks.items())]


def dirty_rows(heads: Heads, outcomes: Outcomes) -> Rows:
    """Tenants with stored events, and the newest and oldest time among them."""
    stored = outcomes == Outcome.STORED
    times = pl.DataFrame({"tenant": heads.tenant[stored], "time_us": heads.time_us[stored]})
    spans = times.group_by("tenant").agg(pl.col("time_us").max().alias("newest"), pl.col("time_us").min().alias("oldest"))
    return spans.sort("tenant").rows()


def ledger_rows(batch: Batch, outcomes: Outcomes) -> Rows:
    """Events by tenant, source, UTC day of receipt and outcome."""
    heads = [frame.select("tenant", "source", "received_us") for frame in batch.frames.values()]
    refused = {
        "tenant": [row.tenant for _, row in batch.rejected],
        "source": [row.source for _, row in batch.rejected],
        "received_us": [row.received_us for _, row in batch.rejected],
    }
    schema = {"tenant": pl.Int32(), "source": pl.String(), "received_us": pl.Int64()}
    consumed = pl.concat([*heads, pl.DataFrame(refused, schema=schema)])
    all_outcomes = np.concatenate([outcomes, np.full(len(batch.rejected), Outcome.TOO_LATE, dtype=np.int8)])
    counted = (
        consumed.with_columns(pl.Series("outcome", all_outcomes), day=pl.col("received_us") // DAY)
        .group_by("tenant", "source", "day")
        .agg(
            (pl.col("outcome") == Outcome.STORED).sum().alias("stored"),
            (pl.col("outcome") == Outcome.DUPLICATE).sum().alias("duplicate"),
            pl.col("outcome").is_in([int(outcome) for outcome in REFUSED]).sum().alias("dead_lettered"),
        )
    )
    return counted.sort("tenant", "source", "day").rows()


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
    for frame in batch.frames.values():
        mine = outcomes[start : start + len(frame)]
        for row in np.flatnonzero(np.isin(mine, REFUSED)).tolist():
            yield _letter(frame.row(row, named=True), Outcome(mine[row]), batch, int(batch.heads.record[start + row]), policy)
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
