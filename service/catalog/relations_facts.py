"""The relations of facts: sums of a window's pieces by series, and newest values before a window."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.catalog.accounts import Accounts
from service.catalog.asked import Asked
from service.catalog.kpi import Facts, Head
from service.catalog.literals import split_literals
from service.domain.families.usage import NAMED, OF_ACCOUNT

FACTS = "facts"
FACT_TABLES = (("minutes", "fact_minute", "bucket"), ("quarters", "fact_quarter", "bucket"), ("spans", "fact_day", "day"))
_MEASURES: Mapping[str, tuple[str, str]] = {
    "n": ("sum(f.n)", "numeric"),
    "total": ("sum(f.total)", "numeric"),
    "least": ("min(f.least)", "numeric"),
    "greatest": ("max(f.greatest)", "numeric"),
    "histogram": ("string_agg(substr(array_send(f.histogram), 21), ''::bytea)", "bytea"),
}
"""How each is added up, and its type."""
MEASURES = ", ".join(f"{of} as {name}" for name, (of, _) in _MEASURES.items())
USES = "usage"
_OF_USES = frozenset({"n", "total"})
"""Uses have no values: nothing else is added up for everyone that reads them."""
_ALL = re.compile(r"(\bselect|,|\.)\s*\*")
_LABELLED = "(s.tenant, s.dims ->> 'feature') in (select l.tenant, l.feature from labels l)"
_NEWEST = (
    '(array_agg(f.{0} order by f.newest_us desc, f.newest_source collate "C" desc, f.newest_id collate "C" desc)'
    " filter (where f.newest_us is not null))[1]"
)
_NEWEST_COLUMNS = ("newest_us", "newest_source", "newest_id", "newest_value")


def facts_relation(head: Head, by: Sequence[str], filtered: Iterable[str], sql: str = "select *") -> str:
    """The relation `facts`: for every window and series the sums of its pieces, read by key alone.

    Measures that the statement `sql` does not name are not added up, but null: histograms are dearer than all that is counted.
    `select *` names them all.

    The series of a tenant are looked up as one array: so Postgres walks through the index once a piece, from the span of time
    of each series to that of the next one, where a look-up a series would start at the root anew. The lateral sub-selects
    (an aggregate cannot be pulled up) keep it from ever scanning a fact table.
    """
    shown = shown_of(head, by, filtered)
    newest = _NEWEST_COLUMNS if shown.kind == "meter" else ()
    read = frozenset(_MEASURES) if _ALL.search(sql) else frozenset(re.findall(r"\w+", sql))
    read &= _OF_USES if shown.kind in {USES, NAMED, OF_ACCOUNT} else frozenset(_MEASURES)
    measures = ", ".join(f"{of if name in read else f'null::{kind}'} as {name}" for name, (of, kind) in _MEASURES.items())
    measures += "".join(f", {_NEWEST.format(name)} as {name}" for name in newest)
    columns = "".join(f", m.{name}" for name in ("n", "total", "least", "greatest", "histogram", *newest))
    selected = (
        f"s.tenant, p.win, {shown.asked.dims(shown.plain)} as dims, s.dims as d, s.account, {shown.counted} as counted{columns}"
    )
    return by_series(shown, selected, measures)


def by_series(shown: "Shown", selected: str, measures: str, tables: Sequence[tuple[str, str, str]] = FACT_TABLES) -> str:
    """What is selected of each window's pieces `p`, series `s` and the measures `m` of both."""
    branches = [
        f"select {selected}\nfrom {pieces} p{shown.groups} join chosen c on c.tenant = p.tenant\n"
        f"cross join lateral (select f.series, {measures} from {table} f"
        f" where f.series = any(c.ids) and f.{column} >= p.lo and f.{column} < p.hi group by f.series) m\n"
        f"join series s on s.id = m.series{shown.of_groups}{shown.labels}"
        for pieces, table, column in tables
    ]
    return f"with chosen as materialized (\n{_chosen(shown)}\n)\n" + "\nunion all\n".join(branches)


def _chosen(shown: "Shown") -> str:
    """The series of each tenant that are read, as one array.

    Uses of accounts are looked up tenant by tenant, and uses of named features in any account feature by feature (the index
    `series_feature`): what Postgres expects of all at once is a guess, for it keeps no statistics of words, and learns late of
    a kind that few series have.
    """
    if shown.kind == OF_ACCOUNT:
        return (
            "select w.tenant, s.ids from (select distinct tenant from wins) w cross join lateral (\n"
            f"  select array_agg(s.id) as ids from series s where s.tenant = w.tenant{shown.kinds}{shown.read}\n"
            ") s where s.ids is not null"
        )
    if shown.kind == USES and shown.features:
        return (
            "select l.tenant, array_agg(s.id) as ids\n"
            "from (select distinct tenant, feature from labels where tenant in (select w.tenant from wins w)) l\n"
            "cross join lateral (\n"
            f"  select s.id from series s where s.tenant = l.tenant{shown.kinds} and s.dims ->> 'feature' = l.feature{shown.read}"
            " offset 0\n) s group by l.tenant"
        )
    return (
        "select s.tenant, array_agg(s.id) as ids from series s\n"
        f"where s.tenant in (select w.tenant from wins w){shown.kinds}{shown.features}{shown.read} group by s.tenant"
    )


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
    shown, columns = shown_of(head, by, filtered), ", ".join(f"m.{name}" for name in _NEWEST_COLUMNS)
    selected = f"s.tenant, p.win, {shown.asked.dims(shown.plain)} as dims, s.dims as d, s.account, {shown.counted} as counted"
    branches = [
        f"select {selected}, {columns}\nfrom wins p{shown.groups}"
        f" join series s on s.tenant = p.tenant{shown.kinds}{shown.features}{shown.read}{shown.of_groups}{shown.labels}\n"
        f"cross join lateral (select {', '.join(f'f.{name}' for name in _NEWEST_COLUMNS)} from {table} f"
        f" where f.series = s.id and {span} order by {order} desc limit 1) m\n"
        "where 'change' = any(:statistics)"
        for table, span, order in looked_up
    ]
    return "\nunion all\n".join(branches)


