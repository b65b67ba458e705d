"""The merges of a flush: one statement a rollup, from its temporary table, each commutative.

Rows arrive in the order of the target's key, so that index pages are touched once. The large ones are MERGEs: in
its turn a flush is the only one that writes these tables, and `on conflict do update` would lock (and log) each row
before it changes it (docs/adr/0012). Elsewhere, what would change nothing is left out before the conflict.
"""

from typing import Final

from service.store.derived import DERIVED, DERIVED_REACHED
from service.store.first_reached import FIRST_REACHED
from service.store.merges_deliveries import TRACKED
from service.store.merges_usage import FREQUENCY, RECEIPTS, SESSION, USES_BY_DAY
from service.store.slo_counters import SLO

NOBODY: Final = "0::bit(2048)"
# The Monday of a day's week: the first day of the first year was one.
WEEK: Final = "day - (day - date '0001-01-01') % 7"

# Ids of stored events: a run a batch; compaction makes one of many.
IDS = """
insert into seen_ids (generation, partition, hour, first_offset, hashes)
select generation, partition, hour, first_offset, hashes from flush_ids
"""

# Hours that a tenant has events in.
HOURS = """
insert into tenant_hours as h (tenant, day, had)
select tenant, date '1970-01-01' + day, had from flush_hours s
where not exists (
    select from tenant_hours k where k.tenant = s.tenant and k.day = date '1970-01-01' + s.day and k.had & s.had = s.had
)
order by tenant, day
on conflict (tenant, day) do update set had = h.had | excluded.had
"""


def _united(table: str, key: str, first_day: str, days: str = "") -> str:
    """What days gained, united with the rows of several days that they belong to."""
    keys = f"tenant, population, feature, {key}, chunk"
    same = " and ".join(f"a.{name} = s.{name}" for name in keys.split(", "))
    return f"""merge into {table} a
using (
    select tenant, population, feature, {first_day} as {key}, chunk, bit_or(bits) as bits from added{days}
    group by {keys} order by {keys}
) s
on {same}
when matched and a.bits | s.bits <> a.bits then update set bits = a.bits | s.bits
when not matched then insert ({keys}, bits) values (s.tenant, s.population, s.feature, s.{key}, s.chunk, s.bits)"""


# Who was active on which day: unions of sets. What they gained goes on to their weeks, to the second halves of these and to the
# numbers of users by day: a flush that adds nobody writes none (docs/adr/0039).
ACTIVITY = f"""
with added as (
    merge into activity_day a
    using (select tenant, population, feature, date '1970-01-01' + day as day, chunk, bits from flush_activity) s
    on a.tenant = s.tenant and a.population = s.population and a.feature = s.feature and a.day = s.day and a.chunk = s.chunk
    when matched and a.bits | s.bits <> a.bits then update set bits = a.bits | s.bits
    when not matched then insert (tenant, population, feature, day, chunk, bits)
        values (s.tenant, s.population, s.feature, s.day, s.chunk, s.bits)
    returning new.tenant, new.population, new.feature, new.day, new.chunk, new.bits # coalesce(old.bits, {NOBODY}) as bits
), counted as (
    merge into active_count c
    using (
        select tenant, feature, day, sum(bit_count(bits)) as n from added where population = 'user'
        group by tenant, feature, day order by tenant, feature, day
    ) s
    on c.tenant = s.tenant and c.feature = s.feature and c.day = s.day
    when matched then update set n = c.n + s.n
    when not matched then insert (tenant, feature, day, n) values (s.tenant, s.feature, s.day, s.n)
), halved as (
    {_united("activity_half", "half", f"{WEEK} + 3", f" where day >= {WEEK} + 3")}
)
{_united("activity_week", "week", WEEK)}
"""


_NEWEST = ("newest_us", "newest_source", "newest_id", "newest_value")
_MEASURES = ("n", "total", "least", "greatest", *_NEWEST, "histogram")
_NEWER = """(f.newest_us is null or (s.newest_us, s.newest_source collate "C", s.newest_id collate "C", s.newest_value)
        > (f.newest_us, f.newest_source collate "C", f.newest_id collate "C", f.newest_value))"""


