"""Reading a question from a request's parameters: which KPI, window, split, filters, statistics and page."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction

from starlette.datastructures import QueryParams

from service.catalog import Kpi, Question, Window, resolve_window
from service.catalog.choices import limit_name, limit_of
from service.catalog.declared import default_window
from service.catalog.kpi import MAIN
from service.catalog.paging import rows_of_a_page
from service.catalog.question import check
from service.clock import DAY
from service.domain.config import TenantConfig
from service.domain.localtime import EPOCH, start_of_day_us
from service.errors import InvalidQuery
from service.expose.answers import PLAIN
from service.expose.comparing import Comparand, read_comparand
from service.expose.cursors import read_cursor
from service.expose.moments import instant_us
from service.expose.programmes import programme_bounds_us
from service.settings import Settings

RESERVED = frozenset(
    {"window", "start", "end", "stat", "by", "limit_ms", "limit_value", "limit", "cursor", "format", "step", "compare"}
)
"""Parameters that are no dimension and no parameter of a KPI's own."""
OF_DIMENSION = "by."
"""Before the name of a dimension that is also a parameter's: `by.step=logged_in` filters a funnel's steps in a series."""
MAX_DIMENSIONS = 8
MAX_FILTER_VALUES = 1_000
MAX_NAME_CHARACTERS = 256
NOTHING = '""'
"""A filter's value for what has none of a dimension."""
MAX_AHEAD_US = 400 * DAY
"""How far ahead of now bounds may lie: the year that has begun ends later than now."""
_PROPERTY = "property."
_MAX_DAY = 50_000
_COUNT = re.compile(r"[0-9]{1,9}")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,9})?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose figures are asked for, and when."""

    tenant: int
    zone: str
    now_us: int
    config: TenantConfig = field(default_factory=TenantConfig)
    """What is declared now: it decides the window of a question that names none."""
    properties: frozenset[str] | None = None
    """Usage properties that were ever declared; None: whatever is asked for has to be."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of one tenant, checked but for what the KPI itself refuses."""

    kpi: Kpi
    window: Window
    question: Question
    statistics: tuple[str, ...]
    """Those named, else the KPI's own; the first is the plain value of the answer."""
    limit: int
    """Most rows of the answer."""
    after: str | None
    comparand: Comparand | None = None
    """What it is compared with."""


def read_question(kpi: Kpi, parameters: QueryParams, asker: Asker, settings: Settings) -> Asked:
    """Read every parameter; raises InvalidQuery that names the parameter, its limit and the way out."""
    own = kpi.head.parameters.keys()
    # A series has taken its own `step` out by now: what is left is the dimension of that name, where there is one.
    named = [name for name in parameters if name not in RESERVED - set(kpi.head.dimensions) | own]
    for name in named:
        if len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
            raise InvalidQuery("by", f"a parameter's name has at most {MAX_NAME_CHARACTERS} printable characters")
    filters = {name.removeprefix(OF_DIMENSION): _filter(name, parameters.getlist(name)) for name in named}
    if len(filters) < len(named):
        raise InvalidQuery("by", f"a dimension is filtered twice, with and without {OF_DIMENSION}: filter it once")
    by = _listed("by", parameters.getlist("by"), MAX_DIMENSIONS)
    if len(set(by)) < len(by):
        raise InvalidQuery("by", "names a dimension twice: name each once")
    _check_properties(kpi, by, filters, asker)
    within = _within(kpi, parameters)
    chosen = _listed("stat", parameters.getlist("stat"), MAX_DIMENSIONS * 4)
    if "share_within" in chosen and within is None:
        raise InvalidQuery(limit_name(kpi), "is needed for share_within: give the limit")
    statistics = tuple(dict.fromkeys(MAIN if each == PLAIN else each for each in chosen)) or _own_statistics(
        kpi, with_share=within is not None
    )
    question = Question(
        by=by,
        filters=filters,
        parameters={name: parameters[name] for name in own if name in parameters},
        statistics=statistics,
        within=within,
    )
    check(kpi, question)
    window = read_window(kpi, parameters, asker, settings)
    comparand = _comparand(kpi, parameters, window, question, asker)
    if comparand is not None:
        _check_length("compare", comparand.window, settings)
        question = replace(question, spread=True)
    after = read_cursor(parameters.get("cursor"), str)
    rows = rows_of_a_page(question, len(statistics), settings.query_max_rows)
    return Asked(kpi, window, question, statistics, _limit(parameters, settings, rows), after, comparand)


def _check_properties(kpi: Kpi, by: Sequence[str], filters: Mapping[str, object], asker: Asker) -> None:
    """Raise InvalidQuery for a property that is not declared: no event is counted by it, so a split would have one empty row."""
    for name in (*by, *filters):
        if asker.properties is None or not name.startswith(_PROPERTY) or not kpi.splits_by(name):
            continue
        if name.removeprefix(_PROPERTY) not in asker.properties:
            known = ", ".join(sorted(asker.properties)) or "none"
            way_out = f"declare it as [properties.{name.removeprefix(_PROPERTY)}]"
            raise InvalidQuery(
                "by" if name in by else name, f"{name} is no declared property of usage: there is {known}; {way_out}"
            )


