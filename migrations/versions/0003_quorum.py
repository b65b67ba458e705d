"""An aggregate for components that are down only when several of their monitors agree."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Takes one more string of bits: where n were set so far and this one is too, n + 1 are, up to `most`.
LEVELS_STEP = """
create function bit_levels_step(levels varbit[], bits varbit, most int) returns varbit[]
language plpgsql immutable parallel safe as $$
declare
    reached int := cardinality(levels);
begin
    if bits is null then return levels; end if;
    for level in reverse least(reached, most - 1)..1 loop
        if level = reached then
            levels := levels || (levels[level] & bits);
        else
            levels[level + 1] := levels[level + 1] | (levels[level] & bits);
        end if;
    end loop;
    if reached = 0 then
        levels := array[bits];
    else
        levels[1] := levels[1] | bits;
    end if;
    return levels;
end
$$
"""

# Element n says which places are set in at least n of the strings, for n up to `most` and to their number.
LEVELS = """
create aggregate bit_levels(bits varbit, most int) (sfunc = bit_levels_step, stype = varbit[], initcond = '{}', parallel = safe)
"""


def upgrade() -> None:
    """Bring the schema forward."""
    op.execute(LEVELS_STEP)
    op.execute(LEVELS)


def downgrade() -> None:
    """Take the schema back."""
    op.execute("drop aggregate bit_levels(varbit, int)")
    op.execute("drop function bit_levels_step(varbit[], varbit, int)")