def _facts(table: str, key: str, grain: str, bucket: str) -> str:
    newest = ", ".join(f"{column} = case when {_NEWER} then s.{column} else f.{column} end" for column in _NEWEST)
    measures = ", ".join(_MEASURES)
    return f"""
merge into {table} f
using (select series, {bucket} as {key}, {measures} from flush_fact where {grain} is not null) s
on f.series = s.series and f.{key} = s.{key}
when matched then update set
    n = f.n + s.n, total = f.total + s.total,
    least = least(f.least, s.least), greatest = greatest(f.greatest, s.greatest),
    {newest},
    histogram = case when s.histogram is null then f.histogram else hist_add(f.histogram, s.histogram) end
when not matched then insert (series, {key}, {measures})
    values (s.series, s.{key}, {", ".join(f"s.{column}" for column in _MEASURES)})
"""


# What can be added up, at its three grains.
FACT_MINUTE = _facts("fact_minute", "bucket", "minute", "to_timestamp(minute / 1000000)")
FACT_QUARTER = _facts("fact_quarter", "bucket", "quarter", "to_timestamp(quarter / 1000000)")
FACT_DAY = _facts("fact_day", "day", "day", "date '1970-01-01' + day")

# Seconds that monitors spoke for: unions of sets; probes add up.
PROBE = """
insert into probe_quarter as p
    (tenant, account, component, monitor, region, bucket, up, down, degraded, planned, excluded, probes, probes_up)
select tenant, account, component, monitor, region, to_timestamp(bucket / 1000000),
    up::bit(900), down::bit(900), degraded::bit(900), planned::bit(900), excluded::bit(900), probes, probes_up
from flush_probe
on conflict (tenant, account, component, monitor, region, bucket) do update set
    up = p.up | excluded.up, down = p.down | excluded.down, degraded = p.degraded | excluded.degraded,
    planned = p.planned | excluded.planned, excluded = p.excluded | excluded.excluded,
    probes = p.probes + excluded.probes, probes_up = p.probes_up + excluded.probes_up
"""

# Users whose traits change: their segments are to be built again. Looks before the states are merged; locks marks that
# are there already, or a rebuild that reads before this commit would take them away.
SEGMENT_DIRTY = """
insert into segment_dirty (tenant, chunk)
select distinct f.tenant, u.ordinal / 2048
from flush_state f
join app_user u on u.tenant = f.tenant and u.user_id = f.who
left join state s on s.tenant = f.tenant and s.kind = f.kind and s.who = f.who and s.account = f.account and s.field = f.field
where f.kind = 'user' and f.field like 'trait.%' and f.value is distinct from s.value
on conflict (tenant, chunk) do update set chunk = excluded.chunk
"""

# What describes users and accounts now: the newest by (time, source, id).
STATE = """
insert into state as s (tenant, kind, who, account, field, time_us, source, id, value)
select tenant, kind, who, account, field, time_us, source, id, value from flush_state
on conflict (tenant, kind, who, account, field) do update
set time_us = excluded.time_us, source = excluded.source, id = excluded.id, value = excluded.value
where (excluded.time_us, excluded.source collate "C", excluded.id collate "C", excluded.value collate "C")
    > (s.time_us, s.source collate "C", s.id collate "C", s.value collate "C")
"""

# All dated values of fields that are asked for as of a date: a set.
STATE_HISTORY = """
insert into state_history (tenant, kind, who, account, field, time_us, source, id, value)
select tenant, kind, who, account, field, time_us, source, id, value from flush_state_history
on conflict do nothing
"""

# The earliest by (time, source, id).
MILESTONE = """
insert into milestone as m (tenant, kind, milestone, who, account, time_us, source, id)
select tenant, kind, milestone, who, account, time_us, source, id from flush_milestone
on conflict (tenant, kind, milestone, who, account) do update
set time_us = excluded.time_us, source = excluded.source, id = excluded.id
where (excluded.time_us, excluded.source collate "C", excluded.id collate "C")
    < (m.time_us, m.source collate "C", m.id collate "C")
"""

