"""Seconds that count as up though a probe said down: spans of outages that were false positives, as bits of quarters."""

from service.store.incidents import CASES

NONE = "0::bit(900)"
"""A quarter of an hour of which nothing is said."""
_ALL = "~0::bit(900)"
_QUARTER = "interval '15 minutes'"

# Spans of outages that were false positives; CASES are derived only for tenants that have some.
CLEARED = f"""
with tenants as (
  select t.tenant from (select distinct tenant from wins) t
  cross join lateral (
    select from step s
    where s.tenant = t.tenant and s.family = 'incident' and s.fields ->> 'action' = 'false_positive' limit 1
  ) s
), cases as ({CASES})
select c.tenant, w.win, c.service, greatest(s.from_at, w.start_at) as from_at, least(s.to_at, w.until_at) as to_at
from cases c
join wins w using (tenant)
cross join lateral (
  select timestamptz 'epoch' + c.opened_us * interval '1 microsecond' as from_at,
         coalesce(timestamptz 'epoch' + c.resolved_us * interval '1 microsecond', 'infinity') as to_at
) s
where c.false_positive and c.outage and s.from_at < w.until_at and s.to_at > w.start_at
""".strip()


def cleared_quarters(keys: list[str]) -> str:
    """Bits of the spans that count as up; a quarter in which a component was calm is up without them."""
    return quarters_of("cleared", keys, only="not k.calm @> q.bucket")


def quarters_of(spans: str, keys: list[str], *, only: str = "true") -> str:
    """Bits of the spans of incidents, for the component that the incident's service names, else for all.

    `spans(tenant, win, service, from_at, to_at)` names them; `keys` are those of `considered`, the component among them.
    """
    probed = "exists (select from name n where n.tenant = c.tenant and n.kind = 'component' and n.name = c.service)"
    declared = "exists (select from components d where d.tenant = c.tenant and d.component = c.service)"
    shown = ", ".join(f"k.{name}" for name in keys)
    return (
        f"select {shown}, q.bucket, bit_or({span('q.bucket', 'c.from_at', 'c.to_at')}) as bits\n"
        f"from {spans} c join considered k on k.tenant = c.tenant and k.win = c.win\n"
        f"  and (k.component = c.service or not ({probed} or {declared}))\n"
        f"cross join lateral generate_series({bucket('c.from_at')}, c.to_at, {_QUARTER}) as q(bucket)\n"
        f"where {only}\n"
        f"group by {shown}, q.bucket"
    )


def bucket(instant: str) -> str:
    """The beginning of the quarter that an instant lies in."""
    return f"date_bin({_QUARTER}, {instant}, timestamptz 'epoch')"


def span(bucket: str, from_at: str, to_at: str) -> str:
    """The seconds of a quarter from the one that a span begins in up to, not including, the one it ends in, as bits."""
    begin = f"greatest(0, floor(extract(epoch from {from_at} - {bucket}))::int)"
    end = f"greatest(0, 900 - floor(extract(epoch from {to_at} - {bucket}))::int)"
    return f"(({_ALL} >> {begin}) & ({_ALL} << {end}))"
