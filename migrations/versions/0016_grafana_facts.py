"""Views for dashboards: what happened by the minute, quarter of an hour and day, and who was active and stayed."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

Columns = dict[str, str]
GRAINS = {
    "minute": ("fact_minute", "bucket", "time", "Start of the minute; kept 8 days"),
    "quarter": ("fact_quarter", "bucket", "time", "Start of the quarter of an hour; kept 400 days"),
    "day": ("fact_day", "day", "day", "The local day; kept for ever"),
}
"""The table of each grain, its column of time, and what a view calls it. Filter by it: it is part of the key."""
NS_AS_MS = "* 0.000001"
NANO = "* 0.000000001"
FINAL = "s.dims ->> 'outcome' in ('delivered', 'failed', 'dead_lettered')"
COUNTED = f"({FINAL} and not s.dims ? 'excluded')"
DELIVERED = "s.dims ->> 'outcome' = 'delivered'"
ON_TIME = f"(s.dims ->> 'on_time' = 'true' or not s.dims ? 'limited' and {DELIVERED})"


def _facts(kind: str, grain: str, columns: str, group: str = "") -> str:
    table, key, name, _ = GRAINS[grain]
    return f"select f.{key} as {name}, {columns} from series s join {table} f on f.series = s.id where s.kind = '{kind}' {group}"  # noqa: S608


def _time(grain: str) -> Columns:
    _, _, name, says = GRAINS[grain]
    return {name: says}


def _dims(*names: str) -> str:
    return ", ".join(f"s.dims ->> '{name}' as {name}" for name in names)


ACCOUNT = "nullif(s.account, '') as account"
LATENCY = f"f.total {NS_AS_MS} as latency_total_ms, f.least {NS_AS_MS} as latency_min_ms, f.greatest {NS_AS_MS} as latency_max_ms"
OF_LATENCY = {
    "latency_total_ms": "Sum of latencies, ms: divide sums of it by sums of the count",
    "latency_min_ms": "Least latency, ms",
    "latency_max_ms": "Greatest latency, ms",
}

DELIVERY = f"""
{ACCOUNT}, {_dims("integration", "direction", "outcome")}, coalesce(s.dims ->> 'retried', 'false')::boolean as retried,
(s.dims ->> 'on_time')::boolean as on_time, coalesce(s.dims ->> 'exhausted', 'false')::boolean as exhausted,
coalesce(s.dims ->> 'automated', 'true')::boolean as automated, s.dims ->> 'excluded' as excluded, f.n as steps, {LATENCY}
"""
OF_DELIVERY = {
    "account": "The account; null: platform-wide",
    "integration": "The integration",
    "direction": "`inbound` `outbound`",
    "outcome": "`accepted` `retrying`, the finals `delivered` `failed` `dead_lettered`, and `redelivered`",
    "retried": "Whether it took more than one attempt",
    "on_time": "Of a delivered one with a limit: whether it was within; null for all others",
    "exhausted": "Whether the last allowed attempt was used",
    "automated": "Whether no hand was needed",
    "excluded": "Why it counts in no SLA; null: it does",
    "steps": "How many steps of deliveries",
    **OF_LATENCY,
}
_SHOWN = {
    "finals": COUNTED,
    "delivered": f"{COUNTED} and {DELIVERED}",
    "on_time": f"{COUNTED} and {ON_TIME}",
    "failed": f"{COUNTED} and s.dims ->> 'outcome' = 'failed'",
    "dead_lettered": f"{COUNTED} and s.dims ->> 'outcome' = 'dead_lettered'",
    "retried": f"{COUNTED} and s.dims ? 'retried'",
    "exhausted": f"{COUNTED} and s.dims ? 'exhausted'",
}


def _of_finals(where: str) -> str:
    return f"coalesce(sum(f.n) filter (where {where}), 0)::bigint"


def _share_of_finals(name: str) -> str:
    return f"coalesce(sum(f.n) filter (where {_SHOWN[name]}), 0) / nullif(sum(f.n) filter (where {COUNTED}), 0)"


DELIVERY_SLA = f"""
{_dims("integration", "direction")}, {", ".join(f"{_of_finals(where)} as {name}" for name, where in _SHOWN.items())},
{_share_of_finals("on_time")} as on_time_share,
{_share_of_finals("delivered")} as success_share,
sum(f.total) filter (where {_SHOWN["delivered"]}) {NS_AS_MS} / nullif(sum(f.n) filter (where {_SHOWN["delivered"]}), 0) as latency_mean_ms
"""
OF_DELIVERY_SLA = {
    "integration": "The integration",
    "direction": "`inbound` `outbound`",
    "finals": "Deliveries that came to an end, excluded ones left out",
    "delivered": "Those that were delivered",
    "on_time": "Those that were delivered within their limit; where none is known, delivered ones",
    "failed": "Those that failed",
    "dead_lettered": "Those that were dead-lettered",
    "retried": "Those that took more than one attempt",
    "exhausted": "Those that used the last allowed attempt",
    "on_time_share": "on_time ÷ finals, 0 to 1; null: no finals",
    "success_share": "delivered ÷ finals, 0 to 1; null: no finals",
    "latency_mean_ms": "Mean latency of the delivered ones, ms; null: none",
}

REQUEST = f"""
{ACCOUNT}, {_dims("service", "route", "method", "region", "status", "error_kind", "excluded")},
s.dims ->> 'status' = 'timeout' or s.dims ->> 'status' >= '4' as is_error, f.n as requests, {LATENCY}
"""
OF_REQUEST = {
    "account": "The account; null: platform-wide",
    "service": "The service that answered",
    "route": "The route; null: not told",
    "method": "The method; null: not told",
    "region": "The region; null: not told",
    "status": "The exact status, or `timeout`",
    "error_kind": "`validation` `application` …; null: not told",
    "excluded": "Why it counts in no SLA; null: it does",
    "is_error": "A status of 400 or more, or a timeout",
    "requests": "How many requests",
    **OF_LATENCY,
}

ATTRIBUTES = """
(select coalesce(jsonb_object_agg(substr(d.key, {from_}), d.value), '{{}}') from jsonb_each_text(s.dims) d
 where d.key like '{prefix}.%') as {name}
