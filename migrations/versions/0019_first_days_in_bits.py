"""The first days of users and seats are in `reached` alone."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

# The first day of each, as the bits have it.
FIRST_DAYS = """
update {table} t set first_day = f.day
from (
    select r.tenant, r.chunk * 2048 + n as ordinal, min(r.since) as day
    from reached r cross join generate_series(0, 2047) as n
    where r.population = '{population}' and r.what = 0 and r.span = 'day' and get_bit(r.bits, n) = 1
    group by 1, 2
) f
where t.tenant = f.tenant and t.ordinal = f.ordinal
"""


def upgrade() -> None:
    """Nothing reads them since 0009 filled the bits; an aggregator of the release before stops at its next new user."""
    op.drop_index("app_user_first_day_idx", table_name="app_user")
    op.drop_column("app_user", "first_day")
    op.drop_column("seat", "first_day")
    op.create_table_comment("app_user", "A user's ordinal, given out once")


def downgrade() -> None:
    """Write the first days back from the bits."""
    for table, population in (("app_user", "user"), ("seat", "seat")):
        op.add_column(table, sa.Column("first_day", sa.Date(), nullable=True))
        op.execute(FIRST_DAYS.format(table=table, population=population))
    op.create_index("app_user_first_day_idx", "app_user", ["tenant", "first_day"], unique=False)
    op.create_table_comment("app_user", "A user's ordinal, given out once; first_day: the first local day of activity")
