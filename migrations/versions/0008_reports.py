"""Reports: prose that fills their blanks, and frozen copies of what was made."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "note",
        sa.Column("tenant", sa.Integer, primary_key=True),
        sa.Column("report", sa.Text, primary_key=True),
        sa.Column("account", sa.Text, primary_key=True, server_default=""),
        sa.Column("start_at", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("blank", sa.Text, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        comment="Prose of reports, by the blank that it fills and the beginning of the report's window",
    )
    op.create_table(
        "report_copy",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("tenant", sa.Integer, nullable=False),
        sa.Column("report", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False, server_default=""),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("formats", sa.ARRAY(sa.Text), nullable=False, server_default="{}"),
        sa.Column("webhook", sa.Text, nullable=False, server_default=""),
        sa.Column("posted_at", sa.DateTime(timezone=True)),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True)),
        sa.Column("failure", sa.Text, nullable=False, server_default=""),
        comment="Reports as they were made, never changed; due_at is the time of their schedule, null where one was asked for",
    )
    op.create_index("report_copy_due", "report_copy", ["tenant", "report", "account", "due_at"], unique=True)


def downgrade() -> None:
    """Back to 0007."""
    op.drop_table("report_copy")
    op.drop_table("note")
