"""Views for dashboards: KPIs, scorecards, funnels, accounts, incidents, tickets, items, sources and the ledger."""

from collections.abc import Mapping

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ACTIONS = ", ".join(
    f"'{action}'"
    for action in (
        *("opened", "detected", "acknowledged", "escalated", "severity_changed", "updated", "mitigated", "resolved"),
        *("reopened", "postmortem_completed", "false_positive"),
    )
)
NEWEST = 'time_us desc, rank desc, source collate "C" desc, id collate "C" desc'
"""Bytes decide, whatever collation the database was made with."""


def _at(us: str) -> str:
    return f"timestamptz 'epoch' + {us} * interval '1 microsecond'"


TODAY = "(now() at time zone t.timezone)::date"
# The version that counts now of each tenant's configuration.
DECLARED = """
select distinct on (v.tenant) v.tenant, v.scorecard, v.funnel, v.items, v.freshness
from config_version v join tenant t on t.id = v.tenant and v.version <= t.config_version
where v.valid_from is null or v.valid_from <= now()
order by v.tenant, v.version desc
"""

TENANT = f"select t.name, t.timezone, {TODAY} as today, t.config_version as configuration_version, t.created_at from tenant t"  # noqa: S608
OF_TENANT = {
    "name": "The tenant's name, as in `tidegauge tenants`",
    "timezone": "IANA time zone that its days are cut in",
    "today": "The local day that is running",
    "configuration_version": "Number of its newest configuration; 0: the defaults",
    "created_at": "When it was made",
}

SPLIT = ("account", "integration", "service", "component", "feature", "severity", "priority", "tier", "source", "meter", "slo")
"""Dimensions that have a column of their own, null where a value is not split by them."""


def _kpi(table: str) -> str:
    split = ", ".join(f"dims ->> '{name}' as {name}" for name in SPLIT)
    return f"""
select kpi, statistic, "window" as window_name, dims as dimensions,
       (select coalesce(string_agg(d.value, ', ' order by d.key), '') from jsonb_each_text(dims) d) as split,
       {split}, value, numerator, denominator, target, "limit" as limit_value, status,
       case when value is null then 'no_data' when status = 'none' then 'no_target' end as reason,
       start_at as started_at, end_at as ended_at, at as changed_at
from {table}
"""  # noqa: S608  # made of constants, as all are here


OF_KPI = {
    "kpi": "The KPI's id, as in docs/kpis",
    "statistic": "`p95`, `5xx` …; '' is the KPI's plain value",
    "window_name": "`5m` `1h` `24h` `1d` `7d` `28d` `30d` `90d` `day` `week` `month` `quarter` `year`",
    "dimensions": "What the value is split by, name to value; {} is the whole",
    "split": "The same as text, values alone in the order of their names; '' is the whole",
    **{name: f"The dimension `{name}`; null: not split by it" for name in SPLIT},
    "value": "In the KPI's own unit (docs/kpis): latencies ms, lifecycles s, money minor units, ratios 0 to 1; null: no value",
    "numerator": "What the value is made of, exact",
    "denominator": "What it is divided by, exact; null for counts",
    "target": "What was to be reached, in the value's unit; null: no target",
    "limit_value": "What may not be passed, in the value's unit; null: no limit",
    "status": "`green` meets the target, `yellow` the limit only, `red` neither, `none`: not judged",
    "reason": "Why there is no status: `no_data`, `no_target`; null where there is one",
    "started_at": "The window's start",
    "ended_at": "The window's end",
    "changed_at": "When the value last changed",
}

