"""The relation of distributions in pieces: facts added up by what is asked for, with histograms small enough to be moved."""

from collections.abc import Callable, Mapping
from typing import Final

from service.catalog.kpi import Head
from service.catalog.relations_facts import FACT_TABLES, MEASURES, PIECES, Shown, shown_of

IN_PIECES: Final = "facts_in_pieces"
SERIES_A_PIECE: Final = 16
"""A month of so many series has half a megabyte of bins: what is larger is copied through main memory at every step."""
_COLUMNS: Final = "m.n, m.total, m.least, m.greatest, m.histogram"


def facts_in_pieces(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:
    """`facts_in_pieces(tenant, win, dims, n, total, least, greatest, histogram)`: some rows of the same dims, to be added up.

    Series of the same dims are added up as they are read, some at a time: their rows meet no sort and no second sum.
    """
    shown = shown_of(head, by, filtered)
    branches = [
        f"select c.tenant, p.win, c.dims, {_COLUMNS}\n"
        f"from {pieces} p join alike c on c.tenant = p.tenant{' and c.win = p.win' if shown.groups else ''}\n"
        f"cross join lateral (select {MEASURES} from {table} f"
        f" where f.series = any(c.ids) and f.{column} >= p.lo and f.{column} < p.hi) m\n"
        "where m.n is not null"
        for pieces, table, column in FACT_TABLES
    ]
    return f"with alike as materialized (\n{_alike(shown)}\n)\n" + "\nunion all\n".join(branches)


def _alike(shown: Shown) -> str:
    """Arrays of series that have the same dims, of a tenant or, where accounts are grouped as of a window's end, of a window."""
    columns = {name: f"k{number}" for number, name in enumerate(shown.plain)}
    plain = "".join(f", {of} as {columns[name]}" for name, of in shown.plain.items())
    where = f"{shown.kinds}{shown.features}{shown.read}{shown.of_groups}".removeprefix(" and ")
    if shown.groups:
        key = "tenant, win"
        read = (
            f"select p.tenant, p.win, s.id{plain}\nfrom wins p{shown.groups}\njoin series s on s.tenant = p.tenant{shown.labels}"
        )
    else:
        key = "tenant"
        read = f"select s.tenant, s.id{plain}\nfrom series s{shown.labels}"
        where = f"s.tenant in (select w.tenant from wins w) and {where}"
    keys = ", ".join([key, *columns.values()])
    return (
        f"select {key}, {shown.asked.dims(columns)} as dims, ids[g.first : g.first + {SERIES_A_PIECE - 1}] as ids\n"
        f"from (\nselect {keys}, array_agg(id) as ids from (\n{read}\nwhere {where}\n) s group by {keys}\n) a\n"
        f"cross join lateral generate_series(1, cardinality(ids), {SERIES_A_PIECE}) as g(first)"
    )


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {IN_PIECES: facts_in_pieces}
NEEDS: Mapping[str, tuple[str, ...]] = {IN_PIECES: PIECES}