"""
METER = f"""
{ACCOUNT}, {_dims("meter", "unit", "currency")}, {ATTRIBUTES.format(prefix="attribute", from_=11, name="attributes")},
f.n as count, f.total {NANO} as sum, f.total {NANO} / nullif(f.n, 0) as mean, f.least {NANO} as min, f.greatest {NANO} as max,
f.newest_value {NANO} as newest
"""
OF_METER = {
    "account": "The account; null: platform-wide",
    "meter": "The meter",
    "unit": "Its unit; null: none, or a currency",
    "currency": "ISO 4217, values in minor units; null: a plain number",
    "attributes": "Its attributes, name to value",
    "count": "How many values",
    "sum": "Sum of the values, in the meter's unit; add sums of one unit and currency alone",
    "mean": "Their mean",
    "min": "The least",
    "max": "The greatest",
    "newest": "The newest by time",
}

USAGE = f"""
{ACCOUNT}, s.dims ->> 'feature' as feature, coalesce(s.dims ->> 'ok', 'true')::boolean as ok,
{ATTRIBUTES.format(prefix="property", from_=10, name="properties")}, f.n as events, f.total {NANO} as uses
"""
OF_USAGE = {
    "account": "The account; null: none was named",
    "feature": "The feature",
    "ok": "Whether it succeeded",
    "properties": "Declared properties, name to value",
    "events": "How many events",
    "uses": "Sum of their quantities",
}

PROBE = "component, nullif(account, '') as account, monitor, nullif(region, '') as region"
PROBES = f"""
select bucket as time, {PROBE}, bit_count(up & ~(down | excluded)) as up_s, bit_count(down & ~excluded) as down_s,
       bit_count(degraded & ~excluded) as degraded_s, bit_count(planned) as planned_s, bit_count(excluded) as excluded_s,
       probes, probes_up
from probe_quarter
"""  # noqa: S608
OF_PROBES = {
    "time": "Start of the quarter of an hour; kept 400 days",
    "component": "The component",
    "account": "The account; null: platform-wide",
    "monitor": "Who checked",
    "region": "From where; null: not told",
    "up_s": "Seconds that this monitor said it was up; availability over several monitors is the KPI `availability`",
    "down_s": "Seconds that it said it was down",
    "degraded_s": "Seconds that it said it was degraded",
    "planned_s": "Seconds of maintenance that was announced in time",
    "excluded_s": "Seconds that were excluded",
    "probes": "How many probes began in it",
    "probes_up": "Those that found it up",
}

ACTIVE = """
select a.day, sum(bit_count(a.bits))::bigint as users
from activity_day a where a.population = 'user' and a.feature = 0 group by a.tenant, a.day
"""
OF_ACTIVE = {"day": "The local day", "users": "Distinct active users of the day, exact"}

HEATMAP = """
select a.day, a.day - extract(isodow from a.day)::int + 1 as week, extract(isodow from a.day)::int as weekday, n.name as feature,
       sum(bit_count(a.bits))::bigint as users
