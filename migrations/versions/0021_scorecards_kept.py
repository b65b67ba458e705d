"""Scorecards as the evaluator keeps them: rows that choose several values, and those that no live value is split by."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

MINE = "(select r.tenant from grafana_reader r where r.role = current_user::text)"
WORDS = ("scorecard", "row", "title", "unit", "value", "target", '"limit"')
"""No statistics are kept of what tenants declare and reach: see 0020."""
SCORECARD = """
select s.scorecard, s.place, s.row, s.is_critical, s.kpi, s.statistic, s.dims as dimensions, s."window" as window_name, s.value,
       s.target, s."limit" as limit_value, s.status, s.reason, s.start_at as started_at, s.end_at as ended_at, s.title, s.unit
from scorecard_latest s
"""
# What 0015 made of live values.
FORMER = """
with declared as (
  select distinct on (v.tenant) v.tenant, v.scorecard, v.funnel, v.items, v.freshness
  from config_version v join tenant t on t.id = v.tenant and v.version <= t.config_version
  where v.valid_from is null or v.valid_from <= now()
  order by v.tenant, v.version desc
), rows as (
  select d.tenant, s.key as scorecard, r.place, r.row, s.value -> 'critical' ? r.row as is_critical,
         substring(r.row from '^[a-z0-9_]+') as kpi, coalesce(substring(r.row from '^[a-z0-9_]+[.]([a-z0-9_]+)'), '') as statistic,
         coalesce((
           select jsonb_object_agg(p[1], p[2])
           from regexp_matches(substring(r.row from '[{](.*)[}]$'), '([^,=]+)="?([^=]*?)"?(?=$|,[^,=]+=)', 'g') p
         ), '{}') as dims
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
"""
OF_SCORECARD = {
    "dimensions": "What it is chosen by, values of one dimension with commas between",
    "window_name": "The window, `7d` `28d` `week` `month` `quarter`; filter by one",
    "reason": "Why there is no value or status: `no_data`, `no_target`, `expired` …; null where there is one",
    "title": "What it shows, for people",
    "unit": "The value's unit, as in docs/kpis: ms, s, ratio, a currency's minor units …",
}


def upgrade() -> None:
    """Only adds: until the evaluator has looked at a tenant its scorecards are empty."""
    op.create_table(
        "scorecard_latest",
        sa.Column("tenant", sa.Integer, primary_key=True),
        sa.Column("scorecard", sa.Text, primary_key=True),
        sa.Column("place", sa.Integer, primary_key=True),
        sa.Column("window", sa.Text, primary_key=True),
        sa.Column("row", sa.Text, nullable=False),
        sa.Column("is_critical", sa.Boolean, nullable=False),
        sa.Column("kpi", sa.Text, nullable=False),
        sa.Column("statistic", sa.Text, nullable=False),
        sa.Column("dims", JSONB, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("value", sa.Double),
        sa.Column("target", sa.Double),
        sa.Column("limit", sa.Double),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_at", sa.DateTime(timezone=True), nullable=False),
        comment="The rows of declared scorecards in the newest windows, as the evaluator judges them every minute",
        postgresql_with={"fillfactor": "70"},
    )
    op.execute("alter table scorecard_latest enable row level security")
    op.execute(f"create policy grafana on scorecard_latest for select using (tenant = {MINE})")
    op.execute(f"alter table scorecard_latest {', '.join(f'alter column {name} set statistics 0' for name in WORDS)}")
    op.execute(f"create or replace view grafana.scorecard with (security_invoker = true) as {SCORECARD}")
    op.execute(
        "comment on view grafana.scorecard is 'The rows of the declared scorecards by window, as the evaluator judges them every minute'"
    )
    for column, sentence in OF_SCORECARD.items():
        op.execute(f"comment on column grafana.scorecard.{column} is $says${sentence}$says$")
    op.execute("select grafana.grant_readers()")


def downgrade() -> None:
    """Back to the live values that rows name."""
    op.execute("drop view grafana.scorecard")
    op.execute(f"create view grafana.scorecard with (security_invoker = true) as {FORMER}")
    op.execute("select grafana.grant_readers()")
    op.drop_table("scorecard_latest")
