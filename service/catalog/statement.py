"""Making one statement of a KPI's file: the relations that it reads before it, its names bound to parameters."""

import re
from dataclasses import dataclass, field
from functools import lru_cache

from service.catalog import relations
from service.catalog.accounts import GROUPS, in_slice
from service.catalog.asked import SLICED, Asked
from service.catalog.kpi import Head, Kpi
from service.catalog.literals import split_literals, words_of
from service.catalog.question import MAX_ROWS, by_account_first
from service.catalog.relations_facts import FACTS, facts_relation
from service.catalog.relations_pieces import IN_PIECES

REMEMBERED_STATEMENTS = 2_048
ANSWER = "answer"
"""What a KPI's own text is called."""
_ACCOUNT = "coalesce(a.dims ->> 'account', '')"
_TEXT = 'a.dims::text collate "C"'
MAX_WHOLE = 9_000_000_000_000_000
"""Whole numbers below it are the same as bigint and as floats."""
_PLACEHOLDER = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")

RELATIONS: dict[str, str] = {
    "wins": (
        "select * from unnest(:win_tenant, :win_index, :win_start, :win_end, :win_until,"
        " :win_first_day, :win_last_day, :win_end_day)"
        " as w(tenant, win, start_at, end_at, until_at, first_day, last_day, end_day)"
    ),
    "turns": (
        "select * from unnest(:win_tenant, :win_index, :win_first_day, :win_last_day, :win_before_first, :win_before_last)"
        " as t(tenant, win, first_day, last_day, before_first, before_last)"
    ),
    "minutes": "select * from unnest(:minute_tenant, :minute_win, :minute_lo, :minute_hi) as p(tenant, win, lo, hi)",
    "quarters": "select * from unnest(:quarter_tenant, :quarter_win, :quarter_lo, :quarter_hi) as p(tenant, win, lo, hi)",
    "spans": "select * from unnest(:day_tenant, :day_win, :day_lo, :day_hi) as p(tenant, win, lo, hi)",
    "holidays": "select * from unnest(:holiday_tenant, :holiday_day) as h(tenant, day)",
    "days": (
        "select w.tenant, w.win, g.day::date as day,"
        " extract(isodow from g.day) < 6"
        " and not exists (select from holidays h where h.tenant = w.tenant and h.day = g.day::date) as business"
        " from wins w cross join lateral generate_series(w.first_day, w.last_day, interval '1 day') as g(day)"
        " where w.until_at > w.start_at"
    ),
    "budget_wins": (
        "select * from unnest(:budget_tenant, :budget_win, :budget_span, :budget_start, :budget_until, :budget_days)"
        " as b(tenant, win, span, start_at, until_at, length_days)"
    ),
    **{
        f"budget_{name}": f"select * from unnest(:budget_{one}_tenant, :budget_{one}_win, :budget_{one}_span, :budget_{one}_lo,"
        f" :budget_{one}_hi) as p(tenant, win, span, lo, hi)"
        for name, one in (("minutes", "minute"), ("quarters", "quarter"), ("spans", "day"))
    },
    "declared": "select * from unnest(:config_tenant, :config_json) as d(tenant, config)",
    # For a file whose rows are of all dimensions that several splits have: which each split is without, and its number.
    "splits": (
        "select g.split - 1 as split, string_to_array(g.dropped, ',') as dropped"
        " from unnest(:split_dropped) with ordinality as g(dropped, split)"
    ),
    "labels": "select * from unnest(:label_tenant, :label_feature, :label_name) as l(tenant, feature, label)",
    **dict.fromkeys(relations.BUILT, ""),
}
"""What each relation is made of, in an order in which each reads only those before it."""
NEEDS: dict[str, tuple[str, ...]] = {
    "days": ("wins", "holidays"),
    **relations.NEEDS,
}
GIVEN: dict[str, str] = {
    name: f"select * from jsonb_to_recordset(:given_{name}) as g(tenant int, win int, dims jsonb, {columns})"
    for name, columns in (
        ("active", "n numeric"),
        ("users_asked", "n numeric"),
        ("uses_asked", "quantity numeric, note text"),
    )
}
"""Relations that may be handed over as rows, where another statement made them before."""
TYPES: dict[str, str] = {
    **dict.fromkeys(("win_start", "win_end", "win_until", "win_earlier_start", "win_earlier_end"), "timestamptz[]"),
    **dict.fromkeys(("minute_lo", "minute_hi", "quarter_lo", "quarter_hi"), "timestamptz[]"),
    **dict.fromkeys(("day_lo", "day_hi", "win_first_day", "win_last_day", "win_end_day", "holiday_day"), "date[]"),
    **dict.fromkeys(("budget_start", "budget_until"), "timestamptz[]"),
    **dict.fromkeys((f"budget_{one}_{end}" for one in ("minute", "quarter") for end in ("lo", "hi")), "timestamptz[]"),
    **dict.fromkeys(("budget_day_lo", "budget_day_hi"), "date[]"),
    **dict.fromkeys(("budget_span", *(f"budget_{one}_span" for one in ("minute", "quarter", "day"))), "text[]"),
    **dict.fromkeys(("win_before_first", "win_before_last"), "date[]"),
    **dict.fromkeys(("by", "statistics", "split_dropped"), "text[]"),
    "config_json": "jsonb[]",
    **dict.fromkeys(("label_feature", "label_name"), "text[]"),
    "filters": "jsonb",
    **{f"given_{name}": "jsonb" for name in GIVEN},
    **dict.fromkeys(("after", "after_account", "slice_from", "slice_below"), "text"),
    "row_limit": "bigint",
    "noted": "boolean",
}
"""Types of the placeholders that the runner binds itself; those that are missing are `int[]`."""
_NUMBERED = {"by_name_": "text", "filter_name_": "text", "filter_value_": "text[]"}


