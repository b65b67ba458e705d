"""Statements over KPIs, and those that fill what a reader chooses; what is chosen stands in them as `${…}`.

They read the views of the schema `grafana` (docs/grafana-views.md) as a role of one tenant, so that none names a tenant.
"""

from collections.abc import Sequence

WINDOW = "${window:sqlstring}"
GRAIN = "${grain:sqlstring}"
KPI = "kpi = ${kpi:sqlstring} and statistic = replace(${statistic:sqlstring}, '(value)', '')"
_CHOICES = ("account", "tier", "industry", "region", "status")
CHOSEN_ACCOUNTS = " and ".join(
    f"('*' in (${{{name}:sqlstring}}) or coalesce({name}, '(none)') in (${{{name}:sqlstring}}))" for name in _CHOICES
)
"""The accounts that are chosen by themselves, and by what they are."""

TENANTS = """-- the tenant that the role reads
select name from grafana.tenant order by name"""
ACCOUNTS = """-- accounts of the tenant
select account from grafana.account order by account limit 5000"""


def _values_of(column: str) -> str:
    return f"""-- what accounts have as {column}
select distinct coalesce({column}, '(none)') as {column} from grafana.account order by 1 limit 500"""


TIERS, INDUSTRIES, REGIONS, STATUSES = (_values_of(name) for name in ("tier", "industry", "region", "status"))
KPIS = """-- KPIs that are kept
select distinct kpi from grafana.kpi order by kpi"""
STATISTICS = """-- figures of the chosen KPI
select distinct coalesce(nullif(statistic, ''), '(value)') as statistic
from grafana.kpi
where kpi = ${kpi:sqlstring}
order by statistic"""
ANNOTATED_INCIDENTS = """-- incidents that lie in the span, as marks from their beginning to their end
select opened_at as time, coalesce(resolved_at, now()) as "timeEnd", concat_ws(' ', severity, coalesce(title, incident)) as text,
       concat_ws(',', severity, service) as tags
from grafana.incident
where state <> 'false_positive' and opened_at <= $__timeTo() and (resolved_at is null or resolved_at >= $__timeFrom())
order by opened_at
limit 500"""


def quoted(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def newest(kpi: str, statistic: str, window: str) -> str:
    """The newest value of the whole."""
    return f"""-- the newest value of a KPI
select value
from grafana.kpi
where {_is(kpi, statistic, window)} and dimensions = '{{}}'"""


def newest_apart(kpi: str, statistic: str, window: str, apart: Sequence[str]) -> str:
    """The newest values of what is never added up, a row a currency or unit."""
    return f"""-- the newest values of a KPI, each currency or unit apart
select split as name, value
from grafana.kpi
where {_is(kpi, statistic, window)} and {_without(apart)} = '{{}}'
order by name"""


def newest_by(kpi: str, statistic: str, window: str, dimension: str, apart: Sequence[str] = ()) -> str:
    """The newest values of a split, the largest first."""
    return f"""-- the newest values of a KPI by {dimension}
select split as name, value
from grafana.kpi
where {_is(kpi, statistic, window)} and {_only((dimension,), apart)}
order by value desc nulls last, name
limit 50"""


def history(kpi: str, statistic: str, grain: str) -> str:
    """Closed windows of the whole, at their beginnings, with the target and the limit that they were judged by."""
    return f"""-- closed windows of a KPI with their target and limit
select started_at as time, value, target, limit_value as "limit"
from grafana.kpi_history
where {_is(kpi, statistic, grain)} and dimensions = '{{}}' and $__timeFilter(ended_at)
order by time"""


def history_apart(kpi: str, statistic: str, grain: str, apart: Sequence[str]) -> str:
    """Closed windows of what is never added up, a line a currency or unit."""
    return f"""-- closed windows of a KPI, each currency or unit apart
select started_at as time, split as metric, value
from grafana.kpi_history
where {_is(kpi, statistic, grain)} and {_without(apart)} = '{{}}' and $__timeFilter(ended_at)
order by time, metric"""


def history_by(kpi: str, statistic: str, grain: str, dimensions: Sequence[str], apart: Sequence[str] = ()) -> str:
    """Closed windows of a split, a line a value of its dimensions."""
    return f"""-- closed windows of a KPI by {" and ".join(dimensions)}
select started_at as time, split as metric, value
from grafana.kpi_history
where {_is(kpi, statistic, grain)} and {_only(dimensions, apart)} and $__timeFilter(ended_at)
order by time, metric"""


def of_account(kpi: str, window: str) -> str:
    """The newest value of a KPI of the chosen customer."""
    return f"""-- the newest value of a KPI of the account
select value
from grafana.kpi
where {_is(kpi, "", quoted(window))} and dimensions = jsonb_build_object('account', ${{customer:sqlstring}})"""


def history_of_account(kpi: str, window: str) -> str:
    """Closed windows of a KPI of the chosen customer."""
    return f"""-- closed windows of a KPI of the account
select started_at as time, value, target, limit_value as "limit"
from grafana.kpi_history
where {_is(kpi, "", quoted(window))} and dimensions = jsonb_build_object('account', ${{customer:sqlstring}})
  and $__timeFilter(ended_at)
order by time"""


def _is(kpi: str, statistic: str, window: str) -> str:
    return f"kpi = {quoted(kpi)} and statistic = {quoted(statistic)} and window_name = {window}"


def _only(dimensions: Sequence[str], apart: Sequence[str]) -> str:
    names = ", ".join(quoted(name) for name in dimensions)
    return f"dimensions ?& array[{names}] and {_without((*dimensions, *apart))} = '{{}}'"


def _without(dimensions: Sequence[str]) -> str:
    return "dimensions" + "".join(f" - {quoted(name)}" for name in dimensions)
