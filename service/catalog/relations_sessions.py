"""The relation of open sessions: how many are open at the end of each minute, as running sums between the minutes that change it.

From `session_quarter` (aggregate/folds/sessions.py): `opened` adds up within a UTC day; a start that has not ended is open
for a day, so it is taken away again 1,440 minutes later. Only minutes at which something changes are rows, and the window's first
one and the midnights in it: a figure of accounts costs what their sessions are, not minutes times accounts.
"""

from collections.abc import Callable, Mapping

from service.catalog.accounts import Accounts, plain_name
from service.catalog.asked import Asked
from service.catalog.kpi import Head

_DAY = "interval '1 day'"
_NOTHING = f"'{{{', '.join('0' * 15)}}}'::int[]"
"""What most quarters of an account hold: they are not taken apart into minutes."""
_MIDNIGHT = "date_trunc('day', {}, 'UTC')"


def open_sessions(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`open_sessions(tenant, win, dims, at, open, minutes)`: from the minute `at` on, for so many minutes, so many are open.

    Rows of one `dims` follow each other from the window's start to its end, or to now.
    """
    asked = Asked.of(by, filtered)
    accounts = Accounts(asked, "account")
    shown = list(accounts.shown)
    keys = ", ".join(["tenant", "win", *shown])
    columns = {name: plain_name(asked, name) for name in ("account", *asked.groups)}
    made = "".join(f", {column} as {name}" for name, column in accounts.shown.items())
    scope = "account" if asked.of_accounts else "all"
    only = "".join(f" and {condition}" for condition in accounts.conditions())
    told = (
        f"select w.tenant, w.win, w.start_at, w.ends_at, q.*\nfrom bounds w{accounts.join('w')}\ncross join lateral (\n"
        f"  select bucket + (u.place - 1) * interval '1 minute' as at, u.unended, u.opened{made} from session_quarter\n"
        "  cross join lateral unnest(unended, opened) with ordinality as u(unended, opened, place)\n"
        f"  where tenant = w.tenant and scope = '{scope}'{only} and bucket >= w.start_at - interval '1 day 15 minutes'\n"
        f"    and bucket < w.ends_at and (session_quarter.unended <> {_NOTHING} or session_quarter.opened <> {_NOTHING})\n"
        "    and (u.unended <> 0 or u.opened <> 0)\n"
        ") q\nwhere q.at < w.ends_at"
    )
    changes = (
        f"select {keys}, at, opened, unended from told\n"
        f"union all select {keys}, at + {_DAY}, 0, -unended from told where unended <> 0 and at + {_DAY} < ends_at\n"
        f"union all select {keys}, t.at, 0, 0 from (select distinct {keys}, start_at, ends_at from told) k\n"
        "cross join lateral (\n"
        "  select k.start_at as at union select generate_series("
        f"{_MIDNIGHT.format('k.start_at')} + {_DAY}, k.ends_at - interval '1 minute', {_DAY})\n) t"
    )
    minutes = f"select {keys}, at, sum(opened) as opened, sum(unended) as unended from changes group by {keys}, at"
    running = (
        f"select m.*, sum(opened) over (partition by {keys}, {_MIDNIGHT.format('at')} order by at)\n"
        f"    + sum(unended) over (partition by {keys} order by at) as open,\n"
        f"  lead(at) over (partition by {keys} order by at) as next_at\nfrom minutes m"
    )
    bounds = (
        "select w.*, least(w.end_at, date_trunc('minute', w.until_at + interval '59.999999 seconds')) as ends_at\n"
        "from wins w where w.until_at > w.start_at"
    )
    parts = {"bounds": bounds, "told": told, "changes": changes, "minutes": minutes, "running": running}
    return (
        "with "
        + ",\n".join(f"{name} as (\n{body}\n)" for name, body in parts.items())
        + f"\nselect r.tenant, r.win, {asked.dims(columns)} as dims, r.at, greatest(r.open, 0) as open,\n"
        "  extract(epoch from coalesce(r.next_at, w.ends_at) - r.at) / 60 as minutes\n"
        "from running r join bounds w on w.tenant = r.tenant and w.win = r.win\nwhere r.at >= w.start_at"
    )


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {"open_sessions": open_sessions}
NEEDS: Mapping[str, tuple[str, ...]] = {"open_sessions": ("wins",)}
