"""Running a KPI: one statement for all tenants and windows, and its rows turned into values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import asyncpg
import msgspec

from service.catalog.adding import added_up, at_once, finest, in_one
from service.catalog.arguments import arguments
from service.catalog.cut import Kept
from service.catalog.declared import Declared
from service.catalog.expiry import by_expiry
from service.catalog.figures import Figures, Place, read_figures
from service.catalog.guarded import answering, fetch_guest, unless_failed
from service.catalog.joining import joined, parts
from service.catalog.joint import Ready, key_of, read_jointly
from service.catalog.kpi import Formula, Kpi
from service.catalog.question import MAX_PIECES, MAX_ROWS, Question, by_account_first, check
from service.catalog.scores import Scene
from service.catalog.scoring import accounts_asked, score_values
from service.catalog.shared import Shared, Slow, nobody_slow
from service.catalog.spread import with_variance
from service.catalog.statement import Statement, comes_in_pieces, statement
from service.catalog.statistics import default_statistics, derived, elapsed, empty, of_durations, of_histogram, plain, rate
from service.catalog.value import EXPIRED, NO_DATA, Figure, Row, Value, one_where_apart
from service.catalog.windows import Window
from service.errors import TooManyRows
from service.store.engine import Connection
from service.store.snapshots import Snapshot

_DIMS: Final = msgspec.json.Decoder(dict[str, str])


async def run(
    connection: Connection,
    kpi: Kpi,
    windows: Sequence[Window],
    question: Question | None = None,
    *,
    declared: Mapping[int, Declared] | None = None,
    kept: Kept | None = None,
    shared: Shared | None = None,
    ready: Ready | None = None,
    seen: Snapshot | None = None,
) -> list[Value]:
    """All values of a KPI for these windows, of any tenants, with one statement; what others read alike is `shared`.

    Of what a formula is made of, rows may be `ready`. A score asks side by side where its connection is one of several that have
    nothing else to do, those of `seen`.

    Without a split every window has a value of every statistic, if need be 0 or none with its reason; with
    one there are the rows that something happened in, and the names that are declared.
    Raises InvalidQuery when the question does not fit the KPI, and KpiFailed where an operator's own file gives no answer.
    """
    asked = question or Question()
    check(kpi, asked)
    known = declared if declared is not None else {}
    if kpi.formula is not None:
        return await _derived(connection, kpi, kpi.formula, windows, asked, known, kept or Kept(), shared, ready)
    if kpi.head.kind == "score":
        of = scene(seen or Snapshot((connection,)), kpi.beside, windows, accounts_asked(asked), known, kept or Kept())
        return await score_values(kpi, of, asked)
    gone, there = by_expiry(kpi, windows, kept or Kept())
    records: Sequence[Row] | None = ready.get(key_of(kpi, there, asked)) if ready else None
    if records is None:
        records = await _records(connection, kpi, there, asked, known, shared) if there else []
    return _answers(kpi, there, records, asked, known) + [
        _nothing(window, name, EXPIRED) for window in gone for name in _wanted(kpi, asked)
    ]


async def run_splits(
    connection: Connection,
    kpi: Kpi,
    windows: Sequence[Window],
    questions: Sequence[Question],
    *,
    declared: Mapping[int, Declared],
    kept: Kept,
    shared: Shared | None = None,
) -> list[Value]:
    """The values of several splits of a KPI that differ in nothing else and have no filters.

    A score measures once for all of them; rows that add up are asked for once, by all of the dimensions, and so is what gives
    several splits at once.

    Raises InvalidQuery when a question does not fit the KPI.
    """
    if kpi.head.kind == "score":
        for question in questions:
            check(kpi, question)
            accounts_asked(question)
        slow = shared.slow if shared else nobody_slow
        of = scene(Snapshot((connection,)), kpi.beside, windows, None, declared, kept, slow=slow)
        return await score_values(kpi, of, *questions)
    splits = [each.by for each in questions]
    together = at_once(kpi, splits)
    fine = together or finest(kpi, splits)
    if fine is None:
        found = [await run(connection, kpi, windows, each, declared=declared, kept=kept, shared=shared) for each in questions]
        return [value for values in found for value in values]
    gone, there = by_expiry(kpi, windows, kept)
    answers: list[Value] = []
    if there:
        asked = replace(questions[0], by=fine)
        check(kpi, asked)
        dropped = [[name for name in fine if name not in by] for by in splits] if together else None
        records = await _records(connection, kpi, there, asked, declared, dropped=dropped)
        for number, question in enumerate(questions):
            rows = [each for each in records if each["split"] == number] if together else added_up(records, question.by)
            answers += _answers(kpi, there, rows, question, declared)
    return answers + [_nothing(window, name, EXPIRED) for window in gone for name in _wanted(kpi, questions[0])]


async def _records(
    connection: Connection,
    kpi: Kpi,
    windows: Sequence[Window],
    asked: Question,
    known: Mapping[int, Declared],
    shared: Shared | None = None,
    *,
    dropped: Sequence[Sequence[str]] | None = None,
) -> Sequence[Row]:
    """The rows of a KPI's statement; for several splits at once each with its number, of the dimensions that it has not."""
    by = (*asked.by, *(name for name in kpi.head.apart if name not in asked.by))
    given = await shared.active(connection, kpi, windows, asked, known) if shared else None
    made = statement(kpi, by, asked.filtered, frozenset() if given is None else frozenset({"active"}))
    bound = arguments(kpi, windows, asked, by, known, frozenset(made.parameters)) | {"given": given}
    if dropped is not None:
        bound["split_dropped"] = [",".join(names) for names in dropped]
    if comes_in_pieces(kpi):
        return await _pieces(connection, kpi, made, bound, by_account=by_account_first(by))
    records = await _fetch(connection, kpi, made, bound)
    if asked.rows is None and len(records) > MAX_ROWS:
        raise TooManyRows(MAX_ROWS)
    return records