# A row's text is `KPI`, `KPI.STATISTIC` or either with `{DIMENSION=VALUE}`; what takes several values is no live value.
SCORECARD = f"""
with declared as ({DECLARED}), rows as (
  select d.tenant, s.key as scorecard, r.place, r.row, s.value -> 'critical' ? r.row as is_critical,
         substring(r.row from '^[a-z0-9_]+') as kpi, coalesce(substring(r.row from '^[a-z0-9_]+[.]([a-z0-9_]+)'), '') as statistic,
         coalesce((
           select jsonb_object_agg(p[1], p[2])
           from regexp_matches(substring(r.row from '[{{](.*)[}}]$'), '([^,=]+)="?([^=]*?)"?(?=$|,[^,=]+=)', 'g') p
         ), '{{}}') as dims
  from declared d
  cross join lateral jsonb_each(d.scorecard) s
  cross join lateral jsonb_array_elements_text(s.value -> 'rows') with ordinality as r(row, place)
), live as materialized (
  select l.* from kpi_latest l where l.kpi = any (array(select r.kpi from rows r))
)
select r.scorecard, r.place::int as place, r.row, r.is_critical, r.kpi, k.statistic, k.dims as dimensions, k."window" as window_name,
       k.value, k.target, k."limit" as limit_value, k.status,
       case when k.value is null then 'no_data' when k.status = 'none' then 'no_target' end as reason,
       k.start_at as started_at, k.end_at as ended_at
from rows r
join live k on k.tenant = r.tenant and k.kpi = r.kpi and k.dims = r.dims
  and (k.statistic = r.statistic or r.statistic = '' and k.statistic = 'mean' and not exists (
    select from live m where m.tenant = k.tenant and m.kpi = k.kpi and m.statistic = ''
  ))
"""  # noqa: S608
OF_SCORECARD = {
    "scorecard": "Its name in the configuration",
    "place": "The row's place, from 1",
    "row": "The row as declared: KPI, statistic and selector",
    "is_critical": "Whether it is one of those that the overall state is the worst of",
    "kpi": "The KPI's id",
    "statistic": "Its statistic",
    "dimensions": "What it is chosen by",
    "window_name": "The window; filter by one",
    "value": "In the KPI's own unit; null: no value",
    "target": "What is to be reached; null: no target",
    "limit_value": "What may not be passed; null: no limit",
    "status": "`green` `yellow` `red` `none`",
    "reason": "Why there is no status: `no_data`, `no_target`; null where there is one",
    "started_at": "The window's start",
    "ended_at": "The window's end",
}

FUNNEL = f"""
with declared as ({DECLARED})
select f.value ->> 'name' as funnel, s.place::int as place, s.value ->> 'name' as step, s.value ->> 'base' as base,
       case when s.value ->> 'users' is null then 'accounts' else 'users' end as counts, n."window" as window_name, n.value as reached,
       p.share, p.share_of_first, p.drop_share, n.start_at as started_at, n.end_at as ended_at
from declared d
cross join lateral jsonb_array_elements(d.funnel) f
cross join lateral jsonb_array_elements(f.value -> 'steps') with ordinality as s(value, place)
join kpi_latest n on n.tenant = d.tenant and n.kpi = 'funnel' and n.statistic = ''
  and n.dims = jsonb_build_object('funnel', f.value ->> 'name', 'step', s.value ->> 'name')
left join lateral (
  select max(k.value) filter (where k.statistic = 'share') as share,
         max(k.value) filter (where k.statistic = 'of_first') as share_of_first,
         max(k.value) filter (where k.statistic = 'drop') as drop_share
  from kpi_latest k
  where k.tenant = n.tenant and k.kpi = 'funnel' and k.statistic in ('share', 'of_first', 'drop') and k."window" = n."window"
    and k.dims = n.dims
) p on true
"""  # noqa: S608
OF_FUNNEL = {
    "funnel": "Its name in the configuration",
    "place": "The step's place, from 1",
    "step": "The step's name",
    "base": "The step that `share` is taken of; null: of itself",
    "counts": "`users` or `accounts`",
    "window_name": "The window, `7d` or `28d`; filter by one",
    "reached": "How many came as far",
    "share": "Of the base, 0 to 1",
    "share_of_first": "Of the first step that counts alike, 0 to 1",
    "drop_share": "Of the base those that did not come so far, 0 to 1",
    "started_at": "The window's start",
    "ended_at": "The window's end",
}

