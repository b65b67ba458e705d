"""Filling rollups by hand: the facts of a list of observations, at every grain, as the folds would."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import asyncpg
import numpy as np

from service.clock import MINUTE, QUARTER, to_datetime
from service.domain.families.usage import NAMED, OF_ACCOUNT
from service.domain.histogram import bin_of, pack
from service.domain.localtime import day_of
from service.store.engine import Connection

SERIES_ID = """
with made as (
  insert into series (tenant, kind, account, dims) values ($1, $2, $3, $4) on conflict do nothing returning id
)
select id from made
union all
select id from series where tenant = $1 and kind = $2 and account = $3 and dims = $4
"""


@dataclass(frozen=True, slots=True)
class Observation:
    """Something that happened `count` times, with a value in nanoseconds or 10⁻⁹."""

    at_us: int
    dims: Mapping[str, str] = field(default_factory=dict)
    account: str = ""
    value: int = 0
    count: int = 1
    id: str = ""


async def make_tenant(connection: Connection, name: str, zone: str = "UTC") -> int:
    """A tenant; returns its id."""
    found = await connection.fetchval("insert into tenant (name, timezone) values ($1, $2) returning id", name, zone)
    assert isinstance(found, int)
    return found


async def make_partitions(connection: Connection) -> None:
    """A partition for what lies outside of the span that is kept."""
    for table in ("fact_minute", "fact_quarter"):
        await connection.execute(f"create table if not exists {table}_p2_rest partition of {table} default")


async def store(
    connection: Connection | asyncpg.Pool,
    tenant: int,
    kind: str,
    zone: str,
    seen: Iterable[Observation],
    *,
    distribution: bool = True,
    minutes: bool = True,
) -> None:
    """Write the observations to the fact tables at every grain, or without the minutes that are no longer kept.

    Uses that name an account are written of all accounts together, too, of each account whatever the feature, and of each account
    and feature by day.
    """
    observed = list(seen)
    if kind == "usage":
        named = [one for one in observed if one.account]
        of_all = [replace(one, account="") for one in named]
        of_accounts = [replace(one, dims={key: one.dims[key] for key in ("ok",) if key in one.dims}) for one in named]
        for of, uses in ((NAMED, of_all), (OF_ACCOUNT, of_accounts)):
            await store(connection, tenant, of, zone, uses, distribution=distribution, minutes=minutes)
        await _store_days(connection, tenant, zone, named)
    groups: dict[tuple[str, str, str, int], list[Observation]] = defaultdict(list)
    for one in observed:
        dims = json.dumps(dict(sorted(one.dims.items())))
        for table, bucket in (
            ("fact_minute", one.at_us // MINUTE * MINUTE),
            ("fact_quarter", one.at_us // QUARTER * QUARTER),
            ("fact_day", day_of(one.at_us, zone)),
        ):
            if minutes or table != "fact_minute":
                groups[table, one.account, dims, bucket].append(one)
    rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    ids: dict[tuple[str, str], int] = {}
    for (table, account, dims, bucket), group in groups.items():
        if (account, dims) not in ids:
            ids[account, dims] = await connection.fetchval(SERIES_ID, tenant, kind, account, dims)
        place = date(1970, 1, 1) + timedelta(days=bucket) if table == "fact_day" else to_datetime(bucket)
        rows[table].append((ids[account, dims], place, *_measures(group, kind, distribution=distribution)))
    for table, records in rows.items():
        await connection.copy_records_to_table(table, records=records)


async def _store_days(connection: Connection | asyncpg.Pool, tenant: int, zone: str, named: list[Observation]) -> None:
    """Uses of each account and feature by day."""
    totals: dict[tuple[date, str, str], int] = defaultdict(int)
    for one in named:
        day = date(1970, 1, 1) + timedelta(days=day_of(one.at_us, zone))
        totals[day, one.account, one.dims.get("feature", "")] += one.value * one.count
    records = [(tenant, *key, total) for key, total in totals.items()]
    await connection.copy_records_to_table("use_day", records=records)


def _measures(group: list[Observation], kind: str, *, distribution: bool) -> tuple[Any, ...]:
    values = [one.value for one in group]
    newest = max(group, key=lambda one: (one.at_us, one.id))
    meter = kind == "meter"
    bins = bin_of(np.array(values, dtype=np.int64))
    return (
        sum(one.count for one in group),
        sum(one.value * one.count for one in group),
        min(values),
        max(values),
        newest.at_us if meter else None,
        "s" if meter else None,
        newest.id if meter else None,
        newest.value if meter else None,
        pack(bins, np.array([one.count for one in group], dtype=np.int64)).tolist() if distribution else None,
    )