# Who had reached what: unions of sets.
REACHED = """
merge into reached a
using (select tenant, population, what, span, date '1970-01-01' + since as since, chunk, bits from flush_reached) s
on a.tenant = s.tenant and a.population = s.population and a.what = s.what and a.span = s.span and a.since = s.since
    and a.chunk = s.chunk
when matched and a.bits | s.bits <> a.bits then update set bits = a.bits | s.bits
when not matched then insert (tenant, population, what, span, since, chunk, bits)
    values (s.tenant, s.population, s.what, s.span, s.since, s.chunk, s.bits)
"""

# Steps of incidents and the like: a set.
STEP = """
insert into step (tenant, family, subject, time_us, source, id, account, fields)
select tenant, family, subject, time_us, source, id, account, fields from flush_step
on conflict do nothing
"""

# Refused events: the first of equal ones is kept, the others are counted. One that was mended, sent again and refused
# again for the same reason is open once more, as it came now.
DEAD_LETTER = """
insert into dead_letter as d (tenant, source, id_hash, reason, id, time, detail, raw, origin, received_at, count)
select tenant, source, id_hash, reason, id, time, detail, raw, origin, received_at, count from flush_dead_letter
on conflict (tenant, source, id_hash, reason) do update set
    count = d.count + excluded.count,
    raw = case d.state when 'resent' then excluded.raw else d.raw end,
    detail = case d.state when 'resent' then excluded.detail else d.detail end,
    received_at = case d.state when 'resent' then excluded.received_at else d.received_at end,
    state = case d.state when 'resent' then 'open' else d.state end
"""

# What became of the events.
LEDGER = """
insert into ledger as l (tenant, source, day, stored, duplicate, dead_lettered)
select tenant, source, date '1970-01-01' + day, stored, duplicate, dead_lettered from flush_ledger
on conflict (tenant, source, day) do update set
    stored = l.stored + excluded.stored, duplicate = l.duplicate + excluded.duplicate,
    dead_lettered = l.dead_lettered + excluded.dead_lettered
"""

# Whose KPIs are to be computed again, and since when (0: everything has been looked at). In the tenants' order, in
# which rebuilt segments take them too.
DIRTY = """
insert into tenant_dirty as d (tenant, flush, newest_us, oldest_us)
select tenant, 1, newest_us, oldest_us from flush_dirty order by tenant
on conflict (tenant) do update set
    flush = d.flush + 1, newest_us = greatest(d.newest_us, excluded.newest_us),
    oldest_us = case when d.oldest_us = 0 then excluded.oldest_us else least(d.oldest_us, excluded.oldest_us) end
"""

# The next sequence of each producer. gaps = next sequence - records seen, so records that pass each other leave none.
PRODUCER = """
insert into producer_progress as p (generation, partition, producer, next_sequence, gaps, seen_us)
select generation, partition, producer, next_sequence, next_sequence - records, seen_us from flush_producer
on conflict (generation, partition, producer) do update set
    gaps = greatest(p.next_sequence, excluded.next_sequence)
        - (p.next_sequence - p.gaps) - (excluded.next_sequence - excluded.gaps),
    next_sequence = greatest(p.next_sequence, excluded.next_sequence), seen_us = greatest(p.seen_us, excluded.seen_us)
"""

MERGES: Final = (
    ("ids", IDS),
    ("hours", HOURS),
    ("activity", ACTIVITY),
    ("fact", FACT_MINUTE),
    ("fact", FACT_QUARTER),
    ("fact", FACT_DAY),
    ("fact", USES_BY_DAY),
    ("probe", PROBE),
    ("session", SESSION),
    ("frequency", FREQUENCY),
    ("tracked", TRACKED),
    ("slo", SLO),
    ("receipts", RECEIPTS),
    ("state", SEGMENT_DIRTY),
    ("state", STATE),
    ("state_history", STATE_HISTORY),
    ("milestone", MILESTONE),
    ("milestone", FIRST_REACHED),
    ("reached", REACHED),
    ("derived", DERIVED),
    ("derived", DERIVED_REACHED),
    ("step", STEP),
    ("dead_letter", DEAD_LETTER),
    ("ledger", LEDGER),
    ("dirty", DIRTY),
    ("producer", PRODUCER),
)
"""Stage and statement, in the order in which they run; one whose stage is empty is left out."""
