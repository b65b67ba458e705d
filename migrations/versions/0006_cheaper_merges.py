"""Merging facts costs less: room for new versions of rows beside the old ones, and a `hist_add` in fewer steps."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Adds two sparse histograms: arrays of (bin << 48) | count in the order of bins. A few bins are found in the longer one
# by halving (width_bucket), many are walked along with it (measured: docs/adr/0012). Without one of them it is the
# other. Where a count would not fit an entry, its bin gets another one.
HIST_ADD = """
create or replace function hist_add(a int8[], b int8[]) returns int8[]
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
    if size_a < size_b then return hist_add(b, a); end if;
    if size_b <= 24 then
        foreach item in array b loop
            i := width_bucket(item | counts, a);
            if i > 0 and a[i] >> 48 = item >> 48 and (a[i] & counts) + (item & counts) <= counts then
                a[i] := a[i] + (item & counts);
            else
                a := a[1:i] || item || a[i + 1:];
            end if;
        end loop;
        return a;
    end if;
    while i <= size_a and j <= size_b loop
        if a[i] >> 48 = b[j] >> 48 and (a[i] & counts) + (b[j] & counts) <= counts then
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

# Each flush writes most rows of a page anew: they find room there, no index changes, and the next one takes the old
# versions away. New partitions are made so; these are the ones that are there.
ROOM = """
do $$
declare
    partition regclass;
begin
    for partition in
        select inhrelid::regclass from pg_inherits
        where inhparent in ('fact_minute'::regclass, 'fact_quarter'::regclass, 'probe_quarter'::regclass)
    loop
        execute format('alter table %s set (fillfactor = {fillfactor})', partition);
    end loop;
end
$$
"""


def upgrade() -> None:
    """Only what pages written from now on look like, and the same sums: processes of the release before go on working."""
    op.execute(HIST_ADD)
    op.execute(ROOM.format(fillfactor=45))
    op.execute("alter table fact_day set (fillfactor = 45)")
    # Hashes do not compress: trying costs more than writing them.
    op.execute("alter table seen_ids alter column hashes set storage external")


def downgrade() -> None:
    """Take the settings back; the function adds what the one before did."""
    op.execute("alter table seen_ids alter column hashes set storage extended")
    op.execute("alter table fact_day set (fillfactor = 70)")
    op.execute(ROOM.format(fillfactor=100))
