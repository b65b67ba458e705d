"""KPIs of an installation's operator: files of a directory of theirs, tried on Postgres before they count.

They may only read: their statements run in read-only transactions and for a bounded time. One that Postgres refuses, or
that gives other columns than its kind needs, is refused with its line, and the others go on.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import asyncpg
import structlog

from service.catalog.kpi import Kind, Kpi
from service.catalog.loader import KPIS, Catalog, Refusal, line_of_key, line_of_statement
from service.catalog.question import ACCOUNT
from service.catalog.relations_facts import of_series
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
_ANSWER, _ANSWERED = "answer as (\n", "\n)\nselect * from "
_EXAMPLES: Mapping[str, str] = {"band.*": "band.mrr"}
"""Of dimensions that stand for several, one that there is; of others any name will do."""

log = structlog.get_logger(__name__)


def read_catalog(directory: Path | None) -> Catalog:
    """The catalog that comes with tidegauge, and the files of the operator's directory as they are written, untried."""
    return Catalog.load() if directory is None else Catalog.load(KPIS, directory)


async def load_catalog(connection: Connection, directory: Path | None) -> Catalog:
    """The same without the files that Postgres does not take; what is refused, and what has no gauge, is logged."""
    catalog = read_catalog(directory)
    refused = [refusal for kpi in catalog.kpis.values() if kpi.is_guest and (refusal := await _refusal(connection, kpi))]
    if directory is not None and refused:
        catalog = Catalog.load(KPIS, directory, refused=refused)
    for refusal in catalog.refused:
        log.error("kpi_refused", file=refusal.file, line=refusal.line, why=refusal.message)
    for kpi in catalog.kpis.values():
        if kpi.is_guest and kpi.head.live is None:
            log.warning("kpi_without_gauge", file=kpi.file, why="its head has no [live]: it has no gauge and no history")
    return catalog


async def _refusal(connection: Connection, kpi: Kpi) -> Refusal | None:
    """What is wrong with a file's statement, as a whole, split and filtered by each of its dimensions; formulas have none."""
    if kpi.formula is not None:
        return None
    for by, filtered in _questions(kpi):
        try:
            made = statement(kpi, by, filtered)
        except LookupError as error:
            why = f"a relation that the statement reads cannot be {_asked(by, filtered)}: it has no {error}"
            return Refusal(kpi.file, line_of_key(Path(kpi.file), "dimensions"), f"dimensions: {why}")
        try:
            async with connection.transaction(readonly=True):
                prepared = await connection.prepare(made.text)
        except asyncpg.PostgresError as error:
            where = f", {_asked(by, filtered)}" if by or filtered else ""
            return Refusal(kpi.file, _line(kpi, made.text, error), f"Postgres refuses the statement{where}: {error}")
        columns = {attribute.name for attribute in prepared.get_attributes()}
        missing = [name for name in (*_ALWAYS, *_COLUMNS[kpi.head.kind]) if name not in columns]
        if missing:
            said = f"a KPI of the kind {kpi.head.kind} returns {', '.join((*_ALWAYS, *_COLUMNS[kpi.head.kind]))}"
            return Refusal(kpi.file, line_of_statement(Path(kpi.file)), f"the statement lacks {', '.join(missing)}: {said}")
    return None


def _questions(kpi: Kpi) -> Iterator[tuple[tuple[str, ...], frozenset[str]]]:
    """Splits and filters that differ in their text: none, each dimension as either, and accounts with something beside them."""
    yield (), frozenset()
    own = [name for name in kpi.head.dimensions if name != ACCOUNT]
    if ACCOUNT in kpi.head.dimensions and own:
        yield (ACCOUNT, own[0]), frozenset()
    for dimension in (_EXAMPLES.get(name, name.replace("*", "name")) for name in kpi.dimensions):
        yield (dimension,), frozenset()
        yield (), frozenset({dimension})


def _asked(by: tuple[str, ...], filtered: frozenset[str]) -> str:
    return f"split by {', '.join(by)}" if by else f"filtered by {', '.join(filtered)}"


def _line(kpi: Kpi, text: str, error: asyncpg.PostgresError) -> int:
    """The line of the file that Postgres points at; where it points at none, or at what we put before, the statement's first."""
    path, written = Path(kpi.file), str(getattr(error, "position", "") or "")
    first, position = line_of_statement(path), int(written) - 1 if written.isdigit() else -1
    begins, ends = text.index(_ANSWER) + len(_ANSWER), text.rindex(_ANSWERED)
    if begins <= position <= ends + 1:  # a bracket too many ends it early: ours is the one that Postgres stumbles over
        return min(first + kpi.sql.count("\n"), first + text.count("\n", begins, position))
    where = of_series(kpi.head.facts.where) if kpi.head.facts else ""
    starts = text.rfind(where, 0, position + len(where)) if where and position >= 0 else -1
    return line_of_key(path, "facts", "where") if 0 <= starts <= position <= starts + len(where) else first
