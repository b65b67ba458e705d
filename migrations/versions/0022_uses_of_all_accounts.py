"""Uses that name an account are kept of all accounts together, too: series of the kind `usage_named`."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

TURN = 7_419_003
"""The turn of flushes: none commits between what is added up here and what the new ones add."""

SERIES = """
insert into series (tenant, kind, account, dims)
select distinct tenant, 'usage_named', '', dims from series where kind = 'usage' and account <> ''
"""

# Of every tenant and feature the sums of its accounts, in the order of the key.
FACTS = """
insert into {table} (series, {key}, n, total)
select w.id, f.{key}, sum(f.n)::bigint, sum(f.total)
from series s
join series w on w.tenant = s.tenant and w.kind = 'usage_named' and w.account = '' and w.dims = s.dims
join {table} f on f.series = s.id
where s.kind = 'usage' and s.account <> ''
group by w.id, f.{key} order by w.id, f.{key}
"""
FORGET = "delete from {table} f using series s where s.id = f.series and s.kind = 'usage_named'"
TABLES = {"fact_day": "day", "fact_quarter": "bucket", "fact_minute": "bucket"}


def upgrade() -> None:
    """Add up what is there; aggregators of the release before do not write it, so they are stopped meanwhile."""
    op.execute(f"select pg_advisory_xact_lock({TURN})")
    op.execute(SERIES)
    for table, key in TABLES.items():
        op.execute(FACTS.format(table=table, key=key))


def downgrade() -> None:
    """Back to 0021."""
    for table in TABLES:
        op.execute(FORGET.format(table=table))
    op.execute("delete from series where kind = 'usage_named'")
