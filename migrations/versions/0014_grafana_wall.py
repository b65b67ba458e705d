"""The wall of the schema `grafana`: who reads which tenant, and row level security on what its views are made of."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

OF_TENANT = (
    *("kpi_latest", "kpi_history", "series", "activity_day", "reached", "name", "state", "state_history", "milestone", "step"),
    *("ticket", "ticket_due", "source_quarter", "probe_quarter", "ledger", "dead_letter", "config_version"),
)
"""Tables whose rows say their tenant."""
OF_SERIES = ("fact_minute", "fact_quarter", "fact_day")
"""Tables whose rows belong to the tenant of their series."""
SHOWN = ("scorecard", "funnel", "items", "freshness")
"""Tables of a tenant's configuration that views read: readers are not given the rest of it, which has addresses of webhooks."""
# Asked once a statement, whatever it reads. A role that is no reader has no tenant, and sees nothing.
MINE = "(select r.tenant from grafana_reader r where r.role = current_user::text)"

# Gives every reader what the views of the schema stand on, column by column, and nothing else: with `security_invoker` a view
# reads with the rights of whoever asks. Called when a role is made, and by every migration that makes or changes a view.
GRANT_READERS = """
create function grafana.grant_readers() returns void language plpgsql as $$
declare
  reader text;
  granted record;
begin
  for reader in
    select r.role from public.grafana_reader r join pg_catalog.pg_roles p on p.rolname = r.role order by 1
  loop
    execute format('grant usage on schema grafana to %I', reader);
    execute format('grant select (role, tenant) on public.grafana_reader to %I', reader);
    for granted in
      select c.oid::regclass as relation, null as columns
      from pg_catalog.pg_class c where c.relnamespace = 'grafana'::regnamespace and c.relkind = 'v'
      union all
      select a.attrelid::regclass, string_agg(distinct quote_ident(a.attname), ', ')
      from pg_catalog.pg_class v
      join pg_catalog.pg_rewrite w on w.ev_class = v.oid
      join pg_catalog.pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
        and d.refclassid = 'pg_class'::regclass and d.refobjid <> v.oid
      join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid and a.attnum > 0
      where v.relnamespace = 'grafana'::regnamespace and v.relkind = 'v'
      group by a.attrelid
    loop
      execute format('grant select %s on %s to %I', coalesce('(' || granted.columns || ')', ''), granted.relation, reader);
    end loop;
  end loop;
end $$
"""


def upgrade() -> None:
    """Only adds: the owner of the tables, as which the service works, is asked for no policy."""
    op.create_table(
        "grafana_reader",
        sa.Column("role", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        comment="The tenant that a role of Postgres reads; every policy of row level security asks here, by current_user",
    )
    op.create_table(
        "ticket_due",
        sa.Column("tenant", sa.Integer, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("response_due_us", sa.BigInteger),
        sa.Column("mitigation_due_us", sa.BigInteger),
        sa.Column("resolution_due_us", sa.BigInteger),
        sa.Column("escalation", sa.Integer, nullable=False),
        comment="Limits of open tickets that still run or are missed, as the evaluator judges them every minute",
    )
    for column in SHOWN:
        op.add_column("config_version", sa.Column(column, JSONB, sa.Computed(f"parsed -> '{column}'", persisted=True)))
    op.execute("alter table grafana_reader enable row level security")
    op.execute("create policy grafana on grafana_reader for select using (role = current_user::text)")
    op.execute("alter table tenant enable row level security")
    op.execute(f"create policy grafana on tenant for select using (id = {MINE})")
    for table in OF_TENANT:
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"create policy grafana on {table} for select using (tenant = {MINE})")
    for table in OF_SERIES:
        op.execute(f"alter table {table} enable row level security")
        its_series = f"select from series s where s.id = {table}.series and s.tenant = {MINE}"
        op.execute(f"create policy grafana on {table} for select using (exists ({its_series}))")
    op.execute("create schema grafana")
    op.execute("comment on schema grafana is 'What dashboards read: see docs/grafana-views.md'")
    op.execute(GRANT_READERS)
    op.execute("revoke all on function grafana.grant_readers() from public")


def downgrade() -> None:
    """Back to 0013; roles of readers stay, and may read nothing."""
    op.execute("drop schema grafana cascade")
    for table in ("tenant", *OF_TENANT, *OF_SERIES):
        op.execute(f"drop policy grafana on {table}")
        op.execute(f"alter table {table} disable row level security")
    for column in SHOWN:
        op.drop_column("config_version", column)
    op.drop_table("ticket_due")
    op.drop_table("grafana_reader")
