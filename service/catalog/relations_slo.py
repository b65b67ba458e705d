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
    """`slos(tenant, win, slo, kind, objective, over, components, monitors, regions, accounts, sources)`, as of the window's end.

    What a past window is judged by never changes: it is read from the version that counted then.
    """
    chosen = ", ".join(
        f"case when s #> '{{where,{name}}}' is not null then array(select jsonb_array_elements_text(s #> '{{where,{name}}}')) end"
        f" as {name}s"
        for name in ("component", "monitor", "region", "account", "source")
    )
    only = f"\nwhere s ->> 'name' = any({Asked.of(by, filtered).values('slo')})" if "slo" in filtered else ""
    return f"""
select w.tenant, w.win, s ->> 'name' as slo, s ->> 'kind' as kind, (s ->> 'objective')::numeric as objective,
       s ->> 'window' as over, {chosen}
from wins w
join declared d on d.tenant = w.tenant
left join lateral (
  select v.parsed -> 'slo' as slos
  from tenant t join config_version v on v.tenant = t.id and v.version <= t.config_version
  where t.id = w.tenant and (v.valid_from is null or v.valid_from < w.until_at)
  order by v.version desc limit 1
) v on true
cross join lateral jsonb_array_elements(coalesce(v.slos, d.config -> 'slo')) as s{only}""".strip()


def slo_counts(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`slo_counts(tenant, win, slo, dims, good, total)`: over the windows, some rows an SLO."""
    asked = Asked.of(by, filtered)
    parts = [_of_events(asked, prefix="", span="", also=""), "select tenant, win, slo, dims, good, total from slo_time"]
    return "\nunion all\n".join([*parts, *_nothing(asked, "s.slo")])


def budget_counts(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`budget_counts(tenant, win, slo, span, dims, good, total)`: over each SLO's own window and over `24h`."""
    asked = Asked.of(by, filtered)
    events = _of_events(asked, prefix="budget_", span=", p.span", also=f" and p.span in (s.over, '{DAY_SPAN}')")
    parts = [events, "select tenant, win, slo, span, dims, good, total from budget_time"]
    return "\nunion all\n".join([*parts, *_nothing(asked, "s.slo, s.over")])


def _of_events(asked: Asked, *, prefix: str, span: str, also: str) -> str:
    """What facts say: one series and one span of time after the other, looked up by key."""
    accounts = Accounts(asked, "r.account")
    conditions = "".join(f" and {each}" for each in accounts.conditions(platform_wide=True))
    return "\nunion all\n".join(
        f"select p.tenant, p.win, s.slo{span}, {asked.dims({'slo': 's.slo'} | accounts.columns)} as dims, m.good, m.total\n"
        f"from {prefix}{pieces} p{accounts.join('p')}\n"
        f"join slos s on s.tenant = p.tenant and s.win = p.win and s.kind not in {_OF_TIME}{also}\n"
        f"join series r on r.tenant = p.tenant and r.kind = 'slo' and r.dims ->> 'slo' = s.slo"
        f" and not r.dims ? 'excluded'{conditions}\n"
        f"cross join lateral (select sum(f.total) as good, sum(f.n) as total from {table} f"
        f" where f.series = r.id and f.{column} >= p.lo and f.{column} < p.hi having count(*) > 0) m"
        for pieces, table, column in _TABLES
    )


def _nothing(asked: Asked, columns: str) -> list[str]:
    """A row of nothing for each SLO, so that one without events shows; not where accounts are told apart."""
    if asked.by_accounts:
        return []
    return [f"select s.tenant, s.win, {columns}, {asked.dims({'slo': 's.slo'})}, 0, 0 from slos s"]


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {"slos": slos}
COUNTS: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    "slo_counts": slo_counts,
    "budget_counts": budget_counts,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "slos": ("wins", "declared"),
    "slo_counts": ("minutes", "quarters", "spans", "slos", "slo_time"),
    "budget_counts": ("budget_minutes", "budget_quarters", "budget_spans", "slos", "budget_time"),
}
