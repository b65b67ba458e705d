"""KPIs of an installation's operator: files of a directory of theirs, tried on Postgres before they count.

They may only read: their statements run in read-only transactions and for a bounded time. One that Postgres refuses, or
that gives other columns than its kind needs, is refused with its line, and the others go on.
"""

from collections.abc import Mapping
from pathlib import Path

import asyncpg
import structlog

from service.catalog.kpi import Kind, Kpi
from service.catalog.loader import KPIS, Catalog, Refusal, line_of_statement
from service.catalog.statement import statement
from service.store.engine import Connection

_COLUMNS: Mapping[Kind, tuple[str, ...]] = {
    "count": ("statistic", "numerator", "denominator"),
    "ratio": ("statistic", "numerator", "denominator"),
    "mean": ("statistic", "numerator", "denominator"),
    "distribution": ("n", "total", "least", "greatest", "histogram"),
    "durations": ("durations",),
}
_ALWAYS = ("tenant", "win", "dims")
_ANSWER = "answer as (\n"

log = structlog.get_logger(__name__)


async def load_catalog(connection: Connection, directory: Path | None) -> Catalog:
    """The catalog that comes with tidegauge, and the files of the operator's directory that Postgres takes; others are logged."""
    catalog = Catalog.load() if directory is None else Catalog.load(KPIS, directory)
    refused = [refusal for kpi in catalog.kpis.values() if kpi.is_guest and (refusal := await _refusal(connection, kpi))]
    if directory is not None and refused:
        catalog = Catalog.load(KPIS, directory, refused=refused)
    for refusal in catalog.refused:
        log.error("kpi_refused", file=refusal.file, line=refusal.line, why=refusal.message)
    return catalog


async def _refusal(connection: Connection, kpi: Kpi) -> Refusal | None:
    """What is wrong with a file's statement; formulas have none."""
    if kpi.formula is not None:
        return None
    made = statement(kpi, (), frozenset())
    try:
        async with connection.transaction(readonly=True):
            prepared = await connection.prepare(made.text)
    except asyncpg.PostgresError as error:
        return Refusal(kpi.file, _line(kpi, made.text, error), f"Postgres refuses the statement: {error}")
    columns = {attribute.name for attribute in prepared.get_attributes()}
    missing = [name for name in (*_ALWAYS, *_COLUMNS[kpi.head.kind]) if name not in columns]
    if missing:
        said = f"a KPI of the kind {kpi.head.kind} returns {', '.join((*_ALWAYS, *_COLUMNS[kpi.head.kind]))}"
        return Refusal(kpi.file, line_of_statement(Path(kpi.file)), f"the statement lacks {', '.join(missing)}: {said}")
    return None


def _line(kpi: Kpi, text: str, error: asyncpg.PostgresError) -> int:
    """The line of the file that Postgres points at; where it points at none, or at what we put before, the statement's first."""
    first = line_of_statement(Path(kpi.file))
    begins = text.index(_ANSWER) + len(_ANSWER)
    position = str(getattr(error, "position", "") or "")
    if not position.isdigit() or int(position) <= begins:
        return first
    last = first + kpi.sql.count("\n")
    return min(last, first + text.count("\n", begins, int(position) - 1))
