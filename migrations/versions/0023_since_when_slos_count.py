"""Since when the counters of SLOs have counted: one that is younger than a window has grown in it by all that it shows."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

FORMER = (
    "Good and all events of an SLO since it is known, only ever growing: live events alone. objective: as declared now "
    "(null: not any more); fed_until_us: how far one that is about time has been counted"
)
COMMENT = f"{FORMER}; created_at: since when it has counted, from 0 (null: since before that was kept)"


def upgrade() -> None:
    """Only adds. What there is already stays without: as if it had begun now, all that it ever counted would page somebody."""
    op.add_column("slo_counter", sa.Column("created_at", sa.DateTime(timezone=True), nullable=True))
    op.alter_column("slo_counter", "created_at", server_default=sa.text("now()"))
    op.create_table_comment("slo_counter", COMMENT, existing_comment=FORMER)


def downgrade() -> None:
    """Without."""
    op.create_table_comment("slo_counter", FORMER, existing_comment=COMMENT)
    op.drop_column("slo_counter", "created_at")
