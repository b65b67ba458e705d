"""The relation of seconds: how many a component, or the platform, was up, down, planned and degraded.

From events.md, *Seconds*: a monitor (with its region) that said down is down though it said up too; a component
is down when its quorum of monitors is, up when it is not and some monitor is, else unknown. Planned seconds
leave the figure. The platform is down when a component that is declared critical is (all are if none is
declared), and unknown when one of them is unknown and none is down. An outage that was a false positive makes
its span count as up. A quarter of an hour is a string of 900 bits: nothing is ever looked at second by second, and those that
are all up (calm.py) not even so.
"""

from collections.abc import Callable, Mapping

from service.catalog.accounts import Accounts, plain_name
from service.catalog.asked import Asked
from service.catalog.calm import ALL, CALM, NEVER, QUARTER, STATES, monitored, monitors, probed, seconds_in
from service.catalog.cleared import CLEARED, NONE, bucket, cleared_quarters, span
from service.catalog.kpi import Head

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
    columns = split_columns(asked)
    return (
        f"{written(parts)}\n"
        f"select tenant, win, {asked.dims(columns)} as dims, {counted_seconds()},\n"
        "  floor(extract(epoch from until_at - start_at)) as elapsed\n"
        f"from together t\ngroup by {', '.join(groups)}, start_at, until_at"
    )


def counted_seconds() -> str:
    """How many seconds of each state there are in the quarters `t` of a figure, and in those that were not looked at as bits."""
    counts = {name: f"coalesce(sum(bit_count(t.{name} & {mask('t', 't')})), 0)" for name in STATES}
    counts["up"] += f" + coalesce(sum({seconds_in('t.quiet', 't')}), 0)"
    return ", ".join(f"{count} as {name}" for name, count in counts.items())


def written(parts: Mapping[str, str]) -> str:
    """The parts before a statement; probes are read once, whatever is joined to them."""
    once = {"probed": " as materialized "}
    return "with " + ",\n".join(f"{name}{once.get(name, ' as ')}(\n{body}\n)" for name, body in parts.items())


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
        "probed": probed(asked),
        "monitors": monitors(asked, _apart(asked), _read(asked)),
        "considered": _considered(asked),
        "cleared": CLEARED,
        "cleared_quarters": cleared_quarters(_apart(asked)),
        "monitored": monitored(asked),
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


def _considered(asked: Asked) -> str:
    """Which components a figure is made of: those probed or declared, of the platform's the critical ones; when each was calm."""
    keys = [*_apart(asked), *asked.marks, "start_at", "until_at"]
    shown = ", ".join(keys)
    known = f"select {shown}, {CALM} as calm from monitors group by {shown}"
    if (asked.marks or _whole(asked)) and not asked.by_accounts:
        conditions = ["w.is_whole"] if asked.marks else []
        if "component" in asked.filtered:
            conditions.append(f"d.component = any({asked.values('component').replace('[component]', '[d.component]')})")
        only = f" where {' and '.join(conditions)}" if conditions else ""
        windows = ", ".join(f"{'d' if name == 'component' else 'w'}.{name}" for name in keys)
        declared = f"select {windows}, {NEVER} as calm from wins w join components d on d.tenant = w.tenant{only}"
        known = f"select {shown}, range_agg(calm) as calm from (\n{known}\nunion all\n{declared}\n) k group by {shown}"
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
        f"select {keys}, {down} as down, "
        f"case when bool_or(m.others) then {ALL} else bit_or(m.up & ~m.down) end as up,\n"
        "  bit_or(m.planned) as planned, bit_or(m.degraded & ~m.down) as degraded\n"
        f"from monitored m left join components d on d.tenant = m.tenant and d.component = m.component\n"
        f"group by {keys}"
    )


def _answered(asked: Asked) -> str:
    """Each second of a component as exactly one of down, up, planned or unknown; false positives taken back.

    A quarter in which a component was calm is none of them: there is nothing to take back.
    """
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
    """All components of a figure, second by second: down if one is, up only if all are known; calm ones are up.

    A row a quarter that is looked at as bits, and one with the stretches in which all components were calm (`quiet`); each with
    the bounds of its window, and when all components were calm or said something (`told`). They are laid one below the other, for
    a join by guessed numbers would be quadratic.
    """
    groups, apart = ", ".join(group_columns(asked)), ", ".join(_apart(asked))
    return f"""
select {groups}, bucket, start_at, until_at, quiet, down, planned & ~down as planned, known & ~down & ~planned as up,
  degraded & known & ~down & ~planned as degraded
from (
  select {groups}, bucket, start_at, until_at, quiet, down, planned, degraded,
    case when told @> bucket then known else {NONE} end as known
  from (
    select {groups}, bucket, quiet, down, planned, known, degraded, range_agg(told) over figure as told,
      max(start_at) over figure as start_at, max(until_at) over figure as until_at
    from (
      select {groups}, bucket, {NEVER} as quiet, bit_or(down) as down, bit_or(planned) as planned,
        bit_and(up | down | planned) as known, bit_or(degraded) as degraded,
        null::tstzmultirange as told, null::timestamptz as start_at, null::timestamptz as until_at
      from answered group by {groups}, bucket
      union all
      select {groups}, null, range_intersect_agg(calm), null, null, null, null, range_intersect_agg(told),
        max(start_at), max(until_at)
      from (
        select {apart}, range_agg(calm) as calm, range_agg(told) as told, max(start_at) as start_at, max(until_at) as until_at
        from (
          select {apart}, calm, calm as told, start_at, until_at from considered
          union all
          select {apart}, {NEVER}, tstzmultirange({QUARTER}), null, null from answered
        ) k group by {apart}
      ) c group by {groups}
    ) r window figure as (partition by {groups})
  ) f
) t""".strip()


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