TOLD = (
    *("status", "tier", "reason", "phase", "progress_nano", "licensed_users", "size", "mrr", "usage_fees", "contract_value"),
    *("expansion_potential", "contract_start", "contract_end", "renewal"),
)


def _money(field: str, name: str = "") -> str:
    told = f"n.told ->> '{field}'"
    return f"split_part({told}, ' ', 1)::numeric as {name or field}, split_part({told}, ' ', 2) as {name or field}_currency"


# The newest of each value is looked up by its key; traits are kept as they are now.
ACCOUNT = f"""
with score as (
  select l.tenant, l.dims ->> 'account' as account, max(l.value) filter (where l.kpi = 'health') as health,
         max(l.value) filter (where l.kpi = 'churn_risk') as churn_risk
  from kpi_latest l
  where l.kpi in ('health', 'churn_risk') and l.statistic = '' and l."window" = '30d' and l.dims ? 'account'
  group by 1, 2
), desk as (
  select c.tenant, c.account, count(*) as open_tickets from ticket c where c.resolved_us is null and not c.excluded group by 1, 2
)
select k.who as account, {_at("k.time_us")} as known_at, n.told ->> 'status' as status, n.told ->> 'tier' as tier,
       r.traits ->> 'industry' as industry, r.traits ->> 'region' as region, r.traits ->> 'owner' as owner,
       n.told ->> 'phase' as phase, (n.told ->> 'progress_nano')::numeric * 0.000000001 as progress,
       (n.told ->> 'licensed_users')::bigint as licensed_users, (n.told ->> 'size')::bigint as size,
       {_money("mrr")}, {_money("usage_fees")}, {_money("contract_value")}, {_money("expansion_potential")},
       (n.told ->> 'contract_start')::date as contract_start, (n.told ->> 'contract_end')::date as contract_end,
       (n.told ->> 'renewal')::date as renewal, (n.told ->> 'renewal')::date - {TODAY} as days_to_renewal,
       n.told ->> 'reason' as churn_reason, s.health,
       case when s.health >= 80 then 'green' when s.health >= 60 then 'yellow' when s.health is not null then 'red' end as health_band,
       s.churn_risk,
       case when s.churn_risk >= 61 then 'red' when s.churn_risk >= 41 then 'orange' when s.churn_risk >= 21 then 'yellow'
            when s.churn_risk is not null then 'green' end as churn_band,
       coalesce(o.open_tickets, 0) as open_tickets, coalesce(n.signals, '{{}}') as signals, coalesce(r.traits, '{{}}') as traits
from milestone k
join tenant t on t.id = k.tenant
left join lateral (
  select jsonb_object_agg(h.field, h.value) as told,
         array_agg(substr(h.field, 8) order by h.field) filter (where h.field like 'signal.%' and h.value = 'true') as signals
  from (
    select distinct on (v.field) v.field, v.value
    from state_history v
    where v.tenant = k.tenant and v.kind = 'account' and v.who = k.who and v.account = k.who
      and v.field = any (array[{", ".join(f"'{field}'" for field in TOLD)}]
                         || array(select 'signal.' || g.name from name g where g.kind = 'signal'))
    order by v.field, v.time_us desc, v.source collate "C" desc, v.id collate "C" desc
  ) h
) n on true
left join lateral (
  select jsonb_object_agg(substr(x.field, 7), x.value) as traits from state x
  where x.tenant = k.tenant and x.kind = 'account' and x.who = k.who and x.account = k.who and x.field like 'trait.%'
) r on true
left join score s on s.tenant = k.tenant and s.account = k.who
left join desk o on o.tenant = k.tenant and o.account = k.who
where k.kind = 'account' and k.milestone = '~known'
"""  # noqa: S608
OF_ACCOUNT = {
    "account": "The account's id",
    "known_at": "When it was first heard of",
    "status": "`prospect` `invited` `onboarding` `trial` `active` `at_risk` `churned`; null: never told",
    "tier": "`enterprise` `mid_market` `starter`",
    "industry": "Its trait `industry`",
    "region": "Its trait `region`",
    "owner": "Its trait `owner`: who looks after it",
    "phase": "Of its onboarding, as told",
    "progress": "Of its onboarding, 0 to 1",
    "licensed_users": "Seats that it has licensed",
    "size": "Employees or subscribers, as told",
    "mrr": "Monthly recurring revenue, minor units",
    "mrr_currency": "ISO 4217",
    "usage_fees": "The variable part of the MRR, minor units",
    "usage_fees_currency": "ISO 4217",
    "contract_value": "Minor units",
    "contract_value_currency": "ISO 4217",
    "expansion_potential": "Minor units",
    "expansion_potential_currency": "ISO 4217",
    "contract_start": "Its contract's first day",
    "contract_end": "Its contract's last day",
    "renewal": "When it is to be renewed",
    "days_to_renewal": "Local days from today; negative: past due",
    "churn_reason": "Why it left, as told",
    "health": "Health score of 30 days, points of 100; null: none",
    "health_band": "`green` from 80, `yellow` from 60, `red` below",
    "churn_risk": "Churn risk, points; null: none",
    "churn_band": "`green` up to 20, `yellow` up to 40, `orange` up to 60, `red` above",
    "open_tickets": "Tickets that are open now, excluded ones left out",
    "signals": "Churn signals that are raised and were not taken back",
    "traits": "All of its traits, name to value",
}


