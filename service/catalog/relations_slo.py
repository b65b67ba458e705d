"""The relations of SLOs: which were declared as of each window's end, and how much of what they count was good.

An SLO is looked at over the window that is asked for (`slo_counts`), or over its own and the last 24 hours as of that window's
end (`budget_counts`). Events are read from facts of the kind `slo`; availability and freshness, which are about time, from their
own tables (relations_slo_time.py).
"""

from collections.abc import Callable, Mapping
from typing import Final

from service.catalog.accounts import Accounts
from service.catalog.asked import Asked
from service.catalog.kpi import Head

_TABLES: Final = (("minutes", "fact_minute", "bucket"), ("quarters", "fact_quarter", "bucket"), ("spans", "fact_day", "day"))
_OF_TIME: Final = "('availability', 'freshness')"
DAY_SPAN: Final = "24h"
"""Beside their own window, budgets look at this one."""


def slos(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`slos(tenant, win, start_at, end_at, until_at, span, slo, kind, objective, over, components …)`, as of the window's end.

    What a past window is judged by never changes: it is read from the version that counted then.
    """
    return _declared(Asked.of(by, filtered), "w.end_at, w.until_at, '' as span, 0 as length_days", "wins", "true")


def budget_slos(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """The same, a row for each SLO's own window (`span` is `over`, `length_days` of its own) and one for the last 24 hours."""
    columns = "w.until_at as end_at, w.until_at, w.span, w.length_days"
    return _declared(Asked.of(by, filtered), columns, "budget_wins", f"w.span in (s ->> 'window', '{DAY_SPAN}')")


def _declared(asked: Asked, columns: str, windows: str, condition: str) -> str:
    chosen = ", ".join(
        f"case when s #> '{{where,{name}}}' is not null then array(select jsonb_array_elements_text(s #> '{{where,{name}}}')) end"
        f" as {name}s"
        for name in ("component", "monitor", "region", "account", "source")
    )
    only = f" and s ->> 'name' = any({asked.values('slo')})" if "slo" in asked.filtered else ""
    return f"""
select w.tenant, w.win, w.start_at, {columns}, s ->> 'name' as slo, s ->> 'kind' as kind,
       (s ->> 'objective')::numeric as objective, s ->> 'window' as over, {chosen}
from {windows} w
left join lateral (
  select v.parsed -> 'slo' as slos
  from tenant t join config_version v on v.tenant = t.id and v.version <= t.config_version
  where t.id = w.tenant and (v.valid_from is null or v.valid_from < w.until_at)
  order by v.version desc limit 1
) v on true
cross join lateral jsonb_array_elements(
  coalesce(v.slos, (select d.config -> 'slo' from declared d where d.tenant = w.tenant))
) as s
where {condition}{only}""".strip()


def slo_counts(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`slo_counts(tenant, win, slo, span, dims, objective, over, length_days, good, total)`: over the windows, a row an SLO."""
    return _counts(Asked.of(by, filtered), prefix="", span="''", slos="slos", time="slo_time")


def budget_counts(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """The same, a row for each SLO's own window and one for the last 24 hours."""
    return _counts(Asked.of(by, filtered), prefix="budget_", span="p.span", slos="budget_slos", time="budget_time")


def _counts(asked: Asked, *, prefix: str, span: str, slos: str, time: str) -> str:
    """What was counted, beside what is declared: laid one below the other, for joins by guessed numbers would be quadratic."""
    return f"""
select tenant, win, slo, span, dims, objective, over, length_days, sum(good) as good, sum(total) as total
from (
  select tenant, win, slo, span, dims, good, total, of_time, max(objective) over declared as objective,
         max(over) over declared as over, max(length_days) over declared as length_days,
         bool_or(is_of_time) over declared as wants_time
  from (
    select tenant, win, slo, span, dims, good, total, false as of_time, null::numeric as objective, null as over,
           null::int as length_days, null::boolean as is_of_time
    from (
{_of_events(asked, prefix=prefix, span=span)}
    ) e
    union all
    select tenant, win, slo, span, dims, good, total, true, null, null, null, null from {time}
    union all
    select s.tenant, s.win, s.slo, s.span, {asked.dims({"slo": "s.slo"})}, 0, 0, null, s.objective, s.over, s.length_days,
           s.kind in {_OF_TIME}
    from {slos} s
  ) t
  window declared as (partition by tenant, win, slo, span)
) c
where objective is not null and coalesce(of_time = wants_time, {_is_shown(asked)})
group by tenant, win, slo, span, dims, objective, over, length_days""".strip()


def _is_shown(asked: Asked) -> str:
    """Whether a declared SLO shows without events: not where accounts are told apart."""
    return "false" if asked.by_accounts else "true"


def _of_events(asked: Asked, *, prefix: str, span: str) -> str:
    """What facts say: one series and one span of time after the other, looked up by key."""
    accounts = Accounts(asked, "r.account")
    conditions = "".join(f" and {each}" for each in accounts.conditions(platform_wide=True))
    if "slo" in asked.filtered:
        conditions += f" and r.dims ->> 'slo' = any({asked.values('slo')})"
    columns = {"slo": "r.dims ->> 'slo'"} | accounts.columns
    return "\nunion all\n".join(
        f"select p.tenant, p.win, r.dims ->> 'slo' as slo, {span} as span, {asked.dims(columns)} as dims, m.good, m.total\n"
        f"from {prefix}{pieces} p{accounts.join('p')}\n"
        f"join series r on r.tenant = p.tenant and r.kind = 'slo' and not r.dims ? 'excluded'{conditions}\n"
        f"cross join lateral (select sum(f.total) as good, sum(f.n) as total from {table} f "
        f" where f.series = r.id and f.{column} >= p.lo and f.{column} < p.hi having count(*) > 0) m"
        for pieces, table, column in _TABLES
    )


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {"slos": slos, "budget_slos": budget_slos}
COUNTS: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    "slo_counts": slo_counts,
    "budget_counts": budget_counts,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "slos": ("wins", "declared"),
    "budget_slos": ("budget_wins", "declared"),
    "slo_counts": ("minutes", "quarters", "spans", "slos", "slo_time"),
    "budget_counts": ("budget_minutes", "budget_quarters", "budget_spans", "budget_slos", "budget_time"),
}
