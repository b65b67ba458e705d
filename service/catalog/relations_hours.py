"""The relation of support hours, and what is computed with it: worked time up to an instant, and the instant that it reaches.

The rules, and the oracle that tests hold these statements to, are service/domain/support. A row a tenant has the instants
at which support opens and closes as arrays, with the time worked before each; a look-up is a binary search (`width_bucket`).
"""

from typing import Final

from service.catalog.kpi import Head

ZONE: Final = "coalesce(d.config #>> '{tenant,support_timezone}', d.config #>> '{tenant,timezone}')"
"""Of a row `d` of `declared`."""
OPENS, CLOSES = (f"split_part(d.config #>> '{{tenant,support_hours}}', '-', {part})::interval" for part in (1, 2))
_INSTANT: Final = "(extract(epoch from (n.day + {}) at time zone n.zone) * 1000000)::bigint"
EARLIEST: Final = "timestamptz '1990-01-01'"
"""Support hours are counted from here on: a ticket that an import says is older has its time from then."""


def support_hours(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`support_hours(tenant, day_us, whole_us, opens_us, closes_us, before_us)`: from the first ticket past the last window."""
    return f"""
with spans as (
  select d.tenant, {ZONE} as zone, {OPENS} as opens, {CLOSES} as closes, f.opened_at, w.until_at
  from declared d
  join (select tenant, max(until_at) as until_at from wins group by tenant) w on w.tenant = d.tenant
  join (
    select tenant, greatest({EARLIEST}, timestamptz 'epoch' + min(opened_us) * interval '1 microsecond') as opened_at
    from limited_tickets group by tenant
  ) f on f.tenant = d.tenant
), business as (
  select s.*, (s.opened_at at time zone s.zone)::date - 2 + g.number as day
  from spans s
  cross join lateral generate_series(
    0, (s.until_at at time zone s.zone)::date - (s.opened_at at time zone s.zone)::date + 5
  ) as g(number)
), worked as (
  select n.tenant, i.opens_us, i.closes_us,
         sum(i.closes_us - i.opens_us) over (partition by n.tenant order by i.opens_us) - (i.closes_us - i.opens_us) as before_us
  from business n
  cross join lateral (select {_INSTANT.format("n.opens")} as opens_us, {_INSTANT.format("n.closes")} as closes_us) i
  where extract(isodow from n.day) < 6 and i.opens_us < i.closes_us
    and not exists (select from holidays h where h.tenant = n.tenant and h.day = n.day)
)
select s.tenant, (extract(epoch from s.closes - s.opens) * 1000000)::bigint as day_us, w.*
from spans s
cross join lateral (
  select coalesce(sum(closes_us - opens_us), 0)::bigint as whole_us,
         coalesce(array_agg(opens_us order by opens_us), '{{}}') as opens_us,
         coalesce(array_agg(closes_us order by opens_us), '{{}}') as closes_us,
         coalesce(array_agg(before_us::bigint order by opens_us), '{{}}') as before_us
  from worked where tenant = s.tenant
) w""".strip()


def worked(instant_us: str) -> str:
    """Time of support up to an instant, of a row `h` of `support_hours`."""
    place = f"width_bucket({instant_us}, h.opens_us)"
    return f"coalesce(h.before_us[{place}] + least({instant_us}, h.closes_us[{place}]) - h.opens_us[{place}], 0)"


def is_open(instant_us: str) -> str:
    """Whether support works at an instant."""
    return f"coalesce({instant_us} < h.closes_us[width_bucket({instant_us}, h.opens_us)], false)"


def elapsed(start_us: str, end_us: str) -> str:
    """Time between two instants, in support hours where a limit `l` counts in them, else by the clock."""
    return f"case when l.is_business then {worked(end_us)} - {worked(start_us)} else {end_us} - {start_us} end"


def after(start_us: str, left_us: str) -> str:
    """The instant at which so much more of a limit `l` has passed; null where it lies days behind the windows' ends."""
    whole = f"({worked(start_us)} + {left_us})"
    place = f"greatest(1, width_bucket({whole} - 1, h.before_us))"
    reached = f"greatest({start_us}, h.opens_us[{place}] + {whole} - h.before_us[{place}])"
    return f"case when not l.is_business then {start_us} + {left_us} when {whole} <= h.whole_us then {reached} end"
