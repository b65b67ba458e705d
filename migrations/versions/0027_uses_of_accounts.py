"""Uses are kept of each account whatever the feature, too: series of the kind `usage_account`; features of series have an index."""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

TURN = 7_419_003
"""The turn of flushes: none commits between what is added up here and what the new ones add."""

SERIES = """
insert into series (tenant, kind, account, dims)
select distinct s.tenant, 'usage_account', s.account, jsonb_strip_nulls(jsonb_build_object('ok', s.dims ->> 'ok'))
from series s where s.kind = 'usage' and s.account <> ''
"""

# Of every account and outcome the sums of its features, in the order in which flushes write them.
FACTS = """
insert into {table} (series, {key}, n, total)
select w.id, f.{key}, sum(f.n)::bigint, sum(f.total)
from series s
join series w on w.tenant = s.tenant and w.kind = 'usage_account' and w.account = s.account
    and w.dims = jsonb_strip_nulls(jsonb_build_object('ok', s.dims ->> 'ok'))
join {table} f on f.series = s.id
where s.kind = 'usage' and s.account <> ''
group by w.id, f.{key} order by f.{key}, w.id
"""
FORGET = "delete from {table} f using series s where s.id = f.series and s.kind = 'usage_account'"
TABLES = {"fact_day": "day", "fact_quarter": "bucket", "fact_minute": "bucket"}


def upgrade() -> None:
    """Add up what is there; aggregators of the release before do not write it, so they are stopped meanwhile."""
    op.execute(f"select pg_advisory_xact_lock({TURN})")
    op.execute("create index series_feature on series (tenant, (dims ->> 'feature')) where kind = 'usage'")
    # Words of other tenants: nobody's plans are to tell them (0020).
    op.execute("alter index series_feature alter column 2 set statistics 0")
    op.execute(SERIES)
    for table, key in TABLES.items():
        op.execute(FACTS.format(table=table, key=key))


def downgrade() -> None:
    """Back to 0026."""
    for table in TABLES:
        op.execute(FORGET.format(table=table))
    op.execute("delete from series where kind = 'usage_account'")
    op.execute("drop index series_feature")
