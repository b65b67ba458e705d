"""Stretches of time in which nothing but `up` was said, so that only quarters of an hour with more to them are looked at as bits.

Nearly all quarters are so: 900 seconds up, none of them down, planned or degraded. Of a monitor (with its region and account)
they are read once for all windows of a tenant, and kept as ranges (`tstzmultirange`) beside the bits of the other quarters.
"""

from typing import Final

from service.catalog.accounts import Accounts
from service.catalog.asked import Asked
from service.catalog.cleared import bucket

STATES: Final = ("down", "up", "planned", "degraded")
ALL: Final = "~0::bit(900)"
NEVER: Final = "'{}'::tstzmultirange"
_SERIES: Final = "account, component, monitor, region"
_IS_CALM: Final = f"up = {ALL} and down = 0::bit(900) and planned = 0::bit(900) and degraded = 0::bit(900)"
QUARTER: Final = "tstzrange(bucket, bucket + interval '15 minutes')"
_OWN: Final = ("component", "monitor", "region")
_DAY: Final = "interval '24 hours'"

CALM: Final = "range_agg(calm) - range_agg(stirred)"
"""Of the monitors of a component: when all of them said nothing but `up`."""


def quarters_read(window: str) -> str:
    """The quarters that a window lies in, as far as it has come, as a range."""
    first = bucket(f"{window}.start_at")
    return f"tstzrange({first}, greatest({first}, {window}.until_at))"


def seconds_in(calm: str, window: str) -> str:
    """How many of a window's seconds lie in ranges of whole quarters: as many as their bits under its mask."""
    within = f"tstzmultirange(tstzrange({window}.start_at, greatest({window}.start_at, {window}.until_at)))"
    return (
        "(select coalesce(sum(floor(extract(epoch from upper(r.span))) - floor(extract(epoch from lower(r.span)))), 0)"
        f" from unnest({calm} * {within}) as r(span))"
    )


def probed(asked: Asked) -> str:
    """`probed(tenant, account, component, monitor, region, since, calm, stirred, buckets, downs …)`: the probes of all windows.

    Every quarter is read once, however many windows it lies in: `calm` are those in which all is up, the others have their bits.
    A row a day (UTC, from `since` on): bits of all days in one would be copied to every window, though none of them lie in it.
    """
    only = "".join(f" and {each}" for each in ([] if asked.marks else _chosen(asked)))
    bits = ",\n      ".join(f"array_agg({name}) filter (where not is_calm) as {name}s" for name in ("bucket", *STATES))
    within = "tenant = s.tenant and bucket >= lower(s.span) and bucket < upper(s.span)"
    of_series = " and ".join(f"{name} = k.{name}" for name in _SERIES.split(", "))
    # Monitor by monitor: so nothing is sorted but days. Whether a quarter is calm is found out once (`offset 0`).
    return f"""
select s.tenant, k.*, p.* from (
  select tenant, unnest(range_agg({quarters_read("w")})) as span from wins w group by tenant
) s cross join lateral (
  select {_SERIES} from probe_quarter where {within}{only} group by {_SERIES}
) k cross join lateral (
  select date_bin({_DAY}, bucket, timestamptz 'epoch') as since,
    coalesce(range_agg({QUARTER}) filter (where is_calm), {NEVER}) as calm,
    coalesce(range_agg({QUARTER}) filter (where not is_calm), {NEVER}) as stirred,
    {bits}
  from (
    select bucket, {", ".join(STATES)}, {_IS_CALM} as is_calm from probe_quarter where {within} and {of_series} offset 0
  ) q group by since
) p""".strip()


def _chosen(asked: Asked) -> list[str]:
    """What rows must be of, as far as it is the same for all windows; accounts that are grouped are looked at in `monitors`."""
    own = [f"{name} = any({asked.values(name)})" for name in _OWN if name in asked.filtered]
    if "account" in asked.filtered:
        own.append(f"(account = any({asked.values('account')}) or account = '')")
    # As a range, which begins behind the platform's own probes in the key: they are most of all, and no account's.
    return [*own, "account > ''"] if asked.by_accounts else own


def monitors(asked: Asked, apart: list[str], conditions: str) -> str:
    """`monitors(tenant, win, start_at, until_at, marks, account …, component, monitor, region, calm, stirred, buckets …)`.

    The probes of each window; an account, or what groups it, is part of it only when split by. `own_calm` is when any probe of
    the monitor was calm, `others_calm` when some monitor of its component said nothing but `up`.
    """
    accounts = Accounts(asked, "account")
    keys = ["tenant", "win", *asked.marks, *accounts.shown, "component", "monitor", "region"]
    marks = "".join(f"w.{name}, " for name in asked.marks)
    shown = "".join(f"{column} as {name}, " for name, column in accounts.shown.items())
    return (
        f"select *, range_agg(only_calm) over (partition by {', '.join(apart)}, since) as others_calm from (\n"
        "  select *, range_agg(calm) over own as own_calm, range_agg(calm) over own - range_agg(stirred) over own as only_calm\n"
        "  from (\n"
        f"    select w.tenant, w.win, w.start_at, w.until_at, {marks}{shown}component, monitor, region, p.since,\n"
        f"      {', '.join(f'{name}s' for name in ('bucket', *STATES))}, calm * q.span as calm, stirred * q.span as stirred\n"
        f"    from wins w{accounts.join('w')}\n    join probed p on p.tenant = w.tenant\n"
        f"    cross join lateral (select tstzmultirange({quarters_read('w')}) as span) q\n"
        f"    where p.since < w.until_at and p.since + {_DAY} > w.start_at"
        f" and (calm && q.span or stirred && q.span){conditions}\n"
        f"  ) read window own as (partition by {', '.join(keys)}, since)\n) m"
    )


def monitored(asked: Asked) -> str:
    """What each monitor said in each quarter in which it said something else than `up`.

    `others`: whether another monitor of its component said nothing but `up` then.
    """
    accounts = Accounts(asked, "account")
    keys = ", ".join(["tenant", "win", *asked.marks, *accounts.shown, "component", "monitor", "region"])
    said = ", ".join(
        f"bit_or({f'case when own_calm @> bucket then {ALL} else up end' if name == 'up' else name}) as {name}" for name in STATES
    )
    arrays = ", ".join(f"m.{name}s" for name in ("bucket", *STATES))
    return (
        f"select {keys}, bucket, {said}, bool_or(others_calm @> bucket) as others\n"
        f"from monitors m cross join lateral unnest({arrays}) as u(bucket, {', '.join(STATES)})\n"
        f"where bucket >= {bucket('start_at')} and bucket < until_at\ngroup by {keys}, bucket"
    )
