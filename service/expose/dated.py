"""Figures of several windows, each by what was declared at its own time."""

from collections.abc import Sequence

from service.catalog import Kpi, Question, Value, Window, run
from service.expose.ground import Ground
from service.store.engine import Connection
from service.store.snapshots import Snapshot


async def run_dated(
    connection: Connection,
    kpi: Kpi,
    windows: Sequence[Window],
    question: Question,
    ground: Ground,
    seen: Snapshot | None = None,
) -> list[Value]:
    """The values of windows of a tenant: one statement for each version of its configuration that counts for some of them.

    `seen` as in `run`. Raises InvalidQuery when the question does not fit the KPI.
    """
    by_version: dict[int, list[Window]] = {}
    for window in windows:
        by_version.setdefault(ground.version(window), []).append(window)
    values: list[Value] = []
    for few in by_version.values():
        values += await run(connection, kpi, few, question, declared=ground.declared(few[0]), kept=ground.kept, seen=seen)
    return values