def _described(field: str, kind: str = "text") -> str:
    return f"(array_agg((s.fields ->> '{field}')::{kind} order by {NEWEST}) filter (where s.fields ? '{field}'))[1] as {field}"


def _first(action: str) -> str:
    return f"min(s.time_us) filter (where s.fields ->> 'action' = '{action}') as {action}_us"


# What describes an incident is the newest, its moments the first of their kind, but for `resolved`: the last one, if nothing
# was reopened since. The time between `resolved` and `reopened` is idle and does not count.
INCIDENT = f"""
select c.subject as incident, case when c.false_positive then 'false_positive' when m.resolved_us is null then 'open'
         else 'resolved' end as state,
       c.severity, c.title, c.service, c.kind, c.cause, c.outage, c.affected_users, c.action_items, a.accounts,
       {_at("c.opened_us")} as opened_at, {_at("c.detected_us")} as detected_at, {_at("c.acknowledged_us")} as acknowledged_at,
       {_at("c.escalated_us")} as escalated_at, {_at("c.mitigated_us")} as mitigated_at, {_at("m.resolved_us")} as resolved_at,
       {_at("c.postmortem_completed_us")} as postmortem_at,
       (c.detected_us - c.opened_us) * 0.000001 as detect_s, (c.acknowledged_us - c.detected_us) * 0.000001 as acknowledge_s,
       (m.resolved_us - coalesce(c.detected_us, c.opened_us) - coalesce(m.idle_us, 0)) * 0.000001 as resolve_s
from (
  select s.tenant, s.subject, coalesce({_first("opened").removesuffix(" as opened_us")}, min(s.time_us)) as opened_us,
         {_first("detected")}, {_first("acknowledged")}, {_first("escalated")}, {_first("mitigated")},
         {_first("postmortem_completed")}, bool_or(s.fields ->> 'action' = 'false_positive') as false_positive,
         {_described("severity")}, {_described("title")}, {_described("service")}, {_described("kind")}, {_described("cause")},
         {_described("outage", "boolean")}, {_described("affected_users", "bigint")}, {_described("action_items", "bigint")}
  from step s cross join lateral (select array_position(array[{ACTIONS}], s.fields ->> 'action') as rank) r
  where s.family = 'incident'
  group by s.tenant, s.subject
) c
left join lateral (
  select case when (array_agg(w.move order by w.number desc))[1] = 'resolved' then max(w.time_us) end as resolved_us,
         sum(w.time_us - w.before_us) filter (where w.move = 'reopened' and w.before = 'resolved') as idle_us
  from (
    select s.fields ->> 'action' as move, s.time_us, row_number() over steps as number,
           lag(s.fields ->> 'action') over steps as before, lag(s.time_us) over steps as before_us
    from step s cross join lateral (select array_position(array[{ACTIONS}], s.fields ->> 'action') as rank) r
    where s.tenant = c.tenant and s.family = 'incident' and s.subject = c.subject
      and s.fields ->> 'action' in ('resolved', 'reopened')
    window steps as (order by s.time_us, r.rank, s.source collate "C", s.id collate "C")
  ) w
) m on true
left join lateral (
  select coalesce(array_agg(distinct n.name order by n.name), '{{}}') as accounts
  from step s cross join lateral (
    select s.account as name where s.account <> ''
    union all
    select jsonb_array_elements_text(s.fields -> 'accounts') where s.fields ? 'accounts'
  ) n
  where s.tenant = c.tenant and s.family = 'incident' and s.subject = c.subject
) a on true
"""  # noqa: S608
OF_INCIDENT = {
    "incident": "The incident's id",
    "state": "`open` `resolved` `false_positive`",
    "severity": "`P0` to `P3`, the newest",
    "title": "As told last",
    "service": "The service or component that it is about",
    "kind": "`availability` `security` `data_breach` …",
    "cause": "As told last",
    "outage": "Whether it took the service down",
    "affected_users": "As told last",
    "action_items": "As told last",
    "accounts": "Accounts that its steps name; {}: platform-wide",
    "opened_at": "When it began",
    "detected_at": "When it was detected; null: never",
    "acknowledged_at": "When it was acknowledged; null: never",
    "escalated_at": "When it was first escalated; null: never",
    "mitigated_at": "When it was mitigated; null: never",
    "resolved_at": "When it was last resolved; null while it is open: an annotation's end",
    "postmortem_at": "When its post-mortem was completed; null: never",
    "detect_s": "Detected less opened, seconds",
    "acknowledge_s": "Acknowledged less detected, seconds",
    "resolve_s": "Resolved less detected (else opened), seconds, without the time between `resolved` and `reopened`",
}

