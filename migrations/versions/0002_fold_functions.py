"""Functions that merge rollups."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Adds two sparse histograms: arrays of (bin << 48) | count in the order of bins. A few bins are put into many in
# place; else both are walked together (measured: docs/adr/0002). Without one of them it is the other.
HIST_ADD = """
create function hist_add(a int8[], b int8[]) returns int8[]
language plpgsql immutable parallel safe as $$
declare
    counts constant int8 := 281474976710655;
    size_a int := cardinality(a);
    size_b int := cardinality(b);
    i int := 1;
    j int := 1;
    merged int8[] := '{}';
    item int8;
begin
    if a is null then return b; end if;
    if b is null then return a; end if;
    if size_b * 4 <= size_a then
        foreach item in array b loop
            while i <= size_a and (a[i] >> 48) < (item >> 48) loop i := i + 1; end loop;
            if i <= size_a and (a[i] >> 48) = (item >> 48) then
                a[i] := a[i] + (item & counts);
            else
                a := a[1:i - 1] || item || a[i:];
                size_a := size_a + 1;
            end if;
            i := i + 1;
        end loop;
        return a;
    end if;
    while i <= size_a and j <= size_b loop
        if (a[i] >> 48) = (b[j] >> 48) then
            merged := merged || (a[i] + (b[j] & counts));
            i := i + 1;
            j := j + 1;
        elsif a[i] < b[j] then
            merged := merged || a[i];
            i := i + 1;
        else
            merged := merged || b[j];
            j := j + 1;
        end if;
    end loop;
    return merged || a[i:] || b[j:];
end
$$
"""


def upgrade() -> None:
    """Bring the schema forward."""
    op.execute(HIST_ADD)


def downgrade() -> None:
    """Take the schema back."""
    op.execute("drop function hist_add(int8[], int8[])")
