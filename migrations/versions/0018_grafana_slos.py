"""Views for dashboards: SLOs with budgets and burn, what they count by time, and a tenant's currency."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

BURNS = ("5m", "30m", "1h", "2h", "6h", "24h", "72h")
SLO = f"""
with declared as (
  select distinct on (v.tenant) v.tenant, v.slo
  from config_version v join tenant t on t.id = v.tenant and v.version <= t.config_version
  where v.valid_from is null or v.valid_from <= now()
  order by v.tenant, v.version desc
), live as (
  select l.tenant, l.dims ->> 'slo' as slo, l.kpi, l.statistic, l."window", l.value, l.numerator, l.denominator, l.status
  from kpi_latest l where l.kpi in ('slo', 'error_budget', 'burn_rate') and l.dims ? 'slo' and not l.dims ? 'account'
)
select s.value ->> 'name' as slo, s.value ->> 'kind' as kind, (s.value ->> 'objective')::numeric as objective,
       s.value ->> 'window' as window_name, k.good, k.total, k.compliance, k.budget_left, k.budget_spent, k.days_to_exhaustion,
       k.status, {", ".join(f"k.burn_{name}" for name in BURNS)}
from declared d
cross join lateral jsonb_array_elements(d.slo) s
left join lateral (
  select max(l.numerator) filter (where l.kpi = 'slo' and l."window" = s.value ->> 'window') as good,
         max(l.denominator) filter (where l.kpi = 'slo' and l."window" = s.value ->> 'window') as total,
         max(l.value) filter (where l.kpi = 'slo' and l.statistic = '' and l."window" = s.value ->> 'window') as compliance,
         max(l.value) filter (where l.kpi = 'error_budget' and l.statistic = '') as budget_left,
         max(l.value) filter (where l.kpi = 'error_budget' and l.statistic = 'spent') as budget_spent,
         max(l.value) filter (where l.kpi = 'error_budget' and l.statistic = 'days_to_exhaustion') as days_to_exhaustion,
         max(l.status) filter (where l.kpi = 'error_budget' and l.statistic = '') as status,
         {", ".join(f'''max(l.value) filter (where l.kpi = 'burn_rate' and l."window" = '{name}') as burn_{name}''' for name in BURNS)}
  from live l where l.tenant = d.tenant and l.slo = s.value ->> 'name'
) k on true
"""  # noqa: S608  # made of constants, as all are here
OF_SLO = {
    "slo": "The SLO's name",
    "kind": "`delivery_on_time` `request_success` `request_latency` `availability` `freshness` `usage` `meter`",
    "objective": "The share of good events, or of good time, that is to be reached, 0 to 1",
    "window_name": "The SLO's own window: `28d` `30d` `month` `quarter`",
    "good": "Good events (of availability seconds, of freshness minutes) in its window",
    "total": "All of them",
    "compliance": "good ÷ total, 0 to 1; null: nothing happened",
    "budget_left": "Share of the error budget that is left, 1 to 0 and less once it is overspent; null: nothing happened",
    "budget_spent": "Share of the error budget that is spent",
    "days_to_exhaustion": "Days until it is spent, at the last 24 hours' burn; null: nothing burned",
    "status": "Of the budget, if it has a target: `green` `yellow` `red` `none`",
    **{f"burn_{name}": f"Burn rate of the last {name}: at 1 the budget lasts exactly the window" for name in BURNS},
}

GRAINS = {
    "minute": ("fact_minute", "bucket", "time", "Start of the minute; kept 8 days"),
    "quarter": ("fact_quarter", "bucket", "time", "Start of the quarter of an hour; kept 400 days"),
    "day": ("fact_day", "day", "day", "The local day; kept for ever"),
}
COUNTS = """
select f.{key} as {name}, s.dims ->> 'slo' as slo, nullif(s.account, '') as account, f.total::bigint as good, f.n as total
from series s join {table} f on f.series = s.id where s.kind = 'slo' and not s.dims ? 'excluded'
"""
OF_COUNTS = {
    "slo": "The SLO's name; those about time (availability, freshness) are not here",
    "account": "The account; null: platform-wide",
    "good": "Good events",
    "total": "All events",
}

TENANT = """
select t.name, t.timezone, (now() at time zone t.timezone)::date as today, t.config_version as configuration_version, t.created_at,
       v.currency
from tenant t
left join lateral (
  select c.currency from config_version c
  where c.tenant = t.id and c.version <= t.config_version and (c.valid_from is null or c.valid_from <= now())
  order by c.version desc limit 1
) v on true
"""
WINDOWS = "`5m` `30m` `1h` `2h` `6h` `24h` `72h` `1d` `7d` `28d` `30d` `90d` `day` `week` `month` `quarter` `year`"
FORMER_WINDOWS = "`5m` `1h` `24h` `1d` `7d` `28d` `30d` `90d` `day` `week` `month` `quarter` `year`"


def _make(name: str, says: str, select: str, columns: dict[str, str]) -> None:
    op.execute(f"create view grafana.{name} with (security_invoker = true) as {select}")
    op.execute(f"comment on view grafana.{name} is $says${says}$says$")
    for column, sentence in columns.items():
        op.execute(f"comment on column grafana.{name}.{column} is $says${sentence}$says$")


def _say_windows(windows: str) -> None:
    for view in ("kpi", "kpi_history"):
        op.execute(f"comment on column grafana.{view}.window_name is $says${windows}$says$")


def upgrade() -> None:
    """Only adds, and gives what it adds to the roles that there are."""
    op.add_column("config_version", sa.Column("slo", JSONB, sa.Computed("parsed -> 'slo'", persisted=True)))
    op.add_column("config_version", sa.Column("currency", sa.Text, sa.Computed("parsed #>> '{tenant,currency}'", persisted=True)))
    _make("slo", "The declared SLOs with their budgets and burn rates as of now", SLO, OF_SLO)
    for grain, (table, key, name, says) in GRAINS.items():
        select = COUNTS.format(table=table, key=key, name=name)
        by = "quarter of an hour" if grain == "quarter" else grain
        _make(f"slo_{grain}", f"Events that SLOs count by {by}", select, {name: says} | OF_COUNTS)
    op.execute(f"create or replace view grafana.tenant with (security_invoker = true) as {TENANT}")
    op.execute("comment on column grafana.tenant.currency is 'The currency that it shows first, ISO 4217; null: none declared'")
    _say_windows(WINDOWS)
    op.execute("select grafana.grant_readers()")


def downgrade() -> None:
    """Back to 0017."""
    _say_windows(FORMER_WINDOWS)
    for name in ("slo", *(f"slo_{grain}" for grain in GRAINS), "tenant"):
        op.execute(f"drop view grafana.{name}")
    op.execute(
        "create view grafana.tenant with (security_invoker = true) as select t.name, t.timezone,"
        " (now() at time zone t.timezone)::date as today, t.config_version as configuration_version, t.created_at from tenant t"
    )
    op.drop_column("config_version", "slo")
    op.drop_column("config_version", "currency")
    op.execute("select grafana.grant_readers()")