async def _pieces(connection: Connection, kpi: Kpi, made: Statement, bound: dict[str, Any], *, by_account: bool) -> Sequence[Row]:
    """The rows of a statement that come in pieces, each put together, all of them: a page is none of the statement's own."""
    pieces = await _fetch(connection, kpi, made, bound | {"row_limit": MAX_PIECES + 1})
    rows = in_one(pieces, by_account=by_account)
    if len(pieces) > MAX_PIECES or len(rows) > MAX_ROWS:
        raise TooManyRows(MAX_ROWS)
    return rows


def _answers(
    kpi: Kpi, windows: Sequence[Window], records: Iterable[Row], asked: Question, known: Mapping[int, Declared]
) -> list[Value]:
    """The values of rows, and of what has none and is yet an answer."""
    with answering(kpi):
        answers = _values(kpi, windows, records, asked)
    answers = one_where_apart(answers, asked.by) if kpi.head.apart else answers
    return answers + _missing(kpi, windows, answers, asked, known)


async def _fetch(connection: Connection, kpi: Kpi, made: Statement, bound: Mapping[str, Any]) -> list[asyncpg.Record]:
    in_order = [bound[name] for name in made.parameters]
    rows: list[asyncpg.Record] = (
        await fetch_guest(connection, kpi, made.text, in_order) if kpi.is_guest else await connection.fetch(made.text, *in_order)
    )
    return rows


async def _derived(
    connection: Connection,
    kpi: Kpi,
    formula: Formula,
    windows: Sequence[Window],
    asked: Question,
    known: Mapping[int, Declared],
    kept: Kept,
    shared: Shared | None,
    ready: Ready | None,
) -> list[Value]:
    """The values of a formula: one statement for KPIs that read alike, or none where another formula has asked for the same."""
    if ready is None and shared is None:
        ready = await read_jointly(connection, formula, windows, asked, known, kept)
    found = []
    for part in parts(formula, asked):
        values: list[Value] = []
        if not part.is_empty:
            of = part.windows(windows)
            ask = partial(run, connection, part.kpi, of, part.question, declared=known, kept=kept, shared=shared, ready=ready)
            values = await (ask() if shared is None else shared.figures(part.kpi, of, part.question, ask))
        found.append((part, values))
    answers = joined(kpi, formula, windows, asked, found)
    return one_where_apart(answers, asked.by) if kpi.head.apart else answers


