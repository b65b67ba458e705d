"""Uses of each account and feature by day, in the order of days: what splits by groups of accounts and features add up."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

TURN = 7_419_003
"""The turn of flushes: none commits between what is added up here and what the new ones add."""

# In the order of the key: so a day's rows come to lie together, as flushes write them.
FILL = """
insert into use_day (tenant, day, account, feature, total)
select s.tenant, f.day, s.account, coalesce(s.dims ->> 'feature', ''), sum(f.total)
from series s join fact_day f on f.series = s.id
where s.kind = 'usage' and s.account <> ''
group by 1, 2, 3, 4 order by 1, 2, 3, 4
"""


def upgrade() -> None:
    """Make the table of what is there; aggregators of the release before do not write it, so they are stopped meanwhile."""
    op.execute(f"select pg_advisory_xact_lock({TURN})")
    op.create_table(
        "use_day",
        sa.Column("tenant", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("feature", sa.Text(), nullable=False),
        sa.Column("total", sa.Numeric(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "day", "account", "feature", postgresql_include=["total"], name=op.f("use_day_pkey")),
        comment="Uses (1e-9) that name an account, by feature and local day, whatever their outcome and properties; made of fact_day",
    )
    # Words of other tenants: nobody's plans are to tell them (0020).
    op.execute("alter table use_day alter column account set statistics 0, alter column feature set statistics 0")
    op.execute(FILL)
    op.execute("analyze use_day")


def downgrade() -> None:
    """Back to 0027."""
    op.drop_table("use_day")
