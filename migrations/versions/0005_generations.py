"""A log generation may be sealed, and its ids are copied to the next one by `tidegauge repartition`."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only adds: processes of the release before go on working."""
    op.add_column("log_partition", sa.Column("sealed_offset", sa.BigInteger))
    op.create_table_comment(
        "log_partition",
        "Locked in order by an append, so that offsets become visible in order; sealed_offset: nothing is appended from there on",
        existing_comment="Locked in order by an append, so that offsets become visible in order",
    )
    op.create_table(
        "repartition",
        sa.Column("generation", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("log_kind", sa.Text, nullable=False),
        sa.Column("partitions", sa.Integer, nullable=False),
        sa.Column("former_kind", sa.Text, nullable=False),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("sealed_at", sa.DateTime(timezone=True)),
        sa.Column("switched_at", sa.DateTime(timezone=True)),
        comment="Generations of the log that were opened by `tidegauge repartition`, and how far each one came",
    )
    op.create_table(
        "copied_ids",
        sa.Column("generation", sa.Integer, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True),
        sa.Column("hour", sa.Integer, primary_key=True),
        sa.Column("first_offset", sa.BigInteger, primary_key=True),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("copied_as", sa.BigInteger, nullable=False),
        comment="Rows of seen_ids that a repartition under way has copied, as long as they were then; empty at rest",
    )


def downgrade() -> None:
    """Back to 0004."""
    op.drop_table("copied_ids")
    op.drop_table("repartition")
    op.create_table_comment(
        "log_partition",
        "Locked in order by an append, so that offsets become visible in order",
        existing_comment="Locked in order by an append, so that offsets become visible in order; "
        "sealed_offset: nothing is appended from there on",
    )
    op.drop_column("log_partition", "sealed_offset")
