"""Who was active in a week, as bits, and how many users on a day: what windows of many days are made of."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import BIT

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

TURN = 7_419_003
"""The turn of flushes: none commits between what is read here and what the new ones add."""

# Week by week, each in the order of its keys. The first day of the first year was a Monday.
FILL_WEEKS = """
insert into activity_week (tenant, population, feature, week, chunk, bits)
select k.tenant, k.population, k.feature, k.week, a.chunk, a.bits
from (
  select distinct tenant, population, feature, day - (day - date '0001-01-01') % 7 as week from activity_day
  order by 1, 2, 3, 4
) k
cross join lateral (
  select chunk, bit_or(bits) as bits from activity_day
  where tenant = k.tenant and population = k.population and feature = k.feature and day between k.week and k.week + 6
  group by chunk order by chunk
) a
"""
FILL_COUNTS = """
insert into active_count (tenant, feature, day, n)
select tenant, feature, day, sum(bit_count(bits)) from activity_day where population = 'user' group by 1, 2, 3 order by 1, 2, 3
"""


def upgrade() -> None:
    """Make the tables of what is there; aggregators of the release before do not write them, so they are stopped meanwhile."""
    op.execute(f"select pg_advisory_xact_lock({TURN})")
    op.create_table(
        "activity_week",
        sa.Column("tenant", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("population", sa.Text(), primary_key=True),
        sa.Column("feature", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("week", sa.Date(), primary_key=True),
        sa.Column("chunk", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("bits", BIT(2048), nullable=False),
        postgresql_with={"fillfactor": "50"},
        comment="Who was active in the week that begins on a Monday; made of activity_day, and bits as there",
    )
    op.create_table(
        "active_count",
        sa.Column("tenant", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("feature", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("n", sa.Integer(), nullable=False),
        postgresql_with={"fillfactor": "50"},
        comment="How many users were active on a day; feature as in activity_day, of whose bits it is made",
    )
    op.execute(FILL_WEEKS)
    op.execute(FILL_COUNTS)
    for table in ("activity_week", "active_count"):
        op.execute(f"analyze {table}")


def downgrade() -> None:
    """Back to 0025."""
    op.drop_table("active_count")
    op.drop_table("activity_week")
