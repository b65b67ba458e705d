"""Who was active from Thursday to Sunday, as bits: what windows that begin within a week are made of."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import BIT

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

TURN = 7_419_003
"""The turn of flushes: none commits between what is read here and what the new ones add."""

# Half by half, each in the order of its keys. The first day of the first year was a Monday.
FILL = """
insert into activity_half (tenant, population, feature, half, chunk, bits)
select k.tenant, k.population, k.feature, k.half, a.chunk, a.bits
from (
  select distinct tenant, population, feature, day - (day - date '0001-01-01') % 7 + 3 as half from activity_day
  where (day - date '0001-01-01') % 7 >= 3
  order by 1, 2, 3, 4
) k
cross join lateral (
  select chunk, bit_or(bits) as bits from activity_day
  where tenant = k.tenant and population = k.population and feature = k.feature and day between k.half and k.half + 3
  group by chunk order by chunk
) a
"""


def upgrade() -> None:
    """Make the table of what is there; aggregators of the release before do not write it, so they are stopped meanwhile."""
    op.execute(f"select pg_advisory_xact_lock({TURN})")
    op.create_table(
        "activity_half",
        sa.Column("tenant", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("population", sa.Text(), primary_key=True),
        sa.Column("feature", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("half", sa.Date(), primary_key=True),
        sa.Column("chunk", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("bits", BIT(2048), nullable=False),
        postgresql_with={"fillfactor": "50"},
        comment="Who was active from this Thursday to the Sunday after it; made of activity_day, and bits as there",
    )
    op.execute(FILL)
    op.execute("analyze activity_half")


def downgrade() -> None:
    """Back to 0028."""
    op.drop_table("activity_half")
