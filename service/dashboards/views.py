"""Statements of single panels, over the views of the schema `grafana` (docs/grafana-views.md), each with a sentence."""

from collections.abc import Mapping

from service.dashboards.statements import CHOSEN_ACCOUNTS, GRAIN, KPI, WINDOW

_NAMED_SPLIT = (
    "(select coalesce(string_agg(d.key || '=' || d.value, ', ' order by d.key), '') from jsonb_each_text(dimensions) d)"
)
"""A split with the names of its dimensions: values alone are the same for several."""
_DAY = "day::timestamp at time zone (select timezone from grafana.tenant)"
"""The instant at which a local day begins."""

SCORECARD = f"""-- the rows of the declared scorecards
select scorecard, title, row, is_critical as critical, status, value, target, limit_value as "limit", unit, reason
from grafana.scorecard
where window_name = {WINDOW}
order by scorecard, place"""

JUDGED = f"""-- every KPI with a target, the worst first
select kpi as "KPI", statistic, window_name as "window", {_NAMED_SPLIT} as "of", status, value, target, limit_value as "limit"
from grafana.kpi
where target is not null
order by array_position(array['red', 'yellow', 'green', 'none'], status), kpi, statistic, split, window_name
limit 500"""

KPI_HISTORY = f"""-- closed windows of the chosen KPI
select started_at as time, value, target, limit_value as "limit"
from grafana.kpi_history
where {KPI} and window_name = {GRAIN} and dimensions = '{{}}' and $__timeFilter(ended_at)
order by time"""

KPI_HISTORY_BY_SPLIT = f"""-- closed windows of the chosen KPI by its splits
select time, metric, value
from (
  select started_at as time, {_NAMED_SPLIT} as metric, value
  from grafana.kpi_history
  where {KPI} and window_name = {GRAIN} and dimensions <> '{{}}' and $__timeFilter(ended_at)
  order by time desc, metric
  limit 20000
) newest
order by time, metric"""

KPI_NEWEST = f"""-- the newest values of the chosen KPI
select statistic, window_name as "window", {_NAMED_SPLIT} as "of", status, value, target, limit_value as "limit", reason,
       started_at as "from", ended_at as until
from grafana.kpi
where kpi = ${{kpi:sqlstring}}
order by dimensions <> '{{}}', window_name, statistic, split
limit 1000"""

SLOS = """-- every SLO with its budget
select slo, kind, objective, compliance, good, total, window_name as "window", budget_left as "budget left",
       days_to_exhaustion as "days to exhaustion", burn_1h as "burn 1h", burn_6h as "burn 6h", burn_72h as "burn 3d"
from grafana.slo
order by budget_left nulls last, slo"""

ACTIVE_USERS = f"""-- active users: of the days from the sets of users, of closed weeks and months as the KPIs say
select {_DAY} as time, 'DAU' as metric, users
from grafana.active_users_day
where $__timeFilter(day)
union all
select started_at, upper(kpi), value
from grafana.kpi_history
where (kpi, window_name) in (('wau', 'week'), ('mau', 'month')) and statistic = '' and dimensions = '{{}}'
  and $__timeFilter(ended_at)
order by time, metric"""

_AGES = (*range(15), 21, 28)
RETENTION = f"""-- the retention triangle by days
select to_char(cohort, 'YYYY-MM-DD') as cohort, max(cohort_users) as users,
       {", ".join(f'max(share) filter (where age = {age}) as "{age}"' for age in _AGES)}
from grafana.retention
where $__timeFilter(cohort)
group by cohort
order by cohort desc
limit 60"""

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HEAT_MAP = f"""-- users of each feature by weekday, summed over the days of the span
select feature, {", ".join(f'sum(users) filter (where weekday = {at}) as "{day}"' for at, day in enumerate(_WEEKDAYS, 1))}
from grafana.feature_heatmap
where $__timeFilter(day)
group by feature
order by sum(users) desc, feature
limit 50"""

