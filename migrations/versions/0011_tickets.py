"""Tickets as they stand, derived from their steps by whatever brings a step: reading them needs no step again."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

NEWEST = 'time_us desc, rank desc, source collate "C" desc, id collate "C" desc'
"""Bytes decide, whatever collation the database was made with."""
RANKS = ", ".join(
    f"'{action}'"
    for action in (
        *("opened", "first_response", "escalated", "priority_changed", "updated"),
        *("mitigated", "resolved", "reopened", "excluded", "included"),
    )
)
COLUMNS = (
    *("tenant", "subject", "account", "opened_us", "first_response_us", "escalated_us", "mitigated_us", "resolved_us", "last_us"),
    *("priority", "category", "level", "first_contact", "blocking", "excluded", "reason", "gap_from_us", "gap_to_us", "idle_us"),
)


def _newest(expression: str, kind: str, where: str) -> str:
    return f"(array_agg({expression} order by {NEWEST}) filter (where {where}))[1]::{kind}"


def _first(action: str) -> str:
    return f"min(time_us) filter (where action = '{action}') as {action}_us"


def _described(field: str, kind: str = "text") -> str:
    return f"{_newest(f'fields ->> {field!r}', kind, f'fields ? {field!r}')} as {field}"


# One row a ticket of `subjects(tenant, subject)`: what describes it is the newest by (time, action, source, id), its account the
# newest that a step names; its moments are the first of their kind, but for `resolved_us`, the last one, null while it is open.
# The gaps are the stretches behind the opening from `resolved` to `reopened`, which do not count; `idle_us` is their sum.
# Each subject's steps are looked up by key, and all of them are sorted once.
DERIVED = f"""
select c.tenant, c.subject, c.account, c.opened_us, c.first_response_us, c.escalated_us, c.mitigated_us,
       case when c.ended_us is not null and (not c.was_reopened or m.is_resolved) then c.ended_us end,
       c.last_us, c.priority, c.category, c.level, c.first_contact, c.blocking, c.excluded, c.reason,
       coalesce(m.gap_from_us, '{{}}'), coalesce(m.gap_to_us, '{{}}'), coalesce(m.idle_us, 0)
from (
  select n.tenant, n.subject,
         coalesce(min(time_us) filter (where action = 'opened'), min(time_us)) as opened_us,
         {_first("first_response")}, {_first("escalated")}, {_first("mitigated")},
         max(time_us) as last_us,
         max(time_us) filter (where action = 'resolved') as ended_us,
         bool_or(action = 'reopened') as was_reopened,
         {_described("priority")},
         {_described("category")},
         {_described("first_contact", "boolean")},
         {_described("blocking", "boolean")},
         {_newest("fields ->> 'level'", "int", "action = 'escalated' and fields ? 'level'")} as level,
         {_newest("action = 'excluded'", "boolean", "action in ('excluded', 'included')")} is true as excluded,
         {_newest("fields ->> 'reason'", "text", "action = 'excluded'")} as reason,
         coalesce({_newest("account", "text", "account <> ''")}, '') as account
  from (select tenant, subject, row_number() over () as number from subjects) n
  cross join lateral (
    select time_us, source, id, account, fields, fields ->> 'action' as action,
           array_position(array[{RANKS}], fields ->> 'action') as rank
    from step
    where tenant = n.tenant and family = 'ticket' and subject = n.subject
    offset 0
  ) s
  group by n.number, n.tenant, n.subject
) c
left join lateral (
  select array_agg(from_us order by number) filter (where is_gap) as gap_from_us,
         array_agg(time_us order by number) filter (where is_gap) as gap_to_us,
         sum(time_us - from_us) filter (where is_gap) as idle_us,
         (array_agg(move order by number desc))[1] = 'resolved' as is_resolved
  from (
    select move, time_us, number, greatest(before_us, c.opened_us) as from_us,
           move = 'reopened' and before = 'resolved' and time_us > c.opened_us as is_gap
    from (
      select fields ->> 'action' as move, time_us, row_number() over steps as number,
             lag(fields ->> 'action') over steps as before, lag(time_us) over steps as before_us
      from step cross join lateral (select array_position(array[{RANKS}], fields ->> 'action') as rank) r
      where c.was_reopened and tenant = c.tenant and family = 'ticket' and subject = c.subject
        and fields ->> 'action' in ('resolved', 'reopened')
      window steps as (order by time_us, rank, source collate "C", id collate "C")
    ) ordered
  ) moves
) m on true
"""  # noqa: S608  # made of constants, as the next two are
SET = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[2:])
# A statement that adds steps brings the tickets that they tell of up to date; flushes take turns, so each sees all steps before.
TRIGGER = f"""
create function derive_tickets() returns trigger language plpgsql as $$
begin
  if exists (select from added where family = 'ticket') then
    with subjects as (select distinct tenant, subject from added where family = 'ticket')
    insert into ticket ({", ".join(COLUMNS)}){DERIVED}
    on conflict (tenant, subject) do update set {SET};
  end if;
  return null;
end $$
"""  # noqa: S608
FILL = f"""
with subjects as (select distinct tenant, subject from step where family = 'ticket')
insert into ticket ({", ".join(COLUMNS)}){DERIVED}
"""  # noqa: S608


def upgrade() -> None:
    """Make the table, fill it with what is there, and keep it up to date."""
    op.create_table(
        "ticket",
        sa.Column("tenant", sa.Integer, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("opened_us", sa.BigInteger, nullable=False),
        sa.Column("first_response_us", sa.BigInteger),
        sa.Column("escalated_us", sa.BigInteger),
        sa.Column("mitigated_us", sa.BigInteger),
        sa.Column("resolved_us", sa.BigInteger),
        sa.Column("last_us", sa.BigInteger, nullable=False),
        sa.Column("priority", sa.Text),
        sa.Column("category", sa.Text),
        sa.Column("level", sa.Integer),
        sa.Column("first_contact", sa.Boolean),
        sa.Column("blocking", sa.Boolean),
        sa.Column("excluded", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("gap_from_us", ARRAY(sa.BigInteger), nullable=False),
        sa.Column("gap_to_us", ARRAY(sa.BigInteger), nullable=False),
        sa.Column("idle_us", sa.BigInteger, nullable=False),
        comment="Tickets as known now, derived from their steps by every statement that adds some; gaps: resolved to reopened",
    )
    op.create_index("ticket_opened_idx", "ticket", ["tenant", "opened_us", "subject"])
    op.create_index("ticket_resolved_idx", "ticket", ["tenant", "resolved_us"])
    for name in ("first_response", "escalated"):
        op.create_index(
            f"ticket_{name}_idx", "ticket", ["tenant", f"{name}_us"], postgresql_where=sa.text(f"{name}_us is not null")
        )
    op.create_index("ticket_reopened_idx", "ticket", ["tenant", "last_us"], postgresql_where=sa.text("idle_us > 0"))
    op.execute(FILL)
    op.execute(TRIGGER)
    op.execute(
        "create trigger step_tickets after insert on step referencing new table as added"
        " for each statement execute function derive_tickets()"
    )


def downgrade() -> None:
    """Back to 0010."""
    op.execute("drop trigger step_tickets on step")
    op.execute("drop function derive_tickets()")
    op.drop_table("ticket")
