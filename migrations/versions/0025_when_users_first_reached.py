"""When users first reached each milestone, whatever the account: by ordinals, so that many are read at once."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

TURN = 7_419_003
"""The turn of flushes: none commits between what is read here and what the new ones add."""

# The earliest of each user, in the order of its time, as flushes write it; of one event the first account by name.
FILL = """
insert into first_reached (tenant, what, user_ordinal, time_us, account, source, id)
select m.tenant, n.id, u.ordinal, m.time_us, m.account, m.source, m.id
from (
  select distinct on (tenant, milestone, who) tenant, milestone, who, account, time_us, source, id
  from milestone where kind = 'user'
  order by tenant, milestone, who, time_us, source collate "C", id collate "C", account = '', account collate "C"
) m
join name n on n.tenant = m.tenant and n.kind = 'milestone' and n.name = m.milestone
join app_user u on u.tenant = m.tenant and u.user_id = m.who
order by m.tenant, n.id, m.time_us
"""

# With the time, so that the starts of many users are read from the key alone. After the rows: they come in another order.
KEY = """
alter table first_reached
add constraint first_reached_pkey primary key (tenant, what, user_ordinal) include (time_us)
"""


def upgrade() -> None:
    """Make the table of what is there; aggregators of the release before do not write it, so they are stopped meanwhile."""
    op.execute(f"select pg_advisory_xact_lock({TURN})")
    op.create_table(
        "first_reached",
        sa.Column("tenant", sa.Integer(), nullable=False),
        sa.Column("what", sa.BigInteger(), nullable=False),
        sa.Column("user_ordinal", sa.Integer(), nullable=False),
        sa.Column("time_us", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        comment="When, and in which account, a user first reached a milestone of any account (what: its name.id); made of milestone",
    )
    op.execute(FILL)
    op.execute(KEY)
    op.create_index(
        "first_reached_when_idx",
        "first_reached",
        ["tenant", "what", "time_us"],
        postgresql_include=["user_ordinal", "account"],
    )


def downgrade() -> None:
    """Back to 0024."""
    op.drop_table("first_reached")
