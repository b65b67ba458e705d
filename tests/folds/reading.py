"""Deltas as the oracle writes them, so that the two can be compared; keys must be unique."""

from typing import Any

import numpy as np
import polars as pl

from service.aggregate import deltas as schemas
from service.aggregate.deltas import Deltas
from service.domain.histogram import split
from tests.folds.oracle import Fact, Oracle

BITS = ("up", "down", "degraded", "planned", "excluded")


def read(deltas: Deltas) -> Oracle:
    for name in (
        "facts",
        "activity",
        "users",
        "states",
        "milestones",
        "steps",
        "probes",
        "sessions",
        "frequency",
        "tracked",
        "slos",
    ):
        assert getattr(deltas, name).schema == getattr(schemas, name.upper())
    made = Oracle(users=_set(deltas.users))
    seen = deltas.activity.rows()
    assert len({row[:5] for row in seen}) == len(seen)
    for tenant, account, user, feature, day, counts in seen:
        made.users.add((tenant, user))
        made.activity.add((tenant, account, user, feature, day))
        if counts:
            made.activity.add((tenant, account, user, "", day))
    for row in deltas.facts.iter_rows(named=True):
        _put(made.facts, tuple(row[k] for k in ("tenant", "kind", "account", "dims", "grain", "bucket")), _fact(row))
    for row in deltas.states.iter_rows(named=True):
        key = tuple(row[k] for k in ("tenant", "kind", "who", "account", "field", "dated"))
        moment = (row["time_us"], row["source"], row["id"])
        _put(made.states, (*key, *moment) if row["dated"] else key, (row["value"],) if row["dated"] else (*moment, row["value"]))
    for milestone in deltas.milestones.iter_rows():
        _put(made.milestones, milestone[:5], milestone[5:])
    for step in deltas.steps.iter_rows():
        _put(made.steps, step[:6], step[6:])
    made.sessions = _by_key(deltas.sessions, 3)
    made.frequency = {key: uses for key, (uses,) in _by_key(deltas.frequency, 5).items()}
    made.tracked = {key: (told[:8], told[8]) for key, told in _by_key(deltas.tracked, 2).items()}
    made.slos = {key: tuple(counts) for key, counts in _by_key(deltas.slos, 2).items()}
    for row in deltas.probes.iter_rows(named=True):
        key = tuple(row[k] for k in ("tenant", "account", "component", "monitor", "region", "bucket"))
        counts = {name: row[name] for name in ("probes", "probes_up") if row["probes"]}
        _put(made.probes, key, {name: seconds(row[name]) for name in BITS} | counts)
    return made


def seconds(bits: bytes) -> set[int]:
    """The seconds of a quarter that are set."""
    assert len(bits) == 113
    drawn = np.unpackbits(np.frombuffer(bits, dtype=np.uint8))
    assert not drawn[900:].any()
    return {int(second) for second in np.flatnonzero(drawn)}


def _fact(row: dict[str, Any]) -> Fact:
    fact = Fact(n=row["n"], total=row["total"], least=row["least"], greatest=row["greatest"])
    if row["newest_us"] is not None:
        fact.newest = (row["newest_us"], row["newest_source"], row["newest_id"], row["newest_value"])
    if row["histogram"] is not None:
        packed = np.array(row["histogram"], dtype=np.int64)
        assert packed.tolist() == sorted(packed.tolist())
        bins, counts = split(packed)
        assert bins.tolist() == (packed >> 48).tolist()
        fact.histogram = dict(zip(bins.tolist(), counts.tolist(), strict=True))
        assert fact.histogram
    return fact


def _set(frame: pl.DataFrame) -> set[tuple[Any, ...]]:
    rows = frame.rows()
    assert len(set(rows)) == len(rows)
    return set(rows)


def _by_key(frame: pl.DataFrame, width: int) -> dict[tuple[Any, ...], Any]:
    made: dict[tuple[Any, ...], Any] = {}
    for row in frame.iter_rows():
        _put(made, row[:width], row[width:])
    return made


def _put(into: dict[Any, Any], key: Any, value: Any) -> None:
    assert key not in into, key
    into[key] = value