LEFT = "extract(epoch from {} - now())".format
DUE = ("response", "mitigation", "resolution")
TICKET = f"""
select c.subject as ticket, case when c.resolved_us is null then 'open' else 'resolved' end as state,
       nullif(c.account, '') as account, r.tier, c.priority, c.category, c.blocking, c.first_contact, c.level as escalated_to,
       c.excluded, c.reason as excluded_reason, {_at("c.opened_us")} as opened_at,
       {_at("c.first_response_us")} as first_response_at, {_at("c.mitigated_us")} as mitigated_at,
       {_at("c.resolved_us")} as resolved_at, (c.first_response_us - c.opened_us) * 0.000001 as first_response_s,
       (c.resolved_us - c.opened_us - c.idle_us) * 0.000001 as resolution_s,
       case when c.resolved_us is null then extract(epoch from now() - ({_at("c.opened_us")})) - c.idle_us * 0.000001 end as age_s,
       {", ".join(f"{_at(f'd.{name}_due_us')} as {name}_due_at" for name in DUE)},
       {_at("least(d.response_due_us, d.mitigation_due_us, d.resolution_due_us)")} as due_at,
       {LEFT(f"({_at('least(d.response_due_us, d.mitigation_due_us, d.resolution_due_us)')})")} as left_s,
       d.escalation
from ticket c
left join ticket_due d on d.tenant = c.tenant and d.subject = c.subject and c.resolved_us is null
left join lateral (
  select h.value as tier from state_history h
  where h.tenant = c.tenant and h.kind = 'account' and h.field = 'tier' and h.who = c.account and h.account = c.account
    and h.time_us <= c.opened_us
  order by h.time_us desc, h.source collate "C" desc, h.id collate "C" desc limit 1
) r on true
"""  # noqa: S608
OF_TICKET = {
    "ticket": "The ticket's id",
    "state": "`open` `resolved`",
    "account": "The account; null: none",
    "tier": "The account's when it was opened",
    "priority": "`P0` to `P3`, the newest",
    "category": "As told last",
    "blocking": "As told last",
    "first_contact": "Whether it was solved at the first contact",
    "escalated_to": "The level that it was escalated to last; null: never",
    "excluded": "Whether it counts in no SLA",
    "excluded_reason": "Why, as told last",
    "opened_at": "When it was opened",
    "first_response_at": "When it was first answered; null: not yet",
    "mitigated_at": "When a workaround stood; null: not yet",
    "resolved_at": "When it was last resolved; null while it is open",
    "first_response_s": "First response less opened, seconds by the wall clock",
    "resolution_s": "Resolved less opened, seconds by the wall clock, without the time between `resolved` and `reopened`",
    "age_s": "Of an open one: seconds since it was opened, less the time in which it was resolved",
    "response_due_at": "Of an open one: when its response is due; null: it is answered, or nothing is promised",
    "mitigation_due_at": "Of an open one: when its mitigation is due; null: it is mitigated, or nothing is promised",
    "resolution_due_at": "Of an open one: when its resolution is due; null: nothing is promised",
    "due_at": "The first of what is due",
    "left_s": "Seconds until then by the wall clock; negative: so much too late",
    "escalation": "The level that an open one should have reached by now, 0 to 4",
}

