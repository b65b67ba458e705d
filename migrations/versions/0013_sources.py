"""The newest event of each source, by the minute of receipt."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# The greater of two arrays' numbers, place by place; a null is less than any.
BIGINT_GREATEST = """
create function bigint_greatest(a int8[], b int8[]) returns int8[]
language sql immutable parallel safe as $$
    select array_agg(greatest(x, y) order by n) from unnest(a, b) with ordinality as u (x, y, n)
$$
"""


def upgrade() -> None:
    """Only adds: processes of the release before go on working, and say nothing of sources."""
    op.create_table(
        "source_quarter",
        sa.Column("tenant", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("bucket", sa.DateTime(timezone=True), nullable=False),
        sa.Column("newest", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "source", "bucket", name=op.f("source_quarter_pkey")),
        comment="By the minute of receipt the newest time of the stored events that came then (microseconds; null: none came)",
        postgresql_partition_by="RANGE (bucket)",
    )
    op.execute(BIGINT_GREATEST)


def downgrade() -> None:
    """Take the table back, and what it holds."""
    op.execute("drop function bigint_greatest(int8[], int8[])")
    op.drop_table("source_quarter")
