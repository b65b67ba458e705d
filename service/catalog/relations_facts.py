"""The relations of facts: sums of a window's pieces by series, and newest values before a window."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from service.catalog.accounts import Accounts
from service.catalog.asked import Asked
from service.catalog.kpi import Facts, Head
from service.catalog.literals import split_literals

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
    asked = Asked.of(tuple(by), frozenset(filtered))
    accounts = Accounts(asked, "s.account")
    conditions, counted = _conditions(head, head.facts, accounts)
    labelled = "feature" in by and "feature" in asked.filtered
    labels = " join labels l on l.tenant = s.tenant and l.feature = s.dims ->> 'feature'" if labelled else ""
    return (
        f"s.tenant, p.win, {_dims(accounts, labelled=labelled)} as dims, s.dims as d, s.account, {counted} as counted, m.*"
        f" from {pieces} p{accounts.join('p')}"
        f" join series s on s.tenant = p.tenant and s.kind = '{head.facts.kind}'{conditions}{labels}"
    )


def _conditions(head: Head, facts: Facts, accounts: Accounts) -> tuple[str, str]:
    """What series are read, and what of them is `counted`."""
    read, counted = "", []
    for number, name in enumerate(accounts.asked.filtered):
        # What has no value of a dimension shows under "" in a split, so it is found by it too.
        allowed = f"coalesce(s.dims ->> :filter_name_{number}, '') = any(:filter_value_{number})"
        if name in accounts.columns:
            continue
        if name == "feature":
            if name not in accounts.asked.by:
                read += " and (s.tenant, s.dims ->> 'feature') in (select l.tenant, l.feature from labels l)"
        elif name in facts.counted_by:
            counted.append(allowed)
        else:
            read += f" and {allowed}"
    read += "".join(f" and {condition}" for condition in accounts.conditions(platform_wide=head.platform_wide))
    if facts.where:
        read += f" and ({_of_series(facts.where)})"
    return read, " and ".join(counted) or "true"


def _of_series(condition: str) -> str:
    return "".join(part if literal else re.sub(r"\bd\b", "s.dims", part) for literal, part in split_literals(condition))


def _dims(accounts: Accounts, *, labelled: bool) -> str:
    of_series = {name: f"coalesce(s.dims ->> :by_name_{number}, '')" for number, name in enumerate(accounts.asked.by)}
    return accounts.asked.dims(of_series | ({"feature": "l.label"} if labelled else {}) | accounts.columns)


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {"facts": facts_relation, "before": before_relation}
NEEDS: Mapping[str, tuple[str, ...]] = {"facts": ("minutes", "quarters", "spans", "labels"), "before": ("wins", "labels")}
