"""The relation of facts added up by what is asked for; of uses by groups of accounts and features from days of both."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from service.catalog.accounts import column_of
from service.catalog.kpi import Head
from service.catalog.relations_facts import FACT_TABLES, PIECES, USES, Shown, by_series, shown_of


def facts_added(head: Head, by: Sequence[str], filtered: Iterable[str]) -> str:
    """`facts_added(tenant, win, dims, total)`: the same totals, added up by window and split.

    By plain columns: `dims` of each series would be made, sorted and compared where only those of each row are wanted.
    """
    shown = shown_of(head, by, filtered)
    columns = {name: f"k{number}" for number, name in enumerate(shown.plain)}
    selected = ", ".join(["s.tenant", "p.win", *(f"{of} as {columns[name]}" for name, of in shown.plain.items()), "m.total"])
    keys = ", ".join(["tenant", "win", *columns.values()])
    by_day = _is_kept_by_day(head, shown)
    rows = by_series(shown, selected, "sum(f.total) as total", FACT_TABLES[:-1] if by_day else FACT_TABLES)
    rows += f"\nunion all\n{_of_days(shown, columns)}" if by_day else ""
    return (
        f"select tenant, win, {shown.asked.dims(columns)} as dims, total from (\n"
        f"select {keys}, sum(total) as total\nfrom (\n{rows}\n) f\n"
        f"group by {keys}\n) g"
    )


def _is_kept_by_day(head: Head, shown: Shown) -> bool:
    """Whether it is uses by groups of accounts and by feature, whatever else: days of each account and feature have them."""
    asked, facts = shown.asked, head.facts
    if facts is None or shown.kind != USES or facts.reads != () or facts.where or head.platform_wide or facts.of_labels:
        return False
    told = all(name in {"feature", *asked.groups, *asked.traits} for name in (*asked.by, *asked.filtered))
    return told and bool(asked.groups) and "feature" in asked.by and "feature" not in asked.filtered and not asked.slice


def _of_days(shown: Shown, columns: Mapping[str, str]) -> str:
    """Days of uses by what is shown, added up as they are read: a month of each account and feature is read in one walk."""
    asked, maps = shown.asked, ""
    plain = {**shown.plain, "feature": "s.feature"}
    conditions = ""
    for name in asked.groups:
        of = f"m_{column_of(asked, name)}"
        maps += (
            f"\n  left join jsonb_each_text(grouped.{column_of(asked, name)}) as {of}(account, value) on {of}.account = s.account"
        )
        plain[name] = f"coalesce({of}.value, '')"
        conditions += f" and {plain[name]} = any({asked.values(name)})" if name in asked.filtered else ""
    keys = ", ".join(f"{plain[name]} as {column}" for name, column in columns.items())
    places = ", ".join(str(place + 1) for place in range(len(columns)))
    return (
        f"select p.tenant, p.win, m.* from spans p{shown.groups}\ncross join lateral (\n"
        f"  select {keys}, sum(s.total) as total\n"
        "  from (\n    select account, feature, total from use_day\n"
        "    where tenant = p.tenant and day >= p.lo and day < p.hi offset 0\n"
        f"  ) s{maps}\n"
        f"  where s.account <> ''{conditions} group by {places}\n) m"
    )


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {"facts_added": facts_added}
NEEDS: Mapping[str, tuple[str, ...]] = {"facts_added": PIECES}