ITEM = f"""
with declared as ({DECLARED})
select i.subject as item, i.kind, i.status, i.title, i.probability, i.impact,
       d.items -> 'colours' ->> (i.probability || '_' || i.impact) as colour, i.priority, i.due::date as due, i.owner,
       i.value, i.value_currency as currency, nullif(i.account, '') as account, {_at("i.begun_us")} as opened_at,
       {_at("i.changed_us")} as changed_at, i.status <> 'closed' and i.due::date < {TODAY} as is_overdue
from (
  select s.tenant, s.subject, min(s.time_us) as begun_us, max(s.time_us) as changed_us,
         {", ".join(_described(name) for name in ("kind", "status", "title", "probability", "impact", "priority", "due", "owner"))},
         {_described("value", "numeric")},
         (array_agg(s.fields ->> 'value_currency' order by {NEWEST}) filter (where s.fields ? 'value'))[1] as value_currency,
         (array_agg(s.account order by {NEWEST}) filter (where s.account <> ''))[1] as account
  from step s
  cross join lateral (select array_position(array['open', 'mitigating', 'closed'], s.fields ->> 'status') as rank) r
  where s.family = 'item'
  group by s.tenant, s.subject
) i
join tenant t on t.id = i.tenant
left join declared d on d.tenant = i.tenant
"""  # noqa: S608
OF_ITEM = {
    "item": "The item's id",
    "kind": "`risk` `action` `blocker` `opportunity` `intervention` `defect` …",
    "status": "`open` `mitigating` `closed`",
    "title": "As told last",
    "probability": "`low` `medium` `high`",
    "impact": "`low` `medium` `high`",
    "colour": "`red` `orange` `yellow` `green`, of probability and impact as declared; null: neither is known, or nothing declared",
    "priority": "As told last",
    "due": "The day it is due",
    "owner": "Who looks after it",
    "value": "Minor units",
    "currency": "ISO 4217",
    "account": "The account; null: none",
    "opened_at": "Its first step",
    "changed_at": "Its last step",
    "is_overdue": "Not closed, and due before the local day that is running",
}

