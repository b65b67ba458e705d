"""The relation of downtime in the light of incidents: which seconds down lie inside of one, and which outside of any."""

from collections.abc import Callable, Mapping

from service.catalog.asked import Asked
from service.catalog.cleared import NONE, quarters_of
from service.catalog.kpi import Head
from service.catalog.relations_seconds import group_columns, mask, parts_of, same, split_columns


def incident_seconds(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`incident_seconds(tenant, win, dims, inside, outside)`: seconds down of what was probed or is declared.

    An incident lasts from its opening to its last `resolved`, but for the time between `resolved` and `reopened`, and speaks
    for the component that its service names, else for all; false positives speak for none.
    """
    asked = Asked.of(by, filtered)
    groups = group_columns(asked)
    own = "" if "account" not in asked.filtered else f" and (c.accounts = '{{}}' or c.accounts && {asked.values('account')})"
    spans = f"""
select c.tenant, w.win, c.service, greatest(s.from_at, w.start_at) as from_at, least(s.to_at, w.until_at) as to_at
from cases c
join wins w on w.tenant = c.tenant
cross join lateral (
  select timestamptz 'epoch' + u.from_us * interval '1 microsecond' as from_at,
         coalesce(timestamptz 'epoch' + u.to_us * interval '1 microsecond', 'infinity') as to_at
  from unnest(c.opened_us || c.gap_to, c.gap_from || c.resolved_us) as u(from_us, to_us)
) s
where not c.false_positive{own} and s.from_at < w.until_at and s.to_at > w.start_at""".strip()
    shown = ", ".join(f"q.{name}" for name in groups)
    parts = parts_of(asked) | {
        "spans": spans,
        "incident_quarters": quarters_of("spans", [*(name for name in groups if name != "component"), "component"]),
        "covered": f"select {shown}, q.bucket, bit_or(q.bits) as bits from incident_quarters q group by {shown}, q.bucket",
    }
    keys = ", ".join(f"g.{name}" for name in groups)
    bits = f"coalesce(c.bits, {NONE})"
    return (
        "with "
        + ",\n".join(f"{name} as (\n{body}\n)" for name, body in parts.items())
        + f"\nselect tenant, win, {asked.dims(split_columns(asked))} as dims, inside, outside from (\n"
        f"  select {keys}, coalesce(sum(bit_count(t.down & {bits} & {mask('t', 'w')})), 0) as inside,\n"
        f"    coalesce(sum(bit_count(t.down & ~{bits} & {mask('t', 'w')})), 0) as outside\n"
        f"  from (select distinct {', '.join(groups)} from considered) g\n"
        f"  join wins w on w.tenant = g.tenant and w.win = g.win\n"
        f"  left join together t on {same('t', 'g', groups)}\n"
        f"  left join covered c on {same('c', 't', [*groups, 'bucket'])}\n"
        f"  group by {keys}\n) s"
    )


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {"incident_seconds": incident_seconds}
NEEDS: Mapping[str, tuple[str, ...]] = {"incident_seconds": ("wins", "declared", "cases")}
