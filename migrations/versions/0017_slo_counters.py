"""Counters of SLOs, which only ever grow."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only adds: processes of the release before go on working; what they count feeds no counter."""
    op.create_table(
        "slo_counter",
        sa.Column("tenant", sa.Integer(), nullable=False),
        sa.Column("slo", sa.Text(), nullable=False),
        sa.Column("good", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("total", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("objective", sa.Double(), nullable=True),
        sa.Column("fed_until_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "slo", name=op.f("slo_counter_pkey")),
        comment="Good and all events of an SLO since it is known, only ever growing: live events alone. objective: as declared now "
        "(null: not any more); fed_until_us: how far one that is about time has been counted",
        postgresql_with={"fillfactor": "50"},
    )


def downgrade() -> None:
    """Take the counters back: they begin at 0 again."""
    op.drop_table("slo_counter")
