"""Making one statement of a KPI's file: the relations that it reads before it, its names bound to parameters."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from service.catalog import relations
from service.catalog.kpi import Facts, Head, Kpi

REMEMBERED_STATEMENTS = 2_048
_PLACEHOLDER = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")
_LITERAL = re.compile(r"'(?:[^']|'')*'|--[^\n]*")

RELATIONS: dict[str, str] = {
    "wins": (
        "select * from unnest(:win_tenant, :win_index, :win_start, :win_end, :win_until,"
        " :win_first_day, :win_last_day, :win_end_day)"
        " as w(tenant, win, start_at, end_at, until_at, first_day, last_day, end_day)"
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
    ),
    "declared": "select * from unnest(:config_tenant, :config_json) as d(tenant, config)",
    "labels": "select * from unnest(:label_tenant, :label_feature, :label_name) as l(tenant, feature, label)",
    "facts": "",
    "before": "",
    **dict.fromkeys(relations.BUILT, ""),
}
"""What each relation is made of, in an order in which each reads only those before it."""
NEEDS: dict[str, tuple[str, ...]] = {
    "days": ("wins", "holidays"),
    "facts": ("minutes", "quarters", "spans", "labels"),
    "before": ("wins", "labels"),
    **relations.NEEDS,
}
TYPES: dict[str, str] = {
    **dict.fromkeys(("win_start", "win_end", "win_until"), "timestamptz[]"),
    **dict.fromkeys(("minute_lo", "minute_hi", "quarter_lo", "quarter_hi"), "timestamptz[]"),
    **dict.fromkeys(("day_lo", "day_hi", "win_first_day", "win_last_day", "win_end_day", "holiday_day"), "date[]"),
    **dict.fromkeys(("by", "statistics"), "text[]"),
    "config_json": "jsonb[]",
    **dict.fromkeys(("label_feature", "label_name"), "text[]"),
    "filters": "jsonb",
    "after": "text",
    "row_limit": "bigint",
}
"""Types of the placeholders that the runner binds itself; those that are missing are `int[]`."""
_NUMBERED = {"by_name_": "text", "filter_name_": "text", "filter_value_": "text[]"}
_FACT_TABLES = (("minutes", "fact_minute", "bucket"), ("quarters", "fact_quarter", "bucket"), ("spans", "fact_day", "day"))
_MEASURES = (
    "sum(f.n) as n, sum(f.total) as total, min(f.least) as least, max(f.greatest) as greatest,"
    " string_agg(substr(array_send(f.histogram), 21), ''::bytea) as histogram"
)
_NEWEST = (
    '(array_agg(f.{0} order by f.newest_us desc, f.newest_source collate "C" desc, f.newest_id collate "C" desc)'
    " filter (where f.newest_us is not null))[1]"
)
_NEWEST_COLUMNS = ("newest_us", "newest_source", "newest_id", "newest_value")


@dataclass(frozen=True, slots=True)
class Statement:
    """A text for Postgres and the names of its parameters, `$1` first."""

    text: str
    parameters: tuple[str, ...]


@dataclass(slots=True)
class _Binder:
    """Gives each name its number, in the order of their first use."""

    types: dict[str, str]
    names: list[str] = field(default_factory=list)

    def bind(self, sql: str) -> str:
        """Put `$n::type` in the place of every `:name` outside of literals and comments."""
        return "".join(part if literal else _PLACEHOLDER.sub(self._number, part) for literal, part in _split_literals(sql))

    def _number(self, match: re.Match[str]) -> str:
        name = match[1]
        if name not in self.names:
            self.names.append(name)
        kind = _NUMBERED.get(name.rstrip("0123456789")) or self.types.get(name, "int[]")
        return f"${self.names.index(name) + 1}::{kind}"


@lru_cache(maxsize=REMEMBERED_STATEMENTS)
def statement(kpi: Kpi, by: tuple[str, ...], filtered: frozenset[str]) -> Statement:
    """The statement of a KPI that is split by these dimensions and filtered by those.

    The names of dimensions are parameters too: a text is made of how many there are, so few texts are prepared.
    """
    binder = _Binder(TYPES | _own_types(kpi.head))
    used = _relations(kpi.sql)
    parts = [f"-- {kpi.id}: all tenants and windows asked for, at once"]
    made = {"facts": facts_relation, "before": before_relation, **relations.BUILT}
    bodies = [
        (name, made[name](kpi.head, by, filtered) if name in made else body) for name, body in RELATIONS.items() if name in used
    ]
    parts.append("with " + ",\n".join(f"{name} as (\n{body}\n)" for name, body in [*bodies, ("answer", kpi.sql)]))
    parts.append(
        'select * from answer a where (:after is null or a.dims::text collate "C" > :after)\n'
        'order by a.dims::text collate "C" limit :row_limit'
    )
    text = binder.bind("\n".join(parts))
    return Statement(text, tuple(binder.names))


def facts_relation(head: Head, by: Sequence[str], filtered: Iterable[str]) -> str:
    """The relation `facts`: for every window and series the sums of its pieces, read by key alone.

    The lateral sub-selects (an aggregate cannot be pulled up) keep Postgres from ever scanning a fact table:
    it looks up one series and one span of time after the other.
    """
    is_meter = head.facts is not None and head.facts.kind == "meter"
    measures = _MEASURES + "".join(f", {_NEWEST.format(name)} as {name}" for name in _NEWEST_COLUMNS if is_meter)
    branches = [
        f"select {_series(head, by, filtered, pieces)}"
        f" cross join lateral (select {measures} from {table} f"
        f" where f.series = s.id and f.{column} >= p.lo and f.{column} < p.hi having count(*) > 0) m"
        for pieces, table, column in _FACT_TABLES
    ]
    return "\nunion all\n".join(branches)


def before_relation(head: Head, by: Sequence[str], filtered: Iterable[str]) -> str:
    """The relation `before`: for every window and series of a meter its newest value before the window.

    Made only when the statistic `change` is wanted. The spans may overlap: the newest of all is taken.
    """
    quarter = "date_bin('15 minutes', p.start_at, timestamptz 'epoch')"
    looked_up = (
        ("fact_day", "f.day < p.first_day", "f.day"),
        ("fact_quarter", f"f.bucket >= p.start_at - interval '27 hours' and f.bucket < {quarter}", "f.bucket"),
        ("fact_minute", f"f.bucket >= {quarter} and f.bucket < p.start_at", "f.bucket"),
    )
    branches = [
        f"select {_series(head, by, filtered, 'wins')}"
        f" cross join lateral (select {', '.join(f'f.{name}' for name in _NEWEST_COLUMNS)} from {table} f"
        f" where f.series = s.id and {span} order by {order} desc limit 1) m"
        " where 'change' = any(:statistics)"
        for table, span, order in looked_up
    ]
    return "\nunion all\n".join(branches)


def _series(head: Head, by: Sequence[str], filtered: Iterable[str], pieces: str) -> str:
    """What every branch shows, and the series of each piece that pass the filters."""
    if head.facts is None:
        raise ValueError(f"{head.id} declares no facts")
    asked = sorted(filtered)
    conditions, counted = _conditions(head, head.facts, by, asked)
    labelled = "feature" in by and "feature" in asked
    labels = " join labels l on l.tenant = s.tenant and l.feature = s.dims ->> 'feature'" if labelled else ""
    return (
        f"s.tenant, p.win, {_dims(by, labelled=labelled)} as dims, s.dims as d, s.account, {counted} as counted, m.*"
        f" from {pieces} p join series s on s.tenant = p.tenant and s.kind = '{head.facts.kind}'{conditions}{labels}"
    )


def unknown_placeholders(head: Head, sql: str) -> list[str]:
    """Names of placeholders that nothing would bind."""
    known = {"by", "filters", "statistics"} | _own_types(head).keys()
    found = {match[1] for literal, part in _split_literals(sql) if not literal for match in _PLACEHOLDER.finditer(part)}
    return sorted(found - known)


def _own_types(head: Head) -> dict[str, str]:
    only = {f"only_{name}": "text[]" for name in head.dimensions if "." not in name}
    return only | {name: "text" if parameter.values else "numeric" for name, parameter in head.parameters.items()}


def _relations(sql: str) -> set[str]:
    """The relations that a file names, and those that they are made of."""
    words = {word for literal, part in _split_literals(sql) if not literal for word in re.findall(r"[a-z_]+", part)}
    used = set(RELATIONS) & words
    while more := {need for name in used for need in NEEDS.get(name, ())} - used:
        used |= more
    return used


def _conditions(head: Head, facts: Facts, by: Sequence[str], filtered: Sequence[str]) -> tuple[str, str]:
    """What series are read, and what of them is `counted`."""
    read, counted = "", []
    for number, name in enumerate(filtered):
        if name == "account":
            own = "" if not head.platform_wide or "account" in by else " or s.account = ''"
            read += f" and (s.account = any(:filter_value_{number}){own})"
        elif name == "feature":
            if name not in by:
                read += " and (s.tenant, s.dims ->> 'feature') in (select l.tenant, l.feature from labels l)"
        elif name in facts.counted_by:
            counted.append(f"s.dims ->> :filter_name_{number} = any(:filter_value_{number})")
        else:
            read += f" and s.dims ->> :filter_name_{number} = any(:filter_value_{number})"
    if "account" in by:
        read += " and s.account <> ''"
    if facts.where:
        read += f" and ({_of_series(facts.where)})"
    return read, " and ".join(counted) or "true"


def _of_series(condition: str) -> str:
    return "".join(part if literal else re.sub(r"\bd\b", "s.dims", part) for literal, part in _split_literals(condition))


def _dims(by: Sequence[str], *, labelled: bool) -> str:
    if not by:
        return "'{}'::jsonb"
    columns = {"account": "s.account", **({"feature": "l.label"} if labelled else {})}
    pairs = [
        f":by_name_{number}, " + columns.get(name, f"coalesce(s.dims ->> :by_name_{number}, '')")
        for number, name in enumerate(by)
    ]
    return f"jsonb_build_object({', '.join(pairs)})"


def _split_literals(sql: str) -> list[tuple[bool, str]]:
    """Pieces of a text, each with whether it is a quoted literal or a comment."""
    pieces, at = [], 0
    for match in _LITERAL.finditer(sql):
        pieces += [(False, sql[at : match.start()]), (True, match[0])]
        at = match.end()
    return [*pieces, (False, sql[at:])]