FUNNEL = f"""-- the steps of every funnel
select funnel, step, counts, reached, base, share as "of base", share_of_first as "of first", drop_share as "drop"
from grafana.funnel
where window_name = {WINDOW}
order by funnel, place"""

_SHARES = {"failed": "delivery_failed", "retried": "delivery_retried", "dead-lettered": "delivery_dead_lettered"}
INTEGRATIONS = f"""-- integrations with their figures in the chosen window, the worst first
select integration,
       max(status) filter (where kpi = 'delivery_on_time') as status,
       max(value) filter (where kpi = 'delivery_on_time') as "on time",
       max(target) filter (where kpi = 'delivery_on_time') as target,
       max(value) filter (where kpi = 'deliveries' and statistic = '') as deliveries,
       max(value) filter (where kpi = 'delivery_latency' and statistic = 'p50') as "latency p50",
       max(value) filter (where kpi = 'delivery_latency' and statistic = 'p95') as "latency p95",
       {", ".join(f"max(value) filter (where kpi = '{kpi}') as {chr(34)}{name}{chr(34)}" for name, kpi in _SHARES.items())},
       max(value) filter (where kpi = 'delivery_exhausted') as exhausted
from grafana.kpi
where window_name = {WINDOW} and integration is not null and dimensions - 'integration' = '{{}}' and kpi like 'deliver%'
group by integration
order by "on time" nulls last, integration"""

DELIVERIES_OVER_TIME = """-- finals by integration and quarter of an hour
select time, integration as metric, sum(finals) as finals
from grafana.delivery_sla_quarter
where $__timeFilter(time)
group by time, integration
order by time, metric"""

OPEN_TICKETS = """-- open tickets, the most urgent first
select ticket, account, tier, priority, category, opened_at as opened, age_s as age, due_at as due, left_s as "left", escalation
from grafana.ticket
where state = 'open'
order by left_s nulls last, opened_at
limit 200"""

INCIDENTS = """-- incidents that began in the span
select incident, severity, state, service, title, opened_at as began, resolved_at as resolved, detect_s as "to detect",
       acknowledge_s as "to acknowledge", resolve_s as "to resolve", affected_users as users
from grafana.incident
where $__timeFilter(opened_at)
order by opened_at desc
limit 500"""

_METER = {"values": "count", **{name: name for name in ("mean", "p50", "p95", "p99", "min", "max", "newest", "change")}}
_FIGURES = ", ".join(f"""max(value) filter (where statistic = '{name}') as "{title}\"""" for title, name in _METER.items())
METERS = f"""-- meters in the chosen window
select meter, coalesce(dimensions ->> 'unit', dimensions ->> 'currency') as unit, {_FIGURES}
from grafana.kpi
where kpi = 'meter' and window_name = {WINDOW} and meter is not null
group by 1, 2
order by 1, 2
limit 500"""


def _meters_over_time(figure: str) -> str:
    return f"""-- meters by quarters of an hour
select time, concat_ws(' ', meter, unit, currency) as metric, {figure} as value
from grafana.meter_quarter
where $__timeFilter(time)
group by time, meter, unit, currency
order by time, metric"""


METERS_OVER_TIME: Mapping[str, str] = {
    "mean": _meters_over_time("sum(sum) / nullif(sum(count), 0)"),
    "max": _meters_over_time("max(max)"),
}

CUSTOMERS = f"""-- the chosen accounts, those at the highest risk first
select account, status, tier, industry, region, owner, health, health_band as "health band", churn_risk as "churn risk",
       churn_band as "churn band", array_to_string(signals, ', ') as signals, mrr as "MRR", mrr_currency as currency,
       expansion_potential as expansion, contract_value as "contract value", days_to_renewal as "days to renewal",
       licensed_users as licensed, open_tickets as tickets
from grafana.account
where {CHOSEN_ACCOUNTS}
order by churn_risk desc nulls last, health nulls last, account
limit 1000"""

