"""The relation of what is known of accounts: their traits as they are now, their bands as of each window's end.

What counts at a date (status, tier, phase, size, MRR, how long a customer is live, a meter) is as of the window's end, or of
now while it is open; traits are as they are now (events.md, *Meaning*). Each is one jsonb object a window, account → value: a
look-up in it costs the same whatever Postgres guesses of how many accounts there are, and no plan makes a loop over them.
"""

from collections.abc import Callable, Mapping
from typing import Final

from service.catalog.accounts import GROUPS, column_of
from service.catalog.asked import Asked
from service.catalog.kpi import Head

DATED: Final = ("status", "tier", "phase", "size")
"""What accounts have beside their traits, each with its date."""
_UNTIL = "(extract(epoch from e.until_at) * 1000000)::bigint"
_KNOWN = "from milestone k"
_OF_TENANT = "where k.tenant = e.tenant and k.kind = 'account' and k.milestone = '~known'"

# The newest value of a field before the window's end, looked up for one account after the other.
_NEWEST = f"""
  cross join lateral (
    select value from state_history
    where tenant = e.tenant and kind = 'account' and field = {{field}} and who = k.who and account = k.who and time_us < {_UNTIL}
    order by time_us desc, source collate "C" desc, id collate "C" desc limit 1
  ) s"""

# A trait as it is now.
_NOW = """
  join state s on s.tenant = e.tenant and s.kind = 'account' and s.who = k.who and s.account = k.who
    and s.field = 'trait.' || {name}"""

# Whole months from the account's go-live to the window's end, by the tenant's calendar; those that are not live have none.
_TENURE = f"""
  cross join lateral (
    select min(time_us) as time_us from milestone
    where tenant = e.tenant and kind = 'account' and milestone = 'go_live' and who = k.who and time_us < {_UNTIL}
  ) m
  cross join lateral (
    select age(
      e.until_at at time zone e.zone, (timestamptz 'epoch' + m.time_us * interval '1 microsecond') at time zone e.zone
    ) as live where m.time_us is not null
  ) a"""

# A meter's newest value before the window's end, of whichever of an account's series: of days, of quarters, of minutes.
_METER = """
  select distinct on (s.account) s.account, f.newest_value * 0.000000001 as value
  from series s
  cross join lateral (
    (select newest_us, newest_source, newest_id, newest_value from fact_day
     where series = s.id and day < (e.until_at at time zone e.zone)::date order by day desc limit 1)
    union all
    (select newest_us, newest_source, newest_id, newest_value from fact_quarter
     where series = s.id and bucket >= e.until_at - interval '27 hours'
       and bucket < date_bin('15 minutes', e.until_at, timestamptz 'epoch') order by bucket desc limit 1)
    union all
    (select newest_us, newest_source, newest_id, newest_value from fact_minute
     where series = s.id and bucket >= date_bin('15 minutes', e.until_at, timestamptz 'epoch') and bucket < e.until_at
     order by bucket desc limit 1)
  ) f
  where s.tenant = e.tenant and s.kind = 'meter' and s.account <> '' and s.dims ->> 'meter' = {name}
  order by s.account, f.newest_us desc, f.newest_source collate "C" desc, f.newest_id collate "C" desc"""


def account_groups(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`account_groups(tenant, win, v0, v1 …)`: for every trait and band that is asked for a map of accounts to values (jsonb).

    Windows that have come equally far share theirs. An account is there once an event told of it. Maps are made once, whatever
    loop a plan makes of what they are joined to.
    """
    asked = Asked.of(by, filtered)
    maps = ",\n".join(f"({_map(asked, name)}) as {column_of(asked, name)}" for name in asked.groups) or "'{}'::jsonb as v0"
    columns = ", ".join(f"m.{column_of(asked, name)}" for name in asked.groups) or "m.v0"
    return (
        "with ends as (\n"
        "  select w.tenant, w.until_at, array_agg(w.win) as wins, d.config, d.config #>> '{tenant,timezone}' as zone\n"
        "  from wins w join declared d on d.tenant = w.tenant group by w.tenant, w.until_at, d.config\n"
        f"), made as materialized (\nselect e.tenant, e.wins,\n{maps}\nfrom ends e\n)\n"
        f"select m.tenant, w.win, {columns} from made m cross join lateral unnest(m.wins) as w(win)"
    )


def _map(asked: Asked, dimension: str) -> str:
    """One trait or band of all accounts, as `account → value`."""
    kind, _, name = dimension.partition(".")
    if kind == "band":
        return _band(asked, dimension, name)
    source = _NEWEST.format(field=f"'{name}'") if name in DATED else _NOW.format(name=asked.trait(dimension))
    return f"select coalesce(jsonb_object_agg(k.who, s.value), '{{}}') {_KNOWN}{source}\n  {_OF_TENANT}"


def _band(asked: Asked, dimension: str, name: str) -> str:
    """The band that each account's number lies in, from its edge on up to the next one."""
    newest = _NEWEST.format(field=f"'{name}'")
    if name == "mrr":
        # Money of another currency than the one that is declared is not comparable with the edges.
        ours = "d.currency is null or split_part(s.value, ' ', 2) = d.currency"
        numbers = (
            f"select k.who, split_part(s.value, ' ', 1)::numeric as number {_KNOWN}{newest}\n"
            f"  cross join lateral (select e.config #>> '{{tenant,currency}}' as currency) d\n  {_OF_TENANT} and ({ours})"
        )
    elif name == "size":
        numbers = f"select k.who, s.value::numeric as number {_KNOWN}{newest}\n  {_OF_TENANT}"
    elif name == "tenure_months":
        months = "extract(year from a.live) * 12 + extract(month from a.live)"
        numbers = f"select k.who, {months} as number {_KNOWN}{_TENURE}\n  {_OF_TENANT}"
    else:
        meter = f"substr({asked.trait(dimension)}, 7)"
        numbers = f"select n.account as who, n.value as number from ({_METER.format(name=meter)}) n"
    declared = f"e.config #> array['bands', {asked.trait(dimension)}]"
    return (
        "select coalesce(jsonb_object_agg(n.who, b.names ->> width_bucket(n.number, b.edges)), '{}')\n"
        f"  from ({numbers}) n\n"
        "  cross join lateral (\n"
        f"    select coalesce({declared} -> 'names', '[]') as names,\n"
        f"      array(select x::numeric from jsonb_array_elements_text(coalesce({declared} -> 'edges', '[]')) x\n"
        "        order by 1) as edges\n"
        "  ) b"
    )


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {GROUPS: account_groups}
NEEDS: Mapping[str, tuple[str, ...]] = {GROUPS: ("wins", "declared")}