@dataclass(frozen=True, slots=True)
class Statement:
    """A text for Postgres and the names of its parameters, `$1` first."""

    text: str
    parameters: tuple[str, ...]


@dataclass(slots=True)
class Binder:
    """Gives each name of a KPI's statement its number, in the order of their first use unless they have one."""

    head: Head
    places: dict[str, int] = field(default_factory=dict)

    def bind(self, sql: str) -> str:
        """Put `$n::type` in the place of every `:name` outside of literals and comments."""
        return "".join(part if literal else _PLACEHOLDER.sub(self._number, part) for literal, part in split_literals(sql))

    def _number(self, match: re.Match[str]) -> str:
        name = match[1]
        return f"${self.places.setdefault(name, len(self.places) + 1)}::{kind_of(name, self.head)}"


def kind_of(name: str, head: Head) -> str:
    """The type of a placeholder in the statement of a KPI."""
    return _NUMBERED.get(name.rstrip("0123456789")) or _own_types(head).get(name) or TYPES.get(name, "int[]")


@lru_cache(maxsize=REMEMBERED_STATEMENTS)
def statement(
    kpi: Kpi,
    by: tuple[str, ...],
    filtered: frozenset[str],
    given: frozenset[str] = frozenset(),
    columns: tuple[str, ...] = (),
) -> Statement:
    """The statement of a KPI that is split by these dimensions and filtered by those; relations that are `given` are rows.

    The names of dimensions are parameters too: a text is made of how many there are, so few texts are prepared. `dims` come as
    their text, by which rows are ordered: it is made once. `columns` beside it: those of the KPI's kind, or these.
    """
    if comes_in_pieces(kpi):
        # They are put together and in order by who asked: what is as large is carried through no sort.
        return _ending(f"select {_selected(kpi, columns)} from answer a limit :row_limit", kpi, by, filtered, given)
    place, after = place_of(by), ":after_account, :after" if by_account_first(by) else ":after"
    order = place if kpi.is_guest else f"{_ACCOUNT}, dims" if by_account_first(by) else "dims"
    sliced = "".join(f" and {condition}" for condition in in_slice(filtered & SLICED, _ACCOUNT))
    # Fenced where a slice is asked for: else its ends are guessed to leave nothing of what the answer is joined of.
    answer = "(select * from answer offset 0)" if sliced else "answer"
    return _ending(
        f"select {_selected(kpi, columns)} from {answer} a\n"
        f"where (:after is null or ({place}) > ({after})){sliced}\norder by {order} limit :row_limit",
        kpi,
        by,
        filtered,
        given,
    )


def comes_in_pieces(kpi: Kpi) -> bool:
    """Whether a KPI's rows of the same dims are several, to be added up."""
    return IN_PIECES in kpi.words


def _selected(kpi: Kpi, columns: tuple[str, ...]) -> str:
    """The columns of a KPI's kind, and those that its head or its file adds; of an operator's file whatever it has."""
    head = kpi.head
    if kpi.is_guest:
        return "*"
    match head.kind:
        case "distribution":
            own = (
                "n",
                "total",
                "least",
                "greatest",
                "histogram",
                *(name for name, each in head.statistics.items() if not each.per and each.below is None),
            )
        case "durations":
            own = ("durations",)
        case _:
            own = ("statistic", "numerator", "denominator")
    own += ("squares",) * (head.test == "welch") + ("split",) * bool(head.together) + ("note",) * ("note" in kpi.words)
    return ", ".join(["a.tenant", "a.win", f"{_TEXT} as dims", *(f"a.{name}" for name in columns or own)])


def ended(kpi: Kpi, by: tuple[str, ...], filtered: frozenset[str], end: str) -> Statement:
    """The statement of a KPI that ends with what is selected from its `answer`."""
    return _ending(end, kpi, by, filtered, frozenset())


def place_of(by: tuple[str, ...]) -> str:
    """What rows `a` of a split are ordered by."""
    return f"{_ACCOUNT}, {_TEXT}" if by_account_first(by) else _TEXT


@lru_cache(maxsize=REMEMBERED_STATEMENTS)
def figures_statement(kpi: Kpi, by: tuple[str, ...], filtered: frozenset[str]) -> Statement:
    """The same by account and by what is kept apart, for numbers alone: two rows a window, of arrays (`figures_end`)."""
    return _ending(figures_end(by), kpi, by, filtered, frozenset())


