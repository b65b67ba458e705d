"""When users first reached milestones, with the event that did: so a flush merges them without looking anything up."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
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


def upgrade() -> None:
    """Fill the table anew; aggregators of the release before do not write it, so they are stopped meanwhile."""
    op.execute(f"select pg_advisory_xact_lock({TURN})")
    op.execute("truncate first_reached")
    op.add_column("first_reached", sa.Column("source", sa.Text(), nullable=False))
    op.add_column("first_reached", sa.Column("id", sa.Text(), nullable=False))
    op.execute(FILL)


def downgrade() -> None:
    """Back to 0025."""
    op.drop_column("first_reached", "id")
    op.drop_column("first_reached", "source")