SOURCE = f"""
with declared as ({DECLARED})
select l.source, q.newest_at, extract(epoch from now() - q.newest_at) as age_s, q.received_at,
       (d.freshness -> l.source ->> 'limit_s')::numeric as limit_s,
       extract(epoch from now() - q.newest_at) > (d.freshness -> l.source ->> 'limit_s')::numeric as is_late, l.stored, l.last_day
from (select g.tenant, g.source, sum(g.stored) as stored, max(g.day) as last_day from ledger g group by 1, 2) l
left join declared d on d.tenant = l.tenant
left join lateral (
  select max({_at("u.newest_us")}) as newest_at, max(b.bucket + u.place * interval '1 minute') as received_at
  from (
    select q.bucket, q.newest from source_quarter q
    where q.tenant = l.tenant and q.source = l.source order by q.bucket desc limit 96
  ) b cross join lateral unnest(b.newest) with ordinality as u(newest_us, place)
  where u.newest_us is not null
) q on true
"""  # noqa: S608
OF_SOURCE = {
    "source": "The event source",
    "newest_at": "Time of its newest event, among those of its last 96 quarters of an hour that brought some; null: longer ago",
    "age_s": "Seconds since then",
    "received_at": "The end of the minute in which something last came",
    "limit_s": "Declared as [freshness.SOURCE] limit_s; null: none",
    "is_late": "Whether its newest event is older than the limit; null: no limit",
    "stored": "Events stored, ever",
    "last_day": "The UTC day of the last receipt",
}

LEDGER = "select day, source, stored, duplicate, dead_lettered from ledger"
OF_LEDGER = {
    "day": "UTC day of receipt",
    "source": "The event source",
    "stored": "Events stored",
    "duplicate": "Copies that were counted once, beside",
    "dead_lettered": "Events refused",
}

DEAD_LETTER = "select received_at, source, reason, detail, state, origin, count as copies from dead_letter"
OF_DEAD_LETTER = {
    "received_at": "When it was received",
    "source": "The event source, as it said",
    "reason": "`malformed` `missing_field` `too_late` … (docs/sending-events.md)",
    "detail": "What was wrong",
    "state": "`open` `resent` `dismissed`",
    "origin": "The way it came",
    "copies": "How often the same was refused",
}

VIEWS = (
    ("tenant", "The tenant that the role reads: one row", TENANT, OF_TENANT),
    ("kpi", "The newest value of every live KPI, its parts beside the whole", _kpi("kpi_latest"), OF_KPI),
    (
        "kpi_history",
        "Values of closed windows, by `day`, `week` and `month`: filter by kpi, window and end",
        _kpi("kpi_history"),
        OF_KPI,
    ),
    ("scorecard", "The rows of the declared scorecards that have a live value, by window", SCORECARD, OF_SCORECARD),
    ("funnel", "The steps of the declared funnels in the newest windows", FUNNEL, OF_FUNNEL),
    ("account", "Accounts as they stand now", ACCOUNT, OF_ACCOUNT),
    ("incident", "Incidents as known now", INCIDENT, OF_INCIDENT),
    ("ticket", "Support tickets as known now, with the time that open ones have left", TICKET, OF_TICKET),
    ("item", "Tracked things (risks, actions, blockers …) as they stand now", ITEM, OF_ITEM),
    ("source", "Event sources, and how fresh they are", SOURCE, OF_SOURCE),
    ("ledger", "What became of received events, by UTC day and source", LEDGER, OF_LEDGER),
    ("dead_letter", "Refused events, one row each, without what they held", DEAD_LETTER, OF_DEAD_LETTER),
)


def _make(name: str, says: str, select: str, columns: Mapping[str, str]) -> None:
    op.execute(f"create view grafana.{name} with (security_invoker = true) as {select}")
    op.execute(f"comment on view grafana.{name} is $says${says}$says$")
    for column, sentence in columns.items():
        op.execute(f"comment on column grafana.{name}.{column} is $says${sentence}$says$")


def upgrade() -> None:
    """Make the views, and give them to the roles that there are."""
    for view in VIEWS:
        _make(*view)
    op.execute("select grafana.grant_readers()")


def downgrade() -> None:
    """Back to 0014."""
    for name, *_ in VIEWS:
        op.execute(f"drop view grafana.{name}")