def figures_end(by: tuple[str, ...]) -> str:
    """What figures are selected from `answer` by: two rows a window.

    `win, is_whole, accounts, units, overs, unders, exact_overs, exact_unders`: rows whose two numbers are whole, and the
    others. Notes and other statistics are not asked for, so Postgres leaves out what they alone are made of.
    """
    units = ", ".join(f"coalesce(a.dims ->> :by_name_{number}, '')" for number in range(1, len(by)))
    numbers = ("a.numerator", "a.denominator")
    whole = " and ".join(f"coalesce({name} = trunc({name}) and abs({name}) < {MAX_WHOLE}, true)" for name in numbers)
    # Of several rows of an account the first one may count: each aggregate says so, for none keeps an order by itself.
    order = ' order by dims::text collate "C"' if units else ""
    return (
        f"select win, is_whole, array_agg(account{order}) as accounts,\n"
        f"  array_agg(units{order}) filter (where units is not null) as units,\n"
        f"  array_agg(numerator::bigint{order}) filter (where is_whole) as overs,\n"
        f"  array_agg(denominator::bigint{order}) filter (where is_whole) as unders,\n"
        f"  array_agg(numerator::numeric{order}) filter (where not is_whole) as exact_overs,\n"
        f"  array_agg(denominator::numeric{order}) filter (where not is_whole) as exact_unders\n"
        "from (\n"
        f"  select a.win, a.dims, a.dims ->> :by_name_0 as account, {f'array[{units}]' if units else 'null::text[]'} as units,\n"
        f"    a.numerator, a.denominator, {f'bool_and({whole}) over (partition by a.win)' if units else whole} as is_whole\n"
        "  from answer a where a.statistic = any(:statistics)\n"
        # A number, for of a parameter a tenth of the rows would be guessed to be wanted, and what gives the first ones soon.
        f"  limit {MAX_ROWS + 1}\n"
        ") f group by win, is_whole"
    )


def _ending(end: str, kpi: Kpi, by: tuple[str, ...], filtered: frozenset[str], given: frozenset[str]) -> Statement:
    """The statement that makes `answer` of a KPI's file, and ends with what is selected from it."""
    binder = Binder(kpi.head)
    parts = [f"-- {kpi.id}: all tenants and windows asked for, at once"]
    parts.append("with " + ",\n".join(f"{name} as (\n{body}\n)" for name, body in bodies(kpi, by, filtered, given)))
    parts.append(end)
    text = binder.bind("\n".join(parts))
    return Statement(text, tuple(binder.places))


def bodies(kpi: Kpi, by: tuple[str, ...], filtered: frozenset[str], given: frozenset[str] = frozenset()) -> list[tuple[str, str]]:
    """The relations that a KPI reads, each behind those that it is made of, and at last its `answer`.

    Those that a question has no need of have no text.
    """
    used = _relations(kpi.sql, Asked.of(by, filtered), given)
    made = [
        (name, GIVEN[name] if name in given else _made(kpi, name, by, filtered) or body)
        for name, body in RELATIONS.items()
        if name in used
    ]
    return [*((name, text) for name, text in made if text), (ANSWER, kpi.sql)]


def reads(kpi: Kpi, by: tuple[str, ...], relation: str) -> bool:
    """Whether a KPI reads a relation, itself or through others, when it is split so and not filtered."""
    return relation in _relations(kpi.sql, Asked.of(by, frozenset()), frozenset())


def _made(kpi: Kpi, name: str, by: tuple[str, ...], filtered: frozenset[str]) -> str:
    """A relation that is made for a question; "" for the others."""
    if name == FACTS and not kpi.is_guest:
        return facts_relation(kpi.head, by, filtered, kpi.sql)
    return relations.BUILT[name](kpi.head, by, filtered) if name in relations.BUILT else ""


def unknown_placeholders(head: Head, sql: str) -> list[str]:
    """Names of placeholders that nothing would bind."""
    known = {"by", "filters", "statistics", "noted"} | _own_types(head).keys()
    found = {match[1] for literal, part in split_literals(sql) if not literal for match in _PLACEHOLDER.finditer(part)}
    return sorted(found - known)


def _own_types(head: Head) -> dict[str, str]:
    only = {f"only_{name}": "text[]" for name in head.dimensions if "." not in name}
    texts = {name for name, parameter in head.parameters.items() if parameter.values or parameter.feature}
    return only | {name: "text" if name in texts else "numeric" for name in head.parameters}


def _relations(sql: str, asked: Asked, given: frozenset[str]) -> set[str]:
    """The relations that a file names, and those that they are made of, where they are not given."""
    words = words_of(sql)
    named = set(RELATIONS) & words
    used = named | ({GROUPS} if asked.groups and named - given else set())
    while more := {need for name in used - given for need in NEEDS.get(name, ())} - used:
        used |= more
    return used
