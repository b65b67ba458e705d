"""Who has reached what, as bits by day and by month: of what is there, and a seat for everyone who reached it in an account."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Users who reached a milestone or were given a status in an account, and used nothing there: they get seats, as an
# aggregator would give them, in new blocks of 64.
SEATS = """
with told as (
  select tenant, account, who from milestone where kind = 'user' and account <> ''
  union
  select tenant, account, who from state_history where kind = 'user' and field = 'status' and account <> ''
), numbered as (
  select t.tenant, t.account, u.ordinal as user_ordinal,
         row_number() over (partition by t.tenant, t.account order by u.ordinal) - 1 as place
  from told t
  join app_user u on u.tenant = t.tenant and u.user_id = t.who
  where not exists (
    select from seat s where s.tenant = t.tenant and s.account = t.account and s.user_ordinal = u.ordinal
  )
), blocks as (
  select tenant, account, place / 64 as nth, count(*) as used from numbered group by 1, 2, 3
), placed as (
  select b.*, c.next_block - 1 + row_number() over (partition by b.tenant order by b.account, b.nth) as block
  from blocks b join ordinal_counter c using (tenant)
), added as (
  insert into seat_block (tenant, block, account, used) select tenant, block, account, used from placed
), counted as (
  update ordinal_counter c set next_block = c.next_block + p.blocks
  from (select tenant, count(*) as blocks from placed group by tenant) p where c.tenant = p.tenant
)
insert into seat (tenant, account, user_ordinal, ordinal)
select n.tenant, n.account, n.user_ordinal, p.block * 64 + n.place % 64
from numbered n join placed p on p.tenant = n.tenant and p.account = n.account and p.nth = n.place / 64
"""

# First uses (0), statuses (-1) and milestones, by the tenants' local days.
BITS = """
with told as (
  select m.tenant, m.who, m.account, n.id as what, m.time_us
  from milestone m join name n on n.tenant = m.tenant and n.kind = 'milestone' and n.name = m.milestone
  where m.kind = 'user'
  union all
  select tenant, who, account, -1, time_us from state_history where kind = 'user' and field = 'status'
), dated as (
  select t.tenant, t.account, t.what, u.ordinal,
         ((timestamptz 'epoch' + t.time_us * interval '1 microsecond') at time zone z.timezone)::date as day
  from told t
  join tenant z on z.id = t.tenant
  join app_user u on u.tenant = t.tenant and u.user_id = t.who
), everyone as (
  select tenant, 'user' as population, 0 as what, ordinal, first_day as day from app_user where first_day is not null
  union all
  select tenant, 'seat', 0, ordinal, first_day from seat where first_day is not null
  union all
  select tenant, 'user', what, ordinal, day from dated
  union all
  select d.tenant, 'seat', d.what, s.ordinal, d.day
  from dated d join seat s on s.tenant = d.tenant and s.account = d.account and s.user_ordinal = d.ordinal
)
insert into reached (tenant, population, what, span, since, chunk, bits)
select tenant, population, what, 'day', day, ordinal / 2048, bit_or(set_bit(0::bit(2048), ordinal % 2048, 1))
from everyone group by tenant, population, what, day, ordinal / 2048
"""

# Months are what their days are.
MONTHS = """
insert into reached (tenant, population, what, span, since, chunk, bits)
select tenant, population, what, 'month', date_trunc('month', since)::date, chunk, bit_or(bits)
from reached where span = 'day' group by 1, 2, 3, 5, 6
"""


def upgrade() -> None:
    """Make the table of what is there; aggregators of the release before do not write it, so they are stopped meanwhile."""
    op.create_table(
        "reached",
        sa.Column("tenant", sa.Integer, nullable=False),
        sa.Column("population", sa.Text, nullable=False),
        sa.Column("what", sa.BigInteger, nullable=False),
        sa.Column("span", sa.Text, nullable=False),
        sa.Column("since", sa.Date, nullable=False),
        sa.Column("chunk", sa.Integer, nullable=False),
        sa.Column("bits", postgresql.BIT(2048), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "population", "what", "span", "since", "chunk", name=op.f("reached_pkey")),
        comment="Who reached something on a day, or in a month that begins on it; what: a milestone's name.id, 0 a first use,"
        " -1 a status; bits as in activity_day",
        postgresql_with={"fillfactor": "50"},
    )
    op.execute(SEATS)
    op.execute(BITS)
    op.execute(MONTHS)


def downgrade() -> None:
    """Back to 0008; the seats stay: ordinals are never given back."""
    op.drop_table("reached")
