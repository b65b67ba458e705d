"""Estimates of the planner tell readers nothing of other tenants' words: Postgres keeps no statistics of them."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# Row level security hides rows and pg_stats, but `explain` may be typed into a panel, too: what it expects of a comparison that
# leaks nothing by itself (=, <) comes from the statistics of all rows, and by halving, a value comes out letter by letter.
# Statements of the service look these columns up by whole keys and with parameters, whatever their statistics.
WORDS = {
    "tenant": ("name",),
    "ledger": ("source",),
    "dead_letter": ("source", "detail"),
    "name": ("name",),
    "series": ("account",),
    "milestone": ("who",),
    "state": ("who", "account", "value"),
    "state_history": ("who", "account", "value", "source", "id"),
    "step": ("subject", "account", "source", "id"),
    "ticket": ("subject", "account", "category", "reason"),
    "ticket_due": ("subject",),
    "kpi_latest": ("value", "target", '"limit"'),
    "kpi_history": ("value", "target", '"limit"'),
    "source_quarter": ("source",),
    "probe_quarter": ("account", "component", "monitor", "region"),
}
# What was gathered before would stay for ever; PostgreSQL 17 has no way to forget it but to write to its own tables.
FORGET = """
select pg_clear_attribute_stats('public', c.relname, a.attname, i.inherited)
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and a.attstattarget = 0
cross join (values (false), (true)) as i(inherited)
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
"""
HAS_FORGET = "select exists (select from pg_proc where proname = 'pg_clear_attribute_stats')"


def upgrade() -> None:
    """Gather no more, and forget what was gathered."""
    for table, columns in WORDS.items():
        kept = ", ".join(f"alter column {column} set statistics 0" for column in columns)
        op.execute(f"alter table {table} {kept}")
    if op.get_bind().exec_driver_sql(HAS_FORGET).scalar():
        op.execute(FORGET)


def downgrade() -> None:
    """Gather them again, with the next analysis."""
    for table, columns in WORDS.items():
        kept = ", ".join(f"alter column {column} set statistics -1" for column in columns)
        op.execute(f"alter table {table} {kept}")
