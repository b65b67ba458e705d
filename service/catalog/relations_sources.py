"""The relations of sources: for how many minutes their newest event was young enough, how old it is, and who fell silent.

From `source_quarter` (aggregate/receipts.py), by the minute of receipt. A source's newest event is the newest of all that came
up to a minute; what came longer ago than its limit decides on no minute any more, so only that far back is looked.
"""

from collections.abc import Callable, Mapping
from typing import Final

from service.catalog.asked import Asked
from service.catalog.kpi import Head

KNOWN_FOR: Final = "interval '35 days'"
"""A source that sent nothing for so long is known no more."""
_MINUTE: Final = 60_000_000
_BOUNDS = """
bounds as (
  select w.*, least(w.end_at, date_trunc('minute', w.until_at + interval '59.999999 seconds')) as ends_at
  from wins w where w.until_at > w.start_at
)""".strip()
_AT = "bucket + (u.place - 1) * interval '1 minute'"
_US = "(extract(epoch from {}) * 1000000)::bigint"
_OF_QUARTER = f"greatest({', '.join(f'newest[{place}]' for place in range(1, 16))})"

_LIMITS = f"""
    select l.key, l.value from jsonb_each(coalesce(d.config -> 'freshness', '{{}}')) l where l.key <> '*'
    union all
    select n.name, d.config #> '{{freshness,*}}'
    from name n
    where n.tenant = d.tenant and n.kind = 'source' and d.config -> 'freshness' ? '*' and not d.config -> 'freshness' ? n.name
      and exists (
        select from source_quarter q where q.tenant = n.tenant and q.source = n.name and q.bucket >= w.start_at - {KNOWN_FOR}
          and q.bucket < w.ends_at
      )""".strip("\n")


def freshness_minutes(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`freshness_minutes(tenant, win, dims, fresh, minutes)`: of the sources that declare a limit, received or not.

    The limit of `*` is that of every other source that sent something in the 35 days before. A minute is fresh when at its
    end the newest event is younger than the limit.
    """
    asked = Asked.of(by, filtered)
    return fresh_minutes(asked, f"f.key = any({asked.values('source')})" if "source" in filtered else "")


def fresh_minutes(asked: Asked, only: str) -> str:
    """The same of the sources `f.key` that meet a condition ("": all); `wins` are looked at as `w`."""
    fresh_until = f"least(next_us / {_MINUTE}, coalesce(ceil(fresh_until_us / {_MINUTE}) - 1, 0))"
    where = f"\n  where {only}" if only else ""
    return (
        f"with {_BOUNDS},\nlimits as (\n"
        "  select w.tenant, w.win, w.start_at, w.ends_at, f.key as source, (f.value ->> 'limit_s')::numeric as limit_s\n"
        "  from bounds w join declared d on d.tenant = w.tenant\n"
        f"  cross join lateral (\n{_LIMITS}\n  ) f{where}\n"
        f"),\ntold as (\n  select l.*, t.at, t.newest from limits l cross join lateral (\n"
        f"    select {_AT} as at, u.newest\n"
        "    from source_quarter cross join lateral unnest(newest) with ordinality as u(newest, place)\n"
        "    where tenant = l.tenant and source = l.source and u.newest is not null\n"
        "      and bucket >= l.start_at - l.limit_s * interval '1 second' - interval '30 minutes' and bucket < l.ends_at\n"
        # Kept apart, so that it is looked up by key whatever is guessed of the limits.
        "    offset 0\n"
        "  ) t where t.at < l.ends_at\n"
        "  union all select l.*, l.start_at, null from limits l\n"
        "),\nrunning as (\n"
        f"  select t.*, {_US.format('t.at')} as at_us,\n"
        "    max(newest) over (partition by tenant, win, source order by at) + limit_s * 1000000 as fresh_until_us,\n"
        f"    {_US.format('coalesce(lead(at) over (partition by tenant, win, source order by at), ends_at)')} as next_us\n"
        "  from told t\n)\n"
        f"select tenant, win, {asked.dims({'source': 'source'})} as dims,\n"
        f"  coalesce(sum(greatest(0, {fresh_until} - at_us / {_MINUTE})), 0) as fresh,\n"
        f"  sum((next_us - at_us) / {_MINUTE}) as minutes\n"
        "from running where at >= start_at group by 1, 2, 3"
    )


def source_ages(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`source_ages(tenant, win, dims, age_us, silent)`: at the window's end how old the newest event of all sources asked for is.

    `silent`: how many of them, having sent before, sent nothing in the window.
    """
    asked = Asked.of(by, filtered)
    only = f" where n.name = any({asked.values('source')})" if "source" in filtered else ""
    last = f"(select max(u.newest) from unnest(newest) with ordinality as u(newest, place) where {_AT} < w.ends_at)"
    return (
        f"with {_BOUNDS}\n"
        f"select w.tenant, w.win, {asked.dims({'source': 'n.name'})} as dims,\n"
        f"  {_US.format('w.until_at')} - max(q.newest) as age_us,\n"
        "  count(*) filter (where q.quarter < date_bin('15 minutes', w.start_at, timestamptz 'epoch')) as silent\n"
        "from bounds w cross join lateral (\n"
        "  select name from name where tenant = w.tenant and kind = 'source' union all select '~other'\n"
        ") n cross join lateral (\n"
        "  select max(bucket) as quarter,\n"
        f"    max(case when bucket + interval '15 minutes' <= w.ends_at then {_OF_QUARTER} else {last} end) as newest\n"
        "  from source_quarter\n"
        f"  where tenant = w.tenant and source = n.name and bucket >= w.start_at - {KNOWN_FOR} and bucket < w.ends_at\n"
        f"  having count(*) > 0\n) q{only}\ngroup by w.tenant, w.win, w.until_at, 3"
    )


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    "freshness_minutes": freshness_minutes,
    "source_ages": source_ages,
}
NEEDS: Mapping[str, tuple[str, ...]] = {"freshness_minutes": ("wins", "declared"), "source_ages": ("wins",)}
