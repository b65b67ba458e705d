"""The relation of how many tickets met or missed their limits in each window."""

from collections.abc import Callable, Mapping
from typing import Final

from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.catalog.relations_tickets import MICROS, ticket_dims

# What is settled of a ticket, by the statistic's name: at which moment, and whether as asked.
_SETTLED: Final = (("", "both"), ("response", "response"), ("resolution", "resolution"))


def tickets_settled(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`tickets_settled(tenant, win, dims, measure, met, judged)`: how many were met, and met or missed, in the window.

    A row a measure of which there are some: `response`, `resolution`, and "" for both together.
    """
    asked = Asked.of(by, filtered)
    accounts, columns, conditions = ticket_dims(asked)
    where = f"\n  where {' and '.join(conditions)}" if conditions else ""
    named = {name: f"g{number}" for number, name in enumerate(asked.by)}
    shown = "".join(f", {columns[name]} as {column}" for name, column in named.items() if name in columns)
    keys = ", ".join(["tenant", "win", *(column for name, column in named.items() if name in columns)])
    inside = "c.{0}_us >= w.from_us and c.{0}_us < case when c.{0}_met then w.to_us else w.until_us end as has_{0}, c.{0}_met"
    counts = ", ".join(
        f"count(*) filter (where has_{name}) as {name}_judged, count(*) filter (where has_{name} and {name}_met) as {name}_met"
        for _, name in _SETTLED
    )
    rows = ", ".join(f"('{statistic}', s.{name}_met, s.{name}_judged)" for statistic, name in _SETTLED)
    dims = asked.dims({name: f"s.{column}" for name, column in named.items() if name in columns})
    return f"""
select s.tenant, s.win, s.dims, m.*
from (
  select s.*, {dims} as dims
  from (
    select {keys}, {counts}
    from (
      select w.tenant, w.win{shown}, {", ".join(inside.format(name) for _, name in _SETTLED)}
      from (
        select tenant, win, {MICROS.format("start_at")} as from_us, {MICROS.format("end_at")} as to_us,
               {MICROS.format("until_at")} as until_us
        from wins offset 0
      ) w{accounts.join("w")}
      join ticket_dues c on c.tenant = w.tenant{where}
      offset 0
    ) c
    where has_both or has_response or has_resolution
    group by {keys}
  ) s
  offset 0
) s
cross join lateral (values {rows}) as m(measure, met, judged)
where m.judged > 0""".strip()


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {"tickets_settled": tickets_settled}
NEEDS: Mapping[str, tuple[str, ...]] = {"tickets_settled": ("wins", "ticket_dues")}
