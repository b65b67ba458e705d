"""Open sessions by the minute, and uses by user and week."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# Adds two arrays number by number.
INT_ADD = """
create function int_add(a int4[], b int4[]) returns int4[]
language sql immutable parallel safe as $$
    select array_agg(x + y order by n) from unnest(a, b) with ordinality as u (x, y, n)
$$
"""


def upgrade() -> None:
    """Only adds: processes of the release before go on working; they count no sessions that are open and no uses by week."""
    op.create_table(
        "session_quarter",
        sa.Column("tenant", sa.Integer(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("bucket", sa.DateTime(timezone=True), nullable=False),
        sa.Column("unended", sa.ARRAY(sa.Integer()), nullable=False),
        sa.Column("opened", sa.ARRAY(sa.Integer()), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "scope", "account", "bucket", name=op.f("session_quarter_pkey")),
        comment="scope: all, or account; a number a minute: unended is starts less starts of what has ended since, opened is"
        " sessions opened less closed, told anew at each UTC midnight that they pass",
        postgresql_partition_by="RANGE (bucket)",
    )
    op.create_table(
        "user_feature_week",
        sa.Column("tenant", sa.Integer(), nullable=False),
        sa.Column("feature", sa.BigInteger(), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("user_ordinal", sa.Integer(), nullable=False),
        sa.Column("uses", sa.Numeric(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "feature", "week", "account", "user_ordinal", name=op.f("user_feature_week_pkey")),
        comment="Uses (1e-9) of frequency-tracked features by user and local week (its Monday); feature 0 is any that counts",
        postgresql_with={"fillfactor": "70"},
    )
    op.execute(INT_ADD)


def downgrade() -> None:
    """Take the tables back, and what they hold."""
    op.execute("drop function int_add(int4[], int4[])")
    op.drop_table("user_feature_week")
    op.drop_table("session_quarter")