def _comparand(kpi: Kpi, parameters: QueryParams, window: Window, question: Question, asker: Asker) -> Comparand | None:
    text = parameters.get("compare")
    if text is None:
        return None
    bounds = text.split("/") if "/" in text and "=" not in text else []
    wanted = read_comparand(kpi, text, window, question, [read_instant("compare", each.strip(), asker) for each in bounds])
    return replace(wanted, question=replace(wanted.question, spread=True))


def read_window(kpi: Kpi, parameters: QueryParams, asker: Asker, settings: Settings, *, of_series: str | None = None) -> Window:
    """The window asked for, by default the KPI's own; a series may cover any, by default `of_series`."""
    name, start = parameters.get("window"), parameters.get("start")
    if name is None and start is None:
        name = of_series or default_window(kpi.head, asker.config)
    start_us, end_us = read_instant("start", start, asker), read_instant("end", parameters.get("end"), asker)
    of_programme = programme_bounds_us(name, asker.config, asker.zone, asker.now_us if end_us is None else end_us)
    if of_programme is not None and start_us is None:
        name, (start_us, end_us) = None, of_programme
    window = resolve_window(
        asker.tenant,
        asker.zone,
        now_us=asker.now_us,
        name=name,
        start_us=start_us,
        end_us=end_us,
        whole_days=kpi.head.whole_days,
    )
    if not of_series and not kpi.takes(window.name):
        known = [each for each in kpi.head.windows if kpi.takes(each)]
        bounds = ", or start and end" if kpi.head.custom else "; for more, ask for a series"
        raise InvalidQuery("window" if window.name else "start", f"{kpi.id} is of {' '.join(known)}{bounds}")
    _check_length("start", window, settings)
    return window


def _check_length(parameter: str, window: Window, settings: Settings) -> None:
    days = (window.end_us - window.start_us) // DAY
    if days > settings.query_max_days:
        raise InvalidQuery(
            parameter, f"{days} days are more than {settings.query_max_days}: ask for a shorter window, part by part"
        )


def read_instant(name: str, text: str | None, asker: Asker) -> int | None:
    """An RFC 3339 instant, or a date: the beginning of that local day; raises InvalidQuery."""
    if text is None:
        return None
    if not _DATE.fullmatch(text):
        instant = instant_us(name, text)
    else:
        try:
            day = (date.fromisoformat(text) - EPOCH).days
        except ValueError as error:
            raise InvalidQuery(name, f"there is no day {text}") from error
        instant = start_of_day_us(day, asker.zone) if 0 <= day <= _MAX_DAY else None
    if instant is None or instant > asker.now_us + MAX_AHEAD_US:
        raise InvalidQuery(name, f"{text} lies before 1970, or more than {MAX_AHEAD_US // DAY} days ahead: nothing is kept of it")
    return instant


def read_number(name: str, text: str) -> Fraction:
    """A plain decimal number; raises InvalidQuery."""
    if not _NUMBER.fullmatch(text):
        raise InvalidQuery(name, f"{text!r} is no number of at most 18 digits and 9 decimals, such as 500 or 0.25")
    return Fraction(text)


def _filter(name: str, given: Sequence[str]) -> tuple[str, ...]:
    """The values of a filter; `""` alone finds what a split shows under nothing. No account is no account's figure."""
    nothing = [text for text in given if text.strip() == NOTHING]
    if not nothing or name == "account":
        return _listed(name, given, MAX_FILTER_VALUES)
    return ("", *_listed(name, [text for text in given if text.strip() != NOTHING], MAX_FILTER_VALUES))


def _listed(name: str, given: Sequence[str], most: int) -> tuple[str, ...]:
    """Values parted by commas; one with a comma of its own stands in double quotes."""
    try:
        lines = csv.reader(given, strict=True, skipinitialspace=True)
        values = tuple(value.strip() for line in lines for value in line or [""])
    except csv.Error as error:
        raise InvalidQuery(name, f"cannot be read ({error}): part values by commas, and quote those that hold one") from error
    if len(values) > most:
        raise InvalidQuery(name, f"has {len(values)} values, more than {most}: ask in parts")
    if not all(values):
        raise InvalidQuery(name, "has an empty value: leave it out")
    if "\0" in "".join(values):
        raise InvalidQuery(name, "holds NUL, which no name does")
    return values


def _own_statistics(kpi: Kpi, *, with_share: bool) -> tuple[str, ...]:
    default = kpi.head.default_statistic
    rest = [name for name in kpi.statistics if name != default and (name != "share_within" or with_share)]
    return (default, *rest)


def _within(kpi: Kpi, parameters: Mapping[str, str]) -> Fraction | None:
    """The limit of share_within in the KPI's unit."""
    name, other = limit_name(kpi), {"limit_ms", "limit_value"} - {limit_name(kpi)}
    for each in other | (set() if "share_within" in kpi.statistics else {name}):
        if each in parameters:
            raise InvalidQuery(each, f"{kpi.id} has no such limit: leave it out")
    if name not in parameters:
        return None
    return limit_of(kpi, read_number(name, parameters[name]))


def _limit(parameters: Mapping[str, str], settings: Settings, rows: int) -> int:
    text = parameters.get("limit")
    if text is None:
        return rows
    if not _COUNT.fullmatch(text) or not 1 <= int(text) <= settings.query_max_rows:
        raise InvalidQuery("limit", f"{text!r} is no number of rows from 1 to {settings.query_max_rows}; a cursor leads on")
    return int(text)
