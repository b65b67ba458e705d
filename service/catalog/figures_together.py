"""Figures of several KPIs that are read once: of users, whose days each would add up anew, and of the same facts."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from service.catalog.arguments import arguments
from service.catalog.declared import Declared
from service.catalog.figures import ACCOUNT, Figures, Place, figures_of, has_figures
from service.catalog.kpi import MAIN, Kpi
from service.catalog.question import Question, check
from service.catalog.relations_facts import FACTS
from service.catalog.statement import ANSWER, REMEMBERED_STATEMENTS, Binder, Statement, bodies, figures_end, reads
from service.catalog.visits import READ_OF_VISITS, VISITS, visits
from service.catalog.windows import Window
from service.store.engine import Connection

_BY = (ACCOUNT,)
_NEEDED = ("wins", "holidays", "days", "declared", "counted_days")
"""What `visits` is made of, and whoever else reads it."""
_NO_DAYS = "select null::int as tenant, null::int as win, null::date as day where false"
"""Where no KPI says which days count."""


def together(kpis: Iterable[Kpi]) -> list[list[Kpi]]:
    """Those of some KPIs whose plain values by account are read at once: groups of two or more."""
    known = [kpi for kpi in kpis if _is_plain(kpi)]
    alike: dict[Hashable, list[Kpi]] = {}
    for kpi in known:
        if reads(kpi, _BY, FACTS):
            # What is alike without filters is so with any that both have.
            alike.setdefault((kpi.head.facts, tuple(bodies(kpi, _BY, frozenset())[:-1])), []).append(kpi)
    return [group for group in (_of_visits(known), *alike.values()) if len(group) > 1]


def _of_visits(kpis: Iterable[Kpi]) -> list[Kpi]:
    """Those whose users are told by `visits`, the one first that says which days count.

    Users of a window alone are read by the week: it takes one that needs every day for the others to be told beside it.
    """
    found = sorted(filter(_is_of_visits, kpis), key=_counts_days, reverse=True)
    chosen = [kpi for place, kpi in enumerate(found) if not (place and (_counts_days(kpi) or _differ(kpi, found[:place])))]
    needs_days = any(reads(kpi, _BY, name) for kpi in chosen for name in ("user_days", "repeat_visits"))
    return chosen if needs_days else []


def _is_of_visits(kpi: Kpi) -> bool:
    if kpi.head.facts is not None or kpi.head.of_quarters:
        return False
    return any(reads(kpi, _BY, name) for name in READ_OF_VISITS)


def _is_plain(kpi: Kpi) -> bool:
    """Whether figures of its plain value by account alone are to be had."""
    head = kpi.head
    return (
        bool(kpi.sql) and not (kpi.is_guest or head.apart or head.required) and has_figures(kpi, MAIN) and kpi.splits_by(ACCOUNT)
    )


def _counts_days(kpi: Kpi) -> bool:
    return reads(kpi, _BY, "user_days")


def _differ(kpi: Kpi, others: Sequence[Kpi]) -> bool:
    """Whether a parameter of it is another one of the same name: a statement has one value for each."""
    own = kpi.head.parameters
    return any(own[name] != each.head.parameters[name] for each in others for name in own.keys() & each.head.parameters.keys())


async def read_together(
    connection: Connection,
    kpis: Sequence[Kpi],
    windows: Sequence[Window],
    accounts: tuple[str, ...] | None,
    declared: Mapping[int, Declared],
) -> list[dict[Place, Figures]]:
    """What `read_figures` gives of the plain value of each of a group of KPIs (`together`), of one statement.

    Of `accounts` or of all; of windows that have not expired. Raises TooManyRows.
    """
    question = Question(_BY, {} if accounts is None else {ACCOUNT: accounts}, statistics=(MAIN,))
    made = _statement(tuple(kpis), question.filtered)
    bound: dict[str, Any] = {}
    for kpi in kpis:
        check(kpi, question)
        bound |= arguments(kpi, windows, question, _BY, declared, frozenset(made.parameters))
    bound["noted"] = False
    records = await connection.fetch(made.text, *(bound[name] for name in made.parameters))
    parts = [[record for record in records if record["part"] == number] for number in range(len(kpis))]
    return [figures_of(part, kpi, MAIN, windows) for part, kpi in zip(parts, kpis, strict=True)]


@lru_cache(maxsize=REMEMBERED_STATEMENTS)
def _statement(kpis: tuple[Kpi, ...], filtered: frozenset[str]) -> Statement:
    places: dict[str, int] = {}
    common = {name: body for name, body in bodies(kpis[0], _BY, filtered) if name != ANSWER}
    if FACTS not in common:
        common = {name: body for name, body in common.items() if name in _NEEDED}
        common.setdefault("counted_days", _NO_DAYS)
        common[VISITS] = visits(_BY, filtered)
    parts = [f"-- {', '.join(kpi.id for kpi in kpis)}: all tenants and windows asked for, at once"]
    parts.append("with " + Binder(kpis[0].head, places).bind(_listed(common)))
    selects = []
    for number, kpi in enumerate(kpis):
        own = {name: READ_OF_VISITS.get(name, body) for name, body in bodies(kpi, _BY, filtered) if name not in common}
        text = f"select {number} as part, f.* from (\nwith {_listed(own)}\n{figures_end(_BY)}\n) f"
        selects.append(Binder(kpi.head, places).bind(text))
    return Statement("\n".join([*parts, "\nunion all\n".join(selects)]), tuple(places))


def _listed(relations: Mapping[str, str]) -> str:
    return ",\n".join(
        f"{name} as {'materialized ' if name in {VISITS, FACTS} else ''}(\n{body}\n)" for name, body in relations.items()
    )
