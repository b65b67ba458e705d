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
    """`support_hours(tenant, whole_us, opens_us, closes_us, before_us, shift_us)`: from the first ticket past the last window."""
    return f"""
with spans as (
  select d.tenant, {ZONE} as zone, {OPENS} as opens, {CLOSES} as closes, f.opened_at, w.until_at
  from declared d
  join (select tenant, max(until_at) as until_at from wins group by tenant) w on w.tenant = d.tenant
  join (
    select tenant, greatest({EARLIEST}, timestamptz 'epoch' + first_us * interval '1 microsecond') as opened_at
    from ticket_reach
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
select s.tenant, w.*
from spans s
cross join lateral (
  select coalesce(sum(closes_us - opens_us), 0)::bigint as whole_us,
         coalesce(array_agg(opens_us order by opens_us), '{{}}') as opens_us,
         coalesce(array_agg(closes_us order by opens_us), '{{}}') as closes_us,
         coalesce(array_agg(before_us::bigint order by opens_us), '{{}}') as before_us,
         coalesce(array_agg((opens_us - before_us)::bigint order by opens_us), '{{}}') as shift_us
  from worked where tenant = s.tenant
) w""".strip()


def worked(instant_us: str, place: str = "", of: str = "h") -> str:
    """Time of support up to an instant, by a row `of` support hours; `place` is that of the instant, where it is known."""
    at = place or f"width_bucket({instant_us}, {of}.opens_us)"
    return f"coalesce({of}.before_us[{at}] + least({instant_us}, {of}.closes_us[{at}]) - {of}.opens_us[{at}], 0)"


def elapsed(start_us: str, end_us: str, is_business: str, of: str) -> str:
    """Time between two instants, in support hours where a limit counts in them, else by the clock."""
    hours = f"{worked(end_us, of=of)} - {worked(start_us, of=of)}"
    return f"case when {is_business} then {hours} else {end_us} - {start_us} end"


def reached(start_us: str, worked_us: str, left_us: str, of: str) -> str:
    """The instant at which so much more of support has passed, `worked_us` being that up to the start.

    Null where it lies days behind the windows' ends.
    """
    whole = f"({worked_us} + {left_us})"
    shift = f"{of}.shift_us[greatest(1, width_bucket({whole} - 1, {of}.before_us))]"
    return f"case when {whole} <= {of}.whole_us then greatest({start_us}, {shift} + {whole}) end"


def after(start_us: str, left_us: str, is_business: str, of: str) -> str:
    """The instant at which so much more of a limit has passed."""
    hours = reached(start_us, worked(start_us, of=of), left_us, of)
    return f"case when {is_business} then {hours} else {start_us} + {left_us} end"
