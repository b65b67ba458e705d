"""Filling quarters of an hour with what probes said, and steps with what happened in incidents, by hand."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg

from service.clock import QUARTER, SECOND, to_datetime
from service.store.engine import Connection
from tests.catalog.people import bits

QUARTER_S = QUARTER // SECOND


@dataclass(frozen=True, slots=True)
class Probe:
    """What a monitor said of `interval_s` seconds from `second` (since 1970) on."""

    second: int
    interval_s: int
    up: bool = True
    component: str = "web"
    monitor: str = "default"
    region: str = ""
    account: str = ""
    degraded: bool = False
    planned: bool = False
    excluded: bool = False

    @property
    def marks(self) -> Iterable[str]:
        """The strings of bits that it sets."""
        if self.excluded:
            return ("excluded",)
        said = {"up": self.up, "down": not self.up, "degraded": self.degraded, "planned": self.planned}
        return [name for name, is_so in said.items() if is_so]


async def store_probes(connection: Connection, tenant: int, probes: Iterable[Probe]) -> None:
    """Write the quarters that these probes speak for."""
    await connection.execute("create table if not exists probe_quarter_p2_rest partition of probe_quarter default")
    marked: dict[tuple[Any, ...], dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    counted: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0])
    for probe in probes:
        of = (probe.account, probe.component, probe.monitor, probe.region)
        counts = counted[(*of, probe.second // QUARTER_S)]
        counts[0] += not probe.excluded
        counts[1] += probe.up and not probe.excluded
        for second in range(probe.second, probe.second + probe.interval_s):
            for name in probe.marks:
                marked[(*of, second // QUARTER_S)][name].add(second % QUARTER_S)
    rows = [
        (
            tenant,
            *key[:-1],
            to_datetime(key[-1] * QUARTER),
            *(bits(places[name], QUARTER_S) for name in ("up", "down", "degraded", "planned", "excluded")),
            *counted[key],
        )
        for key, places in marked.items()
    ]
    await connection.copy_records_to_table("probe_quarter", records=rows)
    names = sorted({key[1] for key in marked})
    await connection.executemany(
        "insert into name (tenant, kind, name) values ($1, 'component', $2)", [(tenant, name) for name in names]
    )


async def store_steps(
    connection: asyncpg.Connection,
    tenant: int,
    subject: str,
    steps: Iterable[tuple[int, Mapping[str, Any]]],
    *,
    account: str = "",
    first: int = 0,
) -> None:
    """Write the steps of one incident: its moment in microseconds, and its fields; ids are numbered from `first` on."""
    rows = [
        (tenant, "incident", subject, at_us, "/s", f"{subject}-{number}", account, json.dumps(fields))
        for number, (at_us, fields) in enumerate(steps, start=first)
    ]
    columns = ("tenant", "family", "subject", "time_us", "source", "id", "account", "fields")
    await connection.copy_records_to_table("step", records=rows, columns=columns)
