"""A sealed generation in Postgres takes no records, also from processes of a release that knows of no seal."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# The counters of a log that lies elsewhere follow what was counted there, behind its seal as well.
REFUSE = """
create function refuse_behind_seal() returns trigger
language plpgsql as $$
begin
    if exists (select from repartition r where r.generation = old.generation + 1 and r.former_kind = 'postgres') then
        raise exception 'generation % of the event log is sealed', old.generation
            using errcode = 'object_not_in_prerequisite_state',
                  hint = 'the log goes on in another generation: update and restart this process';
    end if;
    return new;
end
$$
"""

# Only what moves a counter that is sealed is looked at: an append pays for a comparison.
TRIGGER = """
create trigger refuse_behind_seal before update of next_offset on log_partition
for each row when (old.sealed_offset is not null and new.next_offset > old.next_offset)
execute function refuse_behind_seal()
"""


def upgrade() -> None:
    """Only adds: what this release appends never meets it."""
    op.execute(REFUSE)
    op.execute(TRIGGER)


def downgrade() -> None:
    """Back to 0006."""
    op.execute("drop trigger refuse_behind_seal on log_partition")
    op.execute("drop function refuse_behind_seal()")
