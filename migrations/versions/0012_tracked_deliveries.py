"""Deliveries whose acceptance is told, one by one."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only adds: processes of the release before go on working; what they count is not tracked."""
    op.create_table(
        "tracked_delivery",
        sa.Column("tenant", sa.Integer(), nullable=False),
        sa.Column("delivery", sa.Text(), nullable=False),
        sa.Column("accepted_us", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("id", sa.Text(), nullable=True),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("integration", sa.Text(), nullable=True),
        sa.Column("direction", sa.Text(), nullable=True),
        sa.Column("limit_ns", sa.BigInteger(), nullable=True),
        sa.Column("is_excluded", sa.Boolean(), nullable=True),
        sa.Column("final_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "delivery", name=op.f("tracked_delivery_pkey")),
        comment="Of integrations that declare tracks_accepted: the earliest acceptance by (time, source, id), the earliest final",
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index(
        "tracked_delivery_open_idx",
        "tracked_delivery",
        ["tenant", "accepted_us"],
        postgresql_where=sa.text("final_us is null"),
    )
    op.create_index("tracked_delivery_final_idx", "tracked_delivery", ["tenant", "final_us"])


def downgrade() -> None:
    """Take the table back, and what it holds."""
    op.drop_table("tracked_delivery")
