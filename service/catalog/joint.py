"""What a formula is made of, as columns: in one statement where several of its KPIs read relations alike, which are made once."""

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import asyncpg

from service.catalog.arguments import arguments
from service.catalog.columns import COLUMNS, columns_statement, has_columns
from service.catalog.cut import Kept
from service.catalog.declared import Declared
from service.catalog.expiry import by_expiry
from service.catalog.joining import parts
from service.catalog.kpi import Formula, Kpi
from service.catalog.literals import words_of
from service.catalog.question import MAX_ROWS, Question
from service.catalog.relations import BUILT
from service.catalog.statement import ANSWER, REMEMBERED_STATEMENTS, Binder, bodies, kind_of
from service.catalog.windows import Window
from service.store.engine import Connection

Ready = Mapping[Hashable, Sequence[asyncpg.Record]]
"""Columns of KPIs that were read for a formula, by `key_of`."""
SEVERAL: Final = 2
_PLACE: Final = re.compile(r"\$([0-9]+)::")


def key_of(kpi: Kpi, windows: Sequence[Window], asked: Question) -> Hashable:
    """What tells the rows of a formula's part from others: the question of a part has filters, statistics and a split."""
    return (
        kpi,
        tuple(windows),
        asked.by,
        tuple((name, tuple(asked.filters[name])) for name in sorted(asked.filters)),
        asked.statistics,
        tuple(sorted(asked.parameters.items())),
        asked.within,
    )


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A KPI with a statement of its own, and what a formula asks of it."""

    kpi: Kpi
    windows: tuple[Window, ...]
    question: Question

    @property
    def by(self) -> tuple[str, ...]:
        return *self.question.by, *(name for name in self.kpi.head.apart if name not in self.question.by)


@dataclass(frozen=True, slots=True)
class _Numbered:
    """The statement of a leaf, whose parameters have their places among those of all."""

    kpi: Kpi
    by: tuple[str, ...]
    filtered: frozenset[str]
    places: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class _Joint:
    """One statement, and which of the leaves it gives: the rows of a leaf have its number as `part`."""

    text: str
    members: tuple[int, ...]
    places: tuple[int, ...]
    """Which of the parameters of all it takes, from 1."""


async def read_columns(
    connection: Connection,
    formula: Formula,
    windows: Sequence[Window],
    asked: Question,
    declared: Mapping[int, Declared],
    kept: Kept,
) -> Ready:
    """The rows of a formula's KPIs that have columns; of those that read a relation alike of one statement."""
    found = {key_of(leaf.kpi, leaf.windows, leaf.question): leaf for leaf in _leaves(formula, windows, asked, kept)}
    together = [key for key, leaf in found.items() if leaf.windows == next(iter(found.values())).windows]
    rows: dict[Hashable, list[asyncpg.Record]] = {}
    slots: dict[Hashable, int] = {}
    values: list[Any] = []
    numbered = tuple(_numbered(found[key], declared, slots, values) for key in together)
    if joint := _joint(numbered):
        rows = {together[number]: [] for number in joint.members}
        for record in await connection.fetch(joint.text, *(values[place - 1] for place in joint.places)):
            rows[together[record["part"]]].append(record)
    for key, leaf in found.items():
        if key not in rows:
            made = columns_statement(leaf.kpi, leaf.by, leaf.question.filtered)
            bound = arguments(leaf.kpi, leaf.windows, leaf.question, leaf.by, declared, frozenset(made.parameters))
            rows[key] = await connection.fetch(made.text, *(bound[name] for name in made.parameters))
    # One that has too many rows is asked once more as any other is, which says so.
    return {key: of for key, of in rows.items() if sum(len(record["dims"]) for record in of) <= MAX_ROWS}


def _leaves(formula: Formula, windows: Sequence[Window], asked: Question, kept: Kept) -> Iterator[_Leaf]:
    """What a formula asks of KPIs with columns, and formulas that it is made of; of windows that are still kept."""
    for part in parts(formula, asked):
        if part.is_empty:
            continue
        kpi, of = part.kpi, part.windows(windows)
        if kpi.formula is not None:
            yield from _leaves(kpi.formula, of, part.question, kept)
        elif has_columns(kpi):
            _, there = by_expiry(kpi, of, kept)
            if there:
                yield _Leaf(kpi, tuple(there), part.question)


def _numbered(leaf: _Leaf, declared: Mapping[int, Declared], slots: dict[Hashable, int], values: list[Any]) -> _Numbered:
    """Give each parameter of a leaf its place: those of one type and value share one."""
    kpi, by, filtered = leaf.kpi, leaf.by, leaf.question.filtered
    names = columns_statement(kpi, by, filtered).parameters
    bound = arguments(kpi, leaf.windows, leaf.question, by, declared, frozenset(names))
    places = []
    for name in names:
        value = bound.get(name)
        slot = kind_of(name, kpi.head), tuple(value) if isinstance(value, list) else value
        if slot not in slots:
            values.append(value)
        places.append((name, slots.setdefault(slot, len(values))))
    return _Numbered(kpi, by, filtered, tuple(places))


@lru_cache(maxsize=REMEMBERED_STATEMENTS)
def _joint(leaves: tuple[_Numbered, ...]) -> _Joint | None:
    """One statement of those leaves that read a relation like another one of them; None: there are no two.

    What several make of the same text and parameters stands before all of them, the rest within each: the names of relations
    stay what they are.
    """
    made = [_bodies(leaf) for leaf in leaves]
    alike = _alike(made)
    members = tuple(number for number, names in enumerate(alike) if not names.isdisjoint(BUILT))
    if len(members) < SEVERAL:
        return None
    common = {name: body for number in members for name, body in made[number].items() if name in alike[number]}
    selects = [
        _select(number, {name: body for name, body in made[number].items() if name not in alike[number]}) for number in members
    ]
    text = f"with {_listed(common)}\n" + "\nunion all\n".join(selects)
    places = tuple(sorted({int(found) for found in _PLACE.findall(text)}))
    text = _PLACE.sub(lambda found: f"${places.index(int(found[1])) + 1}::", text)
    ids = ", ".join(leaves[number].kpi.id for number in members)
    return _Joint(f"-- {ids}: all tenants and windows asked for, at once\n{text}", members, places)


def _bodies(leaf: _Numbered) -> dict[str, str]:
    binder = Binder(leaf.kpi.head, dict(leaf.places))
    return {name: binder.bind(body) for name, body in bodies(leaf.kpi, leaf.by, leaf.filtered)}


def _alike(made: Sequence[Mapping[str, str]]) -> list[set[str]]:
    """Of each leaf the relations that another one makes alike, of relations that they make alike."""
    first: dict[str, str] = {}
    alike: list[set[str]] = []
    for relations in made:
        ours: set[str] = set()
        before: set[str] = set()
        for name, body in relations.items():
            if name != ANSWER and first.setdefault(name, body) == body and before & words_of(body) <= ours:
                ours.add(name)
            before.add(name)
        alike.append(ours)
    times = Counter(name for ours in alike for name in ours)
    return [{name for name in ours if times[name] > 1} for ours in alike]


def _select(number: int, own: Mapping[str, str]) -> str:
    """The columns of a leaf."""
    return f"select {number} as part, l.* from (\nwith {_listed(own)}\n{COLUMNS}\n) l"


def _listed(relations: Mapping[str, str]) -> str:
    return ",\n".join(f"{name} as (\n{body}\n)" for name, body in relations.items())
