"""Records are stored as they are: they are read once, and compressing them costs more than writing them."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep payloads out of line and uncompressed; docs/adr/0001 has the figures."""
    op.execute("alter table log_record alter column payload set storage external")


def downgrade() -> None:
    """Let Postgres compress them again."""
    op.execute("alter table log_record alter column payload set storage extended")
