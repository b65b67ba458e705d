"""The relation of downtime in the light of incidents: which seconds down lie inside of one, and which outside of any."""

from collections.abc import Callable, Mapping

from service.catalog.asked import Asked
from service.catalog.cleared import NONE, quarters_of
from service.catalog.kpi import Head
from service.catalog.relations_seconds import group_columns, mask, parts_of, split_columns, written


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
    keys = ", ".join(groups)
    bits, within = f"coalesce(t.bits, {NONE})", mask("t", "t")
    return (
        f"{written(parts)}\n"
        f"select tenant, win, {asked.dims(split_columns(asked))} as dims,\n"
        f"  coalesce(sum(bit_count(t.down & {bits} & {within})), 0) as inside,\n"
        f"  coalesce(sum(bit_count(t.down & ~{bits} & {within})), 0) as outside\n"
        # One below the other: a join by guessed numbers would be quadratic.
        f"from (\n  select {keys}, bucket, bit_or(down) as down, bit_or(bits) as bits, max(start_at) as start_at,\n"
        "    max(until_at) as until_at\n  from (\n"
        f"    select {keys}, bucket, start_at, until_at, down, null::bit(900) as bits from together\n    union all\n"
        f"    select {keys}, bucket, null, null, null, bits from covered\n  ) a group by {keys}, bucket\n"
        f") t\ngroup by {keys}"
    )


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {"incident_seconds": incident_seconds}
NEEDS: Mapping[str, tuple[str, ...]] = {"incident_seconds": ("wins", "declared", "cases")}