from name n join activity_day a on a.tenant = n.tenant and a.population = 'user' and a.feature = n.id
where n.kind = 'feature'
group by n.tenant, n.name, a.day
"""
OF_HEATMAP = {
    "day": "The local day: filter by it",
    "week": "Its week's Monday",
    "weekday": "1 is Monday",
    "feature": "The feature",
    "users": "Distinct users of it on the day, exact; sums over days are user-days",
}

# What was reached on the cohort's day, less what had been before: whole months, and the days since the first of its month.
RETENTION = """
select c.cohort, (g.day - c.cohort) as age, g.day, g.cohort_users, g.users, g.users::numeric / nullif(g.cohort_users, 0) as share
from (
  select distinct r.tenant, r.since as cohort, date_trunc('month', r.since::timestamp)::date as month,
         least(r.since + 60, (now() at time zone t.timezone)::date) as until
  from reached r join tenant t on t.id = r.tenant
  where r.population = 'user' and r.what = 0 and r.span = 'day'
) c
cross join lateral (
  with told as (
    select r.chunk, r.bits, r.since = c.cohort as is_new from reached r
    where r.tenant = c.tenant and r.population = 'user' and r.what = 0 and r.span = 'day'
      and r.since >= c.month and r.since <= c.cohort
    union all
    select r.chunk, r.bits, false from reached r
    where r.tenant = c.tenant and r.population = 'user' and r.what = 0 and r.span = 'month' and r.since < c.month
  ), born as materialized (
    select chunk, bit_or(bits) filter (where is_new) & ~coalesce(bit_or(bits) filter (where not is_new), bit_or(bits # bits)) as bits
    from told group by chunk having bool_or(is_new)
  ), seen as (
    select a.day, sum(bit_count(a.bits & b.bits))::bigint as users
    from activity_day a join born b on b.chunk = a.chunk
    where a.tenant = c.tenant and a.population = 'user' and a.feature = 0 and a.day >= c.cohort and a.day <= c.until
    group by a.day
  )
  select d.day::date as day, (select sum(bit_count(bits))::bigint from born) as cohort_users, coalesce(s.users, 0) as users
  from generate_series(c.cohort::timestamp, c.until::timestamp, interval '1 day') d(day)
  left join seen s on s.day = d.day::date
) g
where g.cohort_users > 0
"""
OF_RETENTION = {
    "cohort": "The local day of their first use: filter by it",
    "age": "Days since, 0 to 60",
    "day": "cohort + age",
    "cohort_users": "Users in the cohort, exact",
    "users": "Those of them who were active on the day, exact",
    "share": "users ÷ cohort_users, 0 to 1",
}


def _views() -> list[tuple[str, str, str, Columns]]:
    """Name, meaning, statement and columns of each."""
    made: list[tuple[str, str, str, Columns]] = []
    for grain in GRAINS:
        by = f"by {'quarter of an hour' if grain == 'quarter' else grain}"
        group = f"group by s.tenant, f.{GRAINS[grain][1]}, s.dims ->> 'integration', s.dims ->> 'direction'"
        made += [
            (f"delivery_{grain}", f"Steps of deliveries {by}", _facts("delivery", grain, DELIVERY), _time(grain) | OF_DELIVERY),
            (
                f"delivery_sla_{grain}",
                f"Deliveries against their SLA {by} and integration",
                _facts("delivery", grain, DELIVERY_SLA, group),
                _time(grain) | OF_DELIVERY_SLA,
            ),
            (f"request_{grain}", f"Requests {by}", _facts("request", grain, REQUEST), _time(grain) | OF_REQUEST),
            (f"meter_{grain}", f"Measurements of meters {by}", _facts("meter", grain, METER), _time(grain) | OF_METER),
            (f"usage_{grain}", f"Uses of features {by}", _facts("usage", grain, USAGE), _time(grain) | OF_USAGE),
        ]
    return [
        *made,
        ("probe_quarter", "Health checks by quarter of an hour and monitor", PROBES, OF_PROBES),
        ("active_users_day", "Active users by local day", ACTIVE, OF_ACTIVE),
        ("feature_heatmap", "Users of each feature by local day and weekday", HEATMAP, OF_HEATMAP),
        (
            "retention",
            "Of the users who came on a day, those who were active on each of the 60 days after",
            RETENTION,
            OF_RETENTION,
        ),
    ]


def upgrade() -> None:
    """Make the views, and give them to the roles that there are."""
    for name, says, select, columns in _views():
        op.execute(f"create view grafana.{name} with (security_invoker = true) as {select}")
        op.execute(f"comment on view grafana.{name} is $says${says}$says$")
        for column, sentence in columns.items():
            op.execute(f"comment on column grafana.{name}.{column} is $says${sentence}$says$")
    op.execute("select grafana.grant_readers()")


def downgrade() -> None:
    """Back to 0015."""
    for name, *_ in _views():
        op.execute(f"drop view grafana.{name}")