@dataclass(frozen=True, slots=True)
class Shown:
    """What of series is shown and read; pieces of windows are `p`, series are `s`."""

    kind: str
    """Of the series that are read."""
    kinds: str
    """Conditions on it."""
    asked: Asked
    plain: Mapping[str, str]
    """The column of each dimension that it is split by."""
    counted: str
    features: str
    """The condition that a series is of a feature that `labels` has, where only those are read."""
    read: str
    """Conditions on series by themselves."""
    groups: str
    """Joins to `p` what groups accounts, where that is asked for."""
    of_groups: str
    """Conditions on what groups accounts."""
    labels: str


def shown_of(head: Head, by: Sequence[str], filtered: Iterable[str]) -> Shown:
    """What a head's facts are read for, when they are split and filtered so; raises ValueError where it declares none."""
    if head.facts is None:
        raise ValueError(f"{head.id} declares no facts")
    asked = Asked.of(tuple(by), frozenset(filtered))
    kind, accounts = _kind(head, head.facts, asked), Accounts(asked, "s.account")
    read, counted = _conditions(head.facts, accounts)
    met = accounts.conditions(platform_wide=head.platform_wide)
    of_accounts = "".join(f" and {condition}" for condition in met)
    labelled = "feature" in by and "feature" in asked.filtered
    return Shown(
        kind=kind,
        # Beside uses of all accounts together there are the ones that name no account.
        kinds=f" and s.kind in ('{USES}', '{NAMED}') and s.account = ''" if kind == NAMED else f" and s.kind = '{kind}'",
        asked=asked,
        plain=_plain(accounts, labelled=labelled),
        counted=counted,
        features=f" and {_LABELLED}" if head.facts.of_labels or "feature" in asked.filtered else "",
        read=read if asked.groups else read + of_accounts,
        groups=accounts.join("p"),
        of_groups=of_accounts if asked.groups else "",
        labels=" join labels l on l.tenant = s.tenant and l.feature = s.dims ->> 'feature'" if labelled else "",
    )


def _kind(head: Head, facts: Facts, asked: Asked) -> str:
    """The kind of series that tells what is asked for by the fewest: uses are kept in three ways (folds/usage.py)."""
    if facts.kind != USES:
        return facts.kind
    if not asked.of_accounts:
        return NAMED
    all_named = asked.by_accounts or (asked.groups and not head.platform_wide)
    if not all_named or facts.reads is None or facts.where or facts.of_labels:
        return USES
    told = all(name in {"account", "ok", *asked.groups, *asked.traits} for name in (*facts.reads, *asked.by, *asked.filtered))
    return OF_ACCOUNT if told else USES


def _conditions(facts: Facts, accounts: Accounts) -> tuple[str, str]:
    """What series are read, whoever's they are, and what of them is `counted`."""
    read, counted = "", []
    for number, name in enumerate(accounts.asked.filtered):
        # What has no value of a dimension shows under "" in a split, so it is found by it too.
        allowed = f"coalesce(s.dims ->> :filter_name_{number}, '') = any(:filter_value_{number})"
        if name in accounts.columns or name == "feature" or name in accounts.asked.traits:
            continue
        if name in facts.counted_by:
            counted.append(allowed)
        else:
            read += f" and {allowed}"
    if facts.where:
        read += f" and ({of_series(facts.where)})"
    return read, " and ".join(counted) or "true"


def of_series(condition: str) -> str:
    """A condition of a head, over the dimensions `d`, as it is put to series."""
    return "".join(part if literal else re.sub(r"\bd\b", "s.dims", part) for literal, part in split_literals(condition))


def _plain(accounts: Accounts, *, labelled: bool) -> dict[str, str]:
    of_series = [(number, name) for number, name in enumerate(accounts.asked.by) if name not in accounts.asked.traits]
    columns = {name: f"coalesce(s.dims ->> :by_name_{number}, '')" for number, name in of_series}
    known = columns | ({"feature": "l.label"} if labelled else {}) | accounts.columns
    return {name: known[name] for name in accounts.asked.by if name in known}


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    FACTS: facts_relation,
    "before": before_relation,
}
PIECES = ("wins", "minutes", "quarters", "spans", "labels")
NEEDS: Mapping[str, tuple[str, ...]] = {FACTS: PIECES, "before": ("wins", "labels")}
