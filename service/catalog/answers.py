"""The rows of a statement turned into values, and what has no row and is yet an answer."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from service.catalog.declared import Declared
from service.catalog.guarded import answering
from service.catalog.kpi import Kpi
from service.catalog.question import Question
from service.catalog.spread import with_variance
from service.catalog.statistics import default_statistics, derived, elapsed, empty, of_durations, of_histogram, plain, rate
from service.catalog.value import EXPIRED, NO_DATA, Figure, Row, Value, one_where_apart
from service.catalog.windows import Window

_DIMS: Final = msgspec.json.Decoder(dict[str, str])


def answers_of(
    kpi: Kpi, windows: Sequence[Window], records: Iterable[Row], asked: Question, known: Mapping[int, Declared]
) -> list[Value]:
    """The values of rows, and of what has none and is yet an answer."""
    with answering(kpi):
        answers = _values(kpi, windows, records, asked)
    answers = one_where_apart(answers, asked.by) if kpi.head.apart else answers
    return answers + _missing(kpi, windows, answers, asked, known)


def expired_of(kpi: Kpi, gone: Sequence[Window], asked: Question) -> list[Value]:
    """What windows come to that are finer than what is still kept."""
    return [Value(window.tenant, window.key, name, None, reason=EXPIRED) for window in gone for name in _wanted(kpi, asked)]


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
