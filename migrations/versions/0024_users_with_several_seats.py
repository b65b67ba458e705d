"""Which users have several seats: only they have to be told apart from their seats where accounts are taken together."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

FILL = """
insert into shared_seat (tenant, ordinal, user_ordinal)
select s.tenant, s.ordinal, s.user_ordinal
from (select tenant, user_ordinal from seat group by tenant, user_ordinal having count(*) > 1) u
join seat s using (tenant, user_ordinal) order by 1, 2
"""


def upgrade() -> None:
    """Find those who are there; seats are given out by aggregators alone, which are stopped meanwhile."""
    op.create_index("seat_user_idx", "seat", ["tenant", "user_ordinal"])
    op.create_table(
        "shared_seat",
        sa.Column("tenant", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("user_ordinal", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "ordinal", name=op.f("shared_seat_pkey")),
        comment="Seats of users who have several, in whichever accounts",
    )
    op.execute(FILL)


def downgrade() -> None:
    """Back to 0023."""
    op.drop_table("shared_seat")
    op.drop_index("seat_user_idx", table_name="seat")
