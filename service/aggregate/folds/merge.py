"""Deltas of several batches made one: every key once, whatever the order and the cuts."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from service.aggregate.deltas import ACTIVITY_KEYS, PROBES, Deltas
from service.aggregate.folds.facts import NEWEST, facts_of
from service.aggregate.folds.frequency import added_uses
from service.aggregate.folds.sessions import added_sessions
from service.aggregate.folds.slo import added_slos
from service.aggregate.folds.tally import Bins, Exact, Tally, by_newness, narrowed, regroup
from service.aggregate.folds.tracked import first_tracked
from service.aggregate.grouping import grouped_rows, without_codes
from service.domain import histogram

FACT_KEYS = ["tenant", "kind", "account", "dims", "grain", "bucket"]
STATE_KEYS = ["tenant", "kind", "who", "account", "field"]
MILESTONE_KEYS = ["tenant", "kind", "milestone", "who", "account"]
STEP_KEYS = ["tenant", "family", "subject", "time_us", "source", "id"]
PROBE_KEYS = ["tenant", "account", "component", "monitor", "region", "bucket"]
BIT_COLUMNS = ["up", "down", "degraded", "planned", "excluded"]
_MOMENT = ["time_us", "source", "id"]


def merge(deltas: Sequence[Deltas]) -> Deltas:
    """One set of deltas that changes the rollups as all of these do together; at least one is given."""
    if len(deltas) == 1:
        return deltas[0]
    return Deltas(
        facts=_united_facts([delta.facts for delta in deltas]),
        activity=_united([delta.activity for delta in deltas], counted_activity),
        users=_united([delta.users for delta in deltas], pl.DataFrame.unique),
        states=_united([delta.states for delta in deltas], newest_states),
        milestones=_united([delta.milestones for delta in deltas], earliest_milestones),
        steps=_united([delta.steps for delta in deltas], distinct_steps),
        probes=_united([delta.probes for delta in deltas], united_probes),
        sessions=_united([delta.sessions for delta in deltas], added_sessions),
        frequency=_united([delta.frequency for delta in deltas], added_uses),
        tracked=_united([delta.tracked for delta in deltas], first_tracked),
        slos=_united([delta.slos for delta in deltas], added_slos),
    )


def _united_facts(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Facts with equal keys added up; of kinds that are in one frame alone none meet: those are only laid side by side."""
    kinds = Counter(kind for frame in frames for kind in frame["kind"].unique())
    shared = [kind for kind, times in kinds.items() if times > 1]
    if not shared:
        return _united(frames, None)
    meets = pl.col("kind").is_in(shared)
    return pl.concat([_united([frame.filter(~meets) for frame in frames], None), added_facts(pl.concat(frames).filter(meets))])


def _united(frames: list[pl.DataFrame], reduce: Callable[[pl.DataFrame], pl.DataFrame] | None) -> pl.DataFrame:
    filled = [frame for frame in frames if not frame.is_empty()] or frames[:1]
    if len(filled) == 1:
        return filled[0]
    together = pl.concat(without_codes(frame) for frame in filled)
    return reduce(together) if reduce else together


def added_facts(facts: pl.DataFrame) -> pl.DataFrame:
    """FACTS with equal keys added up."""
    keys, of_row = grouped_rows(facts.select(FACT_KEYS))
    measured = facts["least"].is_not_null()
    nil = pl.col("least").is_null()
    measures: dict[str, Exact] = {
        "n": facts["n"].to_numpy(),
        "measured": measured.cast(pl.Int64).to_numpy(),
        "total": narrowed(facts["total"]),
    }
    # What was not measured must never win: it takes the greatest of all as its least, and the other way round.
    filled = facts.select(
        least=pl.when(nil).then(pl.col("greatest").max()).otherwise("least").fill_null(0),
        greatest=pl.when(nil).then(pl.col("least").min()).otherwise("greatest").fill_null(0),
    )
    measures |= {name: narrowed(filled[name]) for name in ("least", "greatest")}
    newest = None
    if facts["newest_us"].null_count() < len(facts):
        newest, measures["newest"] = by_newness(facts.select(NEWEST))
    tally = Tally(np.arange(len(facts), dtype=np.int64), measures, _bins(facts["histogram"]))
    added = regroup(tally, of_row)
    columns = keys[added.keys].get_columns()
    return facts_of(columns, added, newest)


def counted_activity(activity: pl.DataFrame) -> pl.DataFrame:
    """ACTIVITY: what counts once, counts."""
    return activity.group_by(ACTIVITY_KEYS).agg(pl.col("counts").any())


def newest_states(states: pl.DataFrame) -> pl.DataFrame:
    """STATES: of what is dated each (time, source, id), else the newest a field."""
    dated = states.filter("dated").sort("value").unique([*STATE_KEYS, *_MOMENT], keep="last")
    latest = states.filter(~pl.col("dated")).sort([*_MOMENT, "value"]).unique(STATE_KEYS, keep="last")
    return pl.concat([dated, latest])


def earliest_milestones(milestones: pl.DataFrame) -> pl.DataFrame:
    """MILESTONES: the earliest of each by (time, source, id)."""
    return milestones.sort(_MOMENT).unique(MILESTONE_KEYS, keep="first")


def distinct_steps(steps: pl.DataFrame) -> pl.DataFrame:
    """STEPS: a step a key (of two with one key the same one always)."""
    return steps.sort("account", "fields").unique(STEP_KEYS, keep="last")


def united_probes(probes: pl.DataFrame) -> pl.DataFrame:
    """PROBES: seconds united, probes added."""
    keys, of_row = grouped_rows(probes.select(PROBE_KEYS))
    order = np.argsort(of_row, kind="stable")
    starts = np.searchsorted(of_row[order], np.arange(len(keys)))
    made = keys.get_columns()
    for name in BIT_COLUMNS:
        bits = np.frombuffer(b"".join(probes[name].to_list()), dtype=np.uint8).reshape(len(probes), -1)
        united = np.bitwise_or.reduceat(bits[order], starts, axis=0)
        made.append(pl.Series(name, [row.tobytes() for row in united], dtype=pl.Binary))
    for name in ("probes", "probes_up"):
        made.append(pl.Series(name, np.add.reduceat(probes[name].to_numpy()[order], starts)))
    return pl.DataFrame(made).select(PROBES.names())


def _bins(packed: pl.Series) -> Bins | None:
    """The bins of packed histograms, by row."""
    lengths = packed.list.len().fill_null(0).to_numpy()
    if not lengths.any():
        return None
    entries = packed.filter(pl.Series(lengths > 0)).explode().to_numpy()
    return Bins(
        row=np.repeat(np.arange(len(packed), dtype=np.int64), lengths),
        bin=entries >> histogram.COUNT_BITS,
        count=entries & histogram.COUNT_MASK,
    )
