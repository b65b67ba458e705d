"""The statements of the event log in Postgres, over the tables `log_partition` and `log_record`."""

# Whether any of a generation's partitions takes no more.
SELECT_SEALED = "select exists (select from log_partition where generation = $1 and sealed_offset is not null)"

# Which partitions a generation has.
COUNT_PARTITIONS = "select count(*), max(partition) from log_partition where generation = $1"

# Gives records their offsets and stores them, in one round trip. The counters are locked in the order of
# partitions, so appends never deadlock, and are held until the commit, so offsets become visible in order.
# A counter that had to be waited for is read again by both the lock and the update: the offsets follow the
# newest committed ones. Answers with the first new offset of each partition; a generation that is sealed gives none.
APPEND = """
with draft as (
    select * from unnest($2::int[], $3::int[], $4::bytea[]) with ordinality as d (partition, events, payload, place)
), wanted as (
    select partition, count(*) as records, sum(events) as events from draft group by partition
), locked as (
    select c.partition
    from log_partition c
    where c.generation = $1 and c.partition = any($2::int[]) and c.sealed_offset is null
    order by c.partition
    for no key update
), counted as (
    update log_partition c
    set next_offset = c.next_offset + w.records, events = c.events + w.events
    from locked l join wanted w using (partition)
    where c.generation = $1 and c.partition = l.partition
    returning c.partition, c.next_offset - w.records as first
), stored as (
    insert into log_record (generation, partition, "offset", events, appended_us, payload)
    select $1, d.partition, n.first + row_number() over (partition by d.partition order by d.place) - 1, d.events, $5, d.payload
    from draft d join counted n using (partition)
)
select partition, first from counted
"""

# The next records of all partitions asked for, each with its partition's extent: an offset that is not
# there shows in the same answer. Offsets have no gaps, so a range bounds how many are looked at, and sizes
# are known without fetching the payloads. The bytes are shared among the partitions that have records; the
# first of each is always among them.
READ = """
with wanted as (
    select w.partition, w.position, c.start_offset, c.next_offset,
        $4::bigint / greatest(1, count(*) filter (where c.next_offset > w.position) over ()) as share
    from unnest($2::int[], $3::bigint[]) as w (partition, position)
    left join log_partition c on c.generation = $1 and c.partition = w.partition
)
select w.partition, w.start_offset, w.next_offset, r."offset", r.events, r.appended_us, r.payload
from wanted w
left join lateral (
    select s.*, sum(octet_length(s.payload)) over (order by s."offset") as bytes
    from log_record s
    where s.generation = $1 and s.partition = w.partition
        and s."offset" >= w.position and s."offset" < w.position + $5
) r on r."offset" = w.position or r.bytes <= w.share
order by w.partition, r."offset"
"""

# What each partition of the generation holds.
EXTENTS = """
select partition, start_offset, next_offset, events from log_partition
where generation = $1 and ($2::int[] is null or partition = any($2)) order by partition
"""

# What lies from the positions on, counted from the records themselves.
BACKLOG = """
select w.partition, w.position, c.start_offset, c.next_offset, c.events, coalesce(r.events, 0)::bigint as pending, r.oldest_us
from unnest($2::int[], $3::bigint[]) as w (partition, position)
left join log_partition c on c.generation = $1 and c.partition = w.partition
left join lateral (
    select sum(o.events) as events, (array_agg(o.appended_us order by o."offset"))[1] as oldest_us
    from log_record o
    where o.generation = $1 and o.partition = w.partition and o."offset" >= w.position
) r on true
order by w.partition
"""

# The first record of each partition that a reader still needs or that is young enough: only ever a whole
# beginning lies before it, for the clocks of producers may differ.
FIND_STARTS = """
select p.partition, least(p.keep_from, c.next_offset, (
    select r."offset" from log_record r
    where r.generation = $1 and r.partition = p.partition and r."offset" >= c.start_offset and r.appended_us >= $4
    order by r."offset" limit 1
)) as start
from unnest($2::int[], $3::bigint[]) as p (partition, keep_from)
join log_partition c on c.generation = $1 and c.partition = p.partition
"""

# Moves starts onward; the counters are locked in the order that appends lock them in.
ADVANCE_STARTS = """
with locked as (
    select c.partition
    from log_partition c
    where c.generation = $1 and c.partition = any($2::int[])
    order by c.partition
    for no key update
)
update log_partition c
set start_offset = n.start
from unnest($2::int[], $3::bigint[]) as n (partition, start) join locked l using (partition)
where c.generation = $1 and c.partition = l.partition and n.start > c.start_offset
"""

# Deletes a bounded number of the records before the starts, also those that an interrupted trim left behind.
DELETE_BEFORE_START = """
delete from log_record r
using (
    select s.partition, s."offset"
    from log_partition c
    join lateral (
        select o.partition, o."offset" from log_record o
        where o.generation = $1 and o.partition = c.partition and o."offset" < c.start_offset
        order by o."offset" limit $2
    ) s on true
    where c.generation = $1
    limit $2
) old
where r.generation = $1 and r.partition = old.partition and r."offset" = old."offset"
"""

# Deletes a bounded number of old records from the beginning of one partition of the generations before one: each was drained
# before the next one was opened. A partition that begins with a young record is not looked at any further.
DELETE_FORMER = """
with former as (
    select c.generation, c.partition, f."offset" as start
    from log_partition c
    cross join lateral (
        select o."offset", o.appended_us from log_record o
        where o.generation = c.generation and o.partition = c.partition
        order by o."offset" limit 1
    ) f
    where c.generation < $1 and f.appended_us < $2
    limit 1
), old as (
    select f.*, coalesce((
        select o."offset" from log_record o
        where o.generation = f.generation and o.partition = f.partition
            and o."offset" >= f.start and o."offset" < f.start + $3 and o.appended_us >= $2
        order by o."offset" limit 1
    ), f.start + $3) as until
    from former f
)
delete from log_record r
using old
where r.generation = old.generation and r.partition = old.partition and r."offset" >= old.start and r."offset" < old.until
"""

# How many events of a log that is kept elsewhere lie before which offset.
SELECT_COUNTS = "select partition, next_offset, events from log_partition where generation = $1"

# Notes how far a log that is kept elsewhere was counted, in the order of partitions, unless another came further.
ADVANCE_COUNTS = """
with locked as (
    select c.partition
    from log_partition c
    join unnest($2::int[], $3::bigint[]) as n (partition, next_offset) using (partition)
    where c.generation = $1 and n.next_offset > c.next_offset
    order by c.partition
    for no key update of c
)
update log_partition c
set next_offset = n.next_offset, events = n.events
from unnest($2::int[], $3::bigint[], $4::bigint[]) as n (partition, next_offset, events) join locked l using (partition)
where c.generation = $1 and c.partition = l.partition and n.next_offset > c.next_offset
"""
