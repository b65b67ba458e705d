"""A report's account of what support was promised: attainment by tier, and every limit that was missed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from service.catalog import Value
from service.catalog.value import NO_DATA
from service.clock import DAY, SECOND
from service.domain.support.attainment import PROMISED
from service.domain.support.judging import Due, State
from service.expose.moments import rfc3339
from service.expose.tickets import Desk, dues_of
from service.lifecycle import side_by_side
from service.reports import layout
from service.reports.figures import Made, part
from service.reports.model import Cell, Figure, Grid, Status
from service.reports.numbers import readable, target_text
from service.reports.reading import Named, Reader
from service.reports.tables import cell
from service.store import tickets
from service.store.tickets import Ticket, TicketSelection

MAX_MISSES: Final = 100
PAGE: Final = 500
MAX_LOOKS: Final = 40
"""Pages of tickets that are looked through, of accounts that have misses."""
LOOK_BACK_US: Final = 400 * DAY
"""So much earlier than the window a ticket may have been opened, or reopened since, whose limit ended in it."""
NOBODY: Final = ""
"""In place of an account: of tickets that name none a split by account shows nothing."""
_MISSED: Final = ("support_sla.missed_responses", "support_sla.missed_resolutions")
_ATTAINED: Final = ("support_sla", "support_sla.response", "support_sla.resolution", *_MISSED)


async def attainment(reader: Reader, ask: layout.Attainment) -> Made:
    """A line a tier: the share of its tickets within their limits beside what was promised, or is declared as its target."""
    named = [reader.named(each) for each in _ATTAINED]
    columns = await side_by_side(reader.rows(each, "tier", [reader.window]) for each in named)
    others = sorted({name for column in columns for name in column} - PROMISED.keys())
    rows: list[tuple[Cell, ...]] = []
    judged: list[Figure] = []
    for tier in (*PROMISED, *others):
        found = [column.get(tier, {}).get(0) for column in columns]
        figures = [
            part(reader, each, value, by="tier") for each, value in zip(named, _filled(reader, named, found, tier), strict=True)
        ]
        figures[0] = _promised(figures[0], tier)
        judged += figures
        n = found[0].denominator if found[0] is not None else 0
        counted = Cell(readable(float(n or 0), "tickets"), is_number=True)
        rows.append((Cell(tier or "without tier"), counted, Cell(figures[0].target, is_number=True), *map(cell, figures)))
    titles = ("within both limits", "answered in time", "resolved in time", "late responses", "late resolutions")
    return Made((Grid(ask.title, ("tier", "judged", "promised", *titles), tuple(rows)),), tuple(judged))


def _filled(reader: Reader, named: list[Named], found: list[Value | None], tier: str) -> list[Value]:
    """What there is; of a tier without tickets counts are 0, and shares have no value."""
    dims, shares = {"tier": tier}, len(named) - len(_MISSED)
    tenant = reader.ground.tenant
    nothing = [
        Value(tenant, 0, each.statistic, None if place < shares else 0.0, dims=dims, reason=NO_DATA if place < shares else "")
        for place, each in enumerate(named)
    ]
    return [value or none for value, none in zip(found, nothing, strict=True)]


def _promised(figure: Figure, tier: str) -> Figure:
    """Judged by what the tier was promised, where no target is declared for it."""
    promise = PROMISED.get(tier)
    if figure.target or promise is None:
        return figure
    status: Status = "none" if figure.value is None else "green" if figure.value >= promise else "red"
    return msgspec.structs.replace(figure, status=status, target=target_text(">=", promise, "ratio"))


@dataclass(frozen=True, slots=True)
class _Miss:
    """A limit that ended in the window without what it asked for."""

    ticket: Ticket
    due: Due


async def support_misses(reader: Reader, ask: layout.SupportMisses) -> Grid:
    """Every response and resolution that was late, by when its limit ended, as far as the window has come."""
    counted = await side_by_side(reader.rows(reader.named(each), "account", [reader.window]) for each in _MISSED)
    accounts = sorted(
        {account for column in counted for account, row in column.items() if any(each.value for each in row.values())}
    )
    missed, is_whole = await _misses(reader, [NOBODY, *accounts])
    found = sorted(missed, key=lambda each: (each.due.due_us, each.ticket.subject))
    rows = [_row(each) for each in found[:MAX_MISSES]]
    if len(found) > MAX_MISSES:
        rows.append((Cell(f"and {len(found) - MAX_MISSES} more"), *(Cell("") for _ in range(7))))
    if not is_whole:
        rows.append((Cell(f"of the newest {PAGE * MAX_LOOKS:,} tickets alone"), *(Cell("") for _ in range(7))))
    columns = ("ticket", "account", "tier", "priority", "limit", "ended", "done", "late by")
    return Grid(ask.title, columns, tuple(rows), "No limit was missed.")


async def _misses(reader: Reader, accounts: list[str]) -> tuple[list[_Miss], bool]:
    """Those of tickets of these accounts, the newest opened first, and whether all tickets were looked through."""
    window, found = reader.window, list[_Miss]()
    wanted = TicketSelection(accounts=accounts, start_us=window.start_us - LOOK_BACK_US, end_us=window.until_us)
    after: tuple[int, str] | None = None
    async with reader.snapshot.connection() as connection:
        for _ in range(MAX_LOOKS):
            several = await tickets.page(connection, reader.ground.tenant, wanted, after=after, limit=PAGE)
            desk = Desk.of(reader.ground.config(window), several, reader.ground.now_us)
            for one in several:
                dues = [each for each in dues_of(one, desk) if each.state is State.MISSED]
                found += [_Miss(one, due) for due in _first(dues) if window.start_us <= due.due_us < window.until_us]
            if len(several) < PAGE:
                return found, True
            after = several[-1].opened_us, several[-1].subject
    return found, False


def _first(missed: list[Due]) -> Iterable[Due]:
    """Of a response one, and of mitigation and resolution the one that was passed first: together they are one miss."""
    for measures in (("response",), ("mitigation", "resolution")):
        several = [each for each in missed if each.measure in measures]
        if several:
            yield min(several, key=lambda each: each.due_us)


def _row(miss: _Miss) -> tuple[Cell, ...]:
    one, due = miss.ticket, miss.due
    done = "not yet" if due.done_us is None else rfc3339(due.done_us) or ""
    late = "" if due.done_us is None else readable((due.done_us - due.due_us) / SECOND, "s")
    return (
        Cell(one.subject),
        Cell(one.account),
        Cell(one.tier or ""),
        Cell(one.priority or ""),
        Cell(f"{due.measure} {due.limit.text}"),
        Cell(rfc3339(due.due_us) or ""),
        Cell(done),
        Cell(late, is_number=True),
    )
