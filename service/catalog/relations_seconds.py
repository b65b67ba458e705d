"""The relation of seconds: how many a component, or the platform, was up, down, planned and degraded.

From events.md, *Seconds*: a monitor (with its region) that said down is down though it said up too; a component
is down when its quorum of monitors is, up when it is not and some monitor is, else unknown. Planned seconds
leave the figure. The platform is down when a component that is declared critical is (all are if none is
declared), and unknown when one of them is unknown and none is down. An outage that was a false positive makes
its span count as up. A quarter of an hour is a string of 900 bits: nothing is ever looked at second by second.
"""

from collections.abc import Callable, Mapping

from service.catalog.accounts import Accounts, plain_name
from service.catalog.asked import Asked
from service.catalog.cleared import CLEARED, NONE, bucket, cleared_quarters, span
from service.catalog.kpi import Head

_STATES = ("down", "up", "planned", "degraded")

# Declared components: whether they are critical, how many monitors have to agree.
_DECLARED = """
select d.tenant, c.key as component, coalesce((c.value ->> 'critical')::boolean, false) as critical,
       coalesce((c.value ->> 'quorum')::int, 1) as quorum
from declared d cross join lateral jsonb_each(d.config -> 'components') c
"""


def seconds(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`seconds(tenant, win, dims, up, down, planned, degraded, elapsed)`: of what was probed or is declared."""
    asked = Asked.of(by, filtered)
    parts = parts_of(asked)
    groups = group_columns(asked)
    keys = ", ".join(f"g.{name}" for name in groups)
    sums = ", ".join(f"coalesce(sum(bit_count(t.{name} & {mask('t', 'w')})), 0) as {name}" for name in _STATES)
    columns = split_columns(asked)
    return (
        "with "
        + ",\n".join(f"{name} as (\n{body}\n)" for name, body in parts.items())
        + f"\nselect tenant, win, {asked.dims(columns)} as dims, up, down, planned, degraded, elapsed from (\n"
        f"  select {keys}, {sums}, floor(extract(epoch from w.until_at - w.start_at)) as elapsed\n"
        f"  from (select distinct {', '.join(groups)} from considered) g\n"
        f"  join wins w on w.tenant = g.tenant and w.win = g.win\n"
        f"  left join together t on {same('t', 'g', groups)}\n"
        f"  group by {keys}, w.start_at, w.until_at\n) s"
    )


def probe_counts(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`probe_counts(tenant, win, dims, probes, probes_up)`: by the quarter of an hour that they began in."""
    asked = Asked.of(by, filtered)
    columns = {name: f"p.{column}" for name, column in split_columns(asked).items()}
    shown = "".join(f", {column}" for column in _shown(asked, [columns[name][2:] for name in by]))
    places = "".join(f", {place + 3}" for place in range(len(by)))
    return (
        f"select w.tenant, w.win, {asked.dims(columns)} as dims, p.probes, p.probes_up\n"
        f"from wins w{Accounts(asked, 'account').join('w')} cross join lateral (\n"
        f"  select sum(probes) as probes, sum(probes_up) as probes_up{shown} from probe_quarter\n"
        f"  where tenant = w.tenant and bucket >= {_first_bucket('w')} and bucket < w.until_at{_read(asked)}\n"
        f"  group by tenant{places}) p"
    )


def parts_of(asked: Asked) -> dict[str, str]:
    """Relations from the probes to `together`: each second of what a figure is of, quarter by quarter."""
    return {
        "components": _DECLARED.strip(),
        "monitored": _monitored(asked),
        "considered": _considered(asked),
        "cleared": CLEARED,
        "cleared_quarters": cleared_quarters(_apart(asked)),
        "stated": _stated(asked),
        "answered": _answered(asked),
        "together": _together(asked),
    }


def split_columns(asked: Asked) -> dict[str, str]:
    """Each dimension's column, in all parts of the relation."""
    own = {name: name for name in ("component", "monitor", "region")}
    return own | {name: plain_name(asked, name) for name in ("account", *asked.groups)}


def _shown(asked: Asked, names: list[str]) -> list[str]:
    """These columns as they are made of a row of `probe_quarter`."""
    made = Accounts(asked, "account").shown
    return [f"{made[name]} as {name}" if name in made else name for name in names]


def group_columns(asked: Asked) -> list[str]:
    """What a figure is of: dimensions that are split by."""
    columns = split_columns(asked)
    return ["tenant", "win", *(columns[name] for name in sorted(columns) if name in asked.by)]


def _apart(asked: Asked) -> list[str]:
    """The groups, and always the component."""
    return [*(name for name in group_columns(asked) if name != "component"), "component"]


def _whole(asked: Asked) -> bool:
    """Whether all monitors of a component are read, so that a quorum of them can agree."""
    return not any(asked.names(name) for name in ("monitor", "region"))


def _read(asked: Asked) -> str:
    own = [f"{name} = any({asked.values(name)})" for name in ("component", "monitor", "region") if name in asked.filtered]
    return "".join(f" and {each}" for each in (*own, *asked.more, *Accounts(asked, "account").conditions(platform_wide=True)))


def _monitored(asked: Asked) -> str:
    """What each monitor said in each quarter of the window; an account, or what groups it, is part of it only when split by."""
    accounts = Accounts(asked, "account")
    keys = [*accounts.shown, "component", "monitor", "region", "bucket"]
    places = ", ".join(str(place + 1) for place in range(len(keys)))
    said = ", ".join(f"bit_or({name}) as {name}" for name in _STATES)
    return (
        f"select w.tenant, w.win, {''.join(f'w.{name}, ' for name in asked.marks)}p.* from wins w{accounts.join('w')}"
        " cross join lateral (\n"
        f"  select {', '.join(_shown(asked, keys))}, {said} from probe_quarter\n"
        f"  where tenant = w.tenant and bucket >= {_first_bucket('w')} and bucket < w.until_at{_read(asked)}\n"
        f"  group by {places}) p"
    )


def _considered(asked: Asked) -> str:
    """Which components a figure is made of: those probed or declared, of the platform's the critical ones."""
    marks = "".join(f", {name}" for name in asked.marks)
    known = f"select distinct {', '.join(_apart(asked))}{marks} from monitored"
    if (asked.marks or _whole(asked)) and not asked.by_accounts:
        conditions = ["w.is_whole"] if asked.marks else []
        if "component" in asked.filtered:
            conditions.append(f"d.component = any({asked.values('component').replace('[component]', '[d.component]')})")
        only = f" where {' and '.join(conditions)}" if conditions else ""
        known += f"\nunion select w.tenant, w.win, d.component{marks} from wins w join components d on d.tenant = w.tenant{only}"
    if asked.names("component") and not asked.marks:
        return known
    return (
        f"select k.* from ({known}) k left join components d on d.tenant = k.tenant and d.component = k.component\n"
        f"where {'k.is_chosen or ' if asked.marks else ''}coalesce(d.critical, false)"
        " or k.tenant not in (select tenant from components where critical)"
    )


def _stated(asked: Asked) -> str:
    """What the monitors of each component agreed on, quarter by quarter."""
    keys = ", ".join(f"m.{name}" for name in [*_apart(asked), "bucket"])
    down = any_down = "bit_or(m.down)"
    if asked.marks or _whole(asked):
        down = (
            f"case when min(d.quorum) > 1{' and bool_and(m.is_whole)' if asked.marks else ''}"
            " then coalesce((bit_levels(m.down, d.quorum) filter (where d.quorum > 1))[min(d.quorum)]"
            f"::bit(900), {NONE}) else {any_down} end"
        )
    return (
        f"select {keys}, {down} as down, bit_or(m.up & ~m.down) as up,\n"
        "  bit_or(m.planned) as planned, bit_or(m.degraded & ~m.down) as degraded\n"
        f"from monitored m left join components d on d.tenant = m.tenant and d.component = m.component\n"
        f"group by {keys}"
    )


def _answered(asked: Asked) -> str:
    """Each second of a component as exactly one of down, up, planned or unknown; false positives taken back."""
    keys = [*_apart(asked), "bucket"]
    planned = f"coalesce(s.planned, {NONE})"
    cleared = f"coalesce(c.bits, {NONE})"
    return (
        f"select {', '.join(f'coalesce(s.{name}, c.{name}) as {name}' for name in keys)},\n"
        f"  coalesce(s.down, {NONE}) & ~{planned} & ~{cleared} as down,\n"
        f"  (coalesce(s.up & ~s.down, {NONE}) | {cleared}) & ~{planned} as up,\n"
        f"  {planned} as planned, coalesce(s.degraded, {NONE}) as degraded\n"
        f"from (select s.* from stated s join considered k on {same('k', 's', _apart(asked))}) s\n"
        f"full join cleared_quarters c on {same('c', 's', keys)}"
    )


def _together(asked: Asked) -> str:
    """All components of a figure, second by second: down if one is, up only if all are known."""
    groups = group_columns(asked)
    keys, held = ", ".join(f"a.{name}" for name in groups), "bit_or(a.down)"
    known = f"case when count(*) = min(n.components) then bit_and(a.up | a.down | a.planned) else {NONE} end"
    return (
        f"select {', '.join(groups)}, bucket, down, planned & ~down as planned, known & ~down & ~planned as up,\n"
        "  degraded & known & ~down & ~planned as degraded\n"
        f"from (\n  select {keys}, a.bucket, {held} as down, bit_or(a.planned) as planned,\n"
        f"    {known} as known, bit_or(a.degraded) as degraded\n"
        f"  from answered a join (\n"
        f"    select {', '.join(groups)}, count(*) as components from considered group by {', '.join(groups)}\n"
        f"  ) n on {same('n', 'a', groups)}\n"
        f"  group by {keys}, a.bucket\n) t"
    )


def same(one: str, other: str, columns: list[str]) -> str:
    """Whether rows of two relations are of the same."""
    return " and ".join(f"{one}.{name} = {other}.{name}" for name in columns)


def _first_bucket(window: str) -> str:
    return bucket(f"{window}.start_at")


def mask(piece: str, window: str) -> str:
    """The seconds of a piece's quarter that lie in a window, as far as it has come."""
    return span(f"{piece}.bucket", f"{window}.start_at", f"{window}.until_at")


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {"seconds": seconds, "probe_counts": probe_counts}
NEEDS: Mapping[str, tuple[str, ...]] = {"seconds": ("wins", "declared"), "probe_counts": ("wins",)}