def scene(
    seen: Snapshot,
    kpis: Mapping[str, Kpi],
    windows: Sequence[Window],
    accounts: tuple[str, ...] | None,
    known: Mapping[int, Declared],
    kept: Kept,
    *,
    slow: Slow = nobody_slow,
) -> Scene:
    """What scores of some windows stand on; tenants that an own KPI is `slow` for are not asked for it."""

    async def ask(connection: Connection, kpi: Kpi, of: Sequence[Window], question: Question) -> list[Value]:
        asked = partial(run, connection, kpi, question=question, declared=known, kept=kept)
        return await unless_failed(asked, kpi, of, question, slow=slow(kpi)) if of else []

    async def read(connection: Connection, kpi: Kpi, of: Sequence[Window], question: Question) -> dict[Place, Figures]:
        _, there = by_expiry(kpi, of, kept)
        return await read_figures(connection, kpi, there, question, known) if there else {}

    return Scene(seen, ask, read, kpis, windows, known, accounts)


def _wanted(kpi: Kpi, question: Question) -> tuple[str, ...]:
    if question.statistics:
        return question.statistics
    names = default_statistics(kpi)
    return names if question.within is not None else tuple(name for name in names if name != "share_within")


def _values(kpi: Kpi, windows: Sequence[Window], records: Iterable[Row], question: Question) -> list[Value]:
    rates, shown = derived(kpi), (*question.by, *kpi.head.apart)
    names = _wanted(kpi, question)
    wanted = [(name, *rates.get(name, (None, None))) for name in names]
    kinds = {name: statistic.kind for name, statistic in kpi.statistics.items()}
    is_plain = kpi.head.kind not in {"distribution", "durations"} and not question.spread
    answers = []
    figures: dict[tuple[int, str], tuple[dict[str, Figure], str]] = {}
    for record in records:
        place = record["win"], record["dims"]
        found, _ = figures.get(place) or figures.setdefault(place, ({}, record.get("note") or ""))
        if is_plain:
            name = record["statistic"]
            found[name] = plain(kinds[name], record["numerator"], record["denominator"])
        else:
            found.update(_figures(kpi, record, names, question))
    spans = {(n, per): elapsed(windows[n], per) for n in {n for n, _ in figures} for per in {per for _, per in rates.values()}}
    for (index, text), (found, note) in figures.items():
        tenant, key, told = windows[index].tenant, windows[index].key, _DIMS.decode(text)
        dims = {name: told[name] for name in shown if name in told and (told[name] or name in question.by)}
        for name, of, per in wanted:
            figure = found.get(name) if per is None or of not in found else rate(found[of], spans[index, per])
            if figure is not None:
                value, reason = figure.value, NO_DATA if figure.value is None else ""
                made_of = figure.numerator, figure.denominator
                answers.append(Value(tenant, key, name, value, *made_of, dims, reason, note, text, figure.variance))
    return answers


def _figures(kpi: Kpi, record: Row, wanted: tuple[str, ...], question: Question) -> Iterable[tuple[str, Figure]]:
    match kpi.head.kind:
        case "distribution":
            return of_histogram(kpi, record, wanted, question.within, spread=question.spread)
        case "durations":
            return of_durations(kpi, record["durations"] or (), wanted, question.within, spread=question.spread)
        case _:
            name = record["statistic"]
            figure = plain(kpi.statistics[name].kind, record["numerator"], record["denominator"])
            return [(name, with_variance(figure, record.get("squares")))]


def _value(window: Window, statistic: str, figure: Figure, dims: Mapping[str, str]) -> Value:
    reason = NO_DATA if figure.value is None else ""
    return Value(window.tenant, window.key, statistic, figure.value, figure.numerator, figure.denominator, dims, reason)


def _nothing(window: Window, statistic: str, reason: str) -> Value:
    return Value(window.tenant, window.key, statistic, None, reason=reason)


def _missing(
    kpi: Kpi, windows: Sequence[Window], answers: Sequence[Value], question: Question, declared: Mapping[int, Declared]
) -> list[Value]:
    """What has no row and is yet an answer: a whole in which nothing happened, a declared name without data."""
    if question.after is not None:
        return []
    wanted = _wanted(kpi, question)
    if not question.by:
        there = {(value.tenant, value.window, value.statistic) for value in answers}
        return [
            _value(window, name, empty(kpi, name), {})
            for window in windows
            for name in wanted
            if (window.tenant, window.key, name) not in there
        ]
    if kpi.head.declared != "integrations":
        return []
    seen = {(value.tenant, value.window, value.dims.get("integration")) for value in answers}
    return [
        _value(window, name, empty(kpi, name), dims)
        for window in windows
        for dims in (declared[window.tenant].integration_rows(question) if window.tenant in declared else ())
        if (window.tenant, window.key, dims["integration"]) not in seen
        for name in wanted
    ]