STAKES = f"""-- churn risk, expansion potential and contract value of the chosen accounts
select account, churn_risk as "churn risk", coalesce(expansion_potential, 0) as expansion,
       coalesce(contract_value, 0) as "contract value"
from grafana.account
where churn_risk is not null and {CHOSEN_ACCOUNTS}
order by account
limit 1000"""


def _counted(column: str) -> str:
    return f"""-- how many of the chosen accounts there are of each
select coalesce({column}, '(none)') as name, count(*) as accounts
from grafana.account
where {CHOSEN_ACCOUNTS}
group by 1
order by accounts desc, name
limit 50"""


BANDS: Mapping[str, str] = {"health": _counted("health_band"), "churn risk": _counted("churn_band")}
SEGMENTS: Mapping[str, str] = {name: _counted(name) for name in ("tier", "industry", "region", "status")}

_ITEM = "kind, status, title, colour, priority, owner, due, is_overdue as overdue, value, currency"
ITEMS = f"""-- tracked items that are not closed: of the chosen accounts, and of none
select item, account, {_ITEM}
from grafana.item
where status <> 'closed' and (account is null or '*' in (${{account:sqlstring}}) or account in (${{account:sqlstring}}))
order by is_overdue desc, due nulls last, item
limit 500"""

_CUSTOMER = "account = ${customer:sqlstring}"
ITEMS_OF_ACCOUNT = f"""-- tracked items of the account that are not closed
select item, {_ITEM}
from grafana.item
where {_CUSTOMER} and status <> 'closed'
order by is_overdue desc, due nulls last, item
limit 200"""
PROFILE = f"""-- the account as it stands
select status, tier, industry, region, owner, mrr as "MRR", mrr_currency as currency, contract_value as "contract value",
       contract_end as "contract end", renewal, licensed_users as licensed, phase, progress, health_band as "health band",
       churn_band as "churn band", array_to_string(signals, ', ') as signals
from grafana.account
where {_CUSTOMER}"""
TICKETS_OF_ACCOUNT = f"""-- tickets of the account, open ones first
select ticket, state, priority, category, opened_at as opened, left_s as "left", first_response_s as response,
       resolution_s as resolution
from grafana.ticket
where {_CUSTOMER}
order by state = 'resolved', opened_at desc
limit 200"""
USES_OF_ACCOUNT = f"""-- uses of features by the account's users, by day
select {_DAY} as time, feature as metric, sum(uses) as uses
from grafana.usage_day
where {_CUSTOMER} and $__timeFilter(day)
group by day, feature
order by time, metric"""
INCIDENTS_OF_ACCOUNT = """-- incidents of the span that name the account, or that are platform-wide
select incident, severity, state, service, title, opened_at as began, resolved_at as resolved, resolve_s as "to resolve"
from grafana.incident
where (accounts = '{}' or ${customer:sqlstring} = any (accounts)) and $__timeFilter(opened_at)
order by opened_at desc
limit 200"""

SOURCES = """-- event sources, the one that is silent for longest first
select source, newest_at as newest, age_s as age, limit_s as "limit", is_late as late, stored
from grafana.source
order by is_late desc nulls last, age_s desc nulls last
limit 200"""
LEDGER = """-- what became of received events, by UTC day of receipt
select day::timestamp at time zone 'UTC' as time, sum(stored) as stored, sum(duplicate) as duplicate,
       sum(dead_lettered) as "dead-lettered"
from grafana.ledger
where $__timeFilter(day)
group by day
order by time"""
DEAD_LETTERS = """-- dead letters of the span by reason
select reason, state, count(*) as letters, sum(copies) as refused, max(received_at) as newest
from grafana.dead_letter
where $__timeFilter(received_at)
group by reason, state
order by letters desc, reason, state"""
