"""What a formula is made of in one statement: relations that several of its KPIs read alike are made once."""

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import asyncpg

from service.catalog.arguments import arguments
from service.catalog.cut import Kept
from service.catalog.declared import Declared
from service.catalog.expiry import by_expiry
from service.catalog.joining import parts
from service.catalog.kpi import Formula, Kpi
from service.catalog.literals import words_of
from service.catalog.question import MAX_ROWS, Question
from service.catalog.relations import BUILT
from service.catalog.statement import ANSWER, REMEMBERED_STATEMENTS, Binder, bodies, kind_of, place_of, statement
from service.catalog.windows import Window
from service.store.engine import Connection

Ready = Mapping[Hashable, Sequence[asyncpg.Record]]
"""Rows of KPIs that were read together, by `key_of`."""
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


async def read_jointly(
    connection: Connection,
    formula: Formula,
    windows: Sequence[Window],
    asked: Question,
    declared: Mapping[int, Declared],
    kept: Kept,
) -> Ready:
    """The rows of those KPIs of a formula that read a relation alike, of one statement; empty where there are no two of them."""
    found = {key_of(leaf.kpi, leaf.windows, leaf.question): leaf for leaf in _leaves(formula, windows, asked, kept)}
    leaves = [leaf for leaf in found.values() if leaf.windows == next(iter(found.values())).windows]
    if len(leaves) < SEVERAL:
        return {}
    slots: dict[Hashable, int] = {}
    values: list[Any] = []
    numbered = tuple(_numbered(leaf, declared, slots, values) for leaf in leaves)
    joint = _joint(numbered)
    if joint is None:
        return {}
    rows: dict[int, list[asyncpg.Record]] = {number: [] for number in joint.members}
    for record in await connection.fetch(joint.text, *(values[place - 1] for place in joint.places)):
        rows[record["part"]].append(record)
    # One that has too many rows is asked once more by itself, which says so.
    keys = {number: key_of(leaf.kpi, leaf.windows, leaf.question) for number, leaf in enumerate(leaves)}
    return {keys[number]: of for number, of in rows.items() if len(of) <= MAX_ROWS}


def _leaves(formula: Formula, windows: Sequence[Window], asked: Question, kept: Kept) -> Iterator[_Leaf]:
    """What a formula asks of KPIs that give plain rows, and formulas that it is made of; of windows that are still kept."""
    for part in parts(formula, asked):
        if part.is_empty:
            continue
        kpi, of = part.kpi, part.windows(windows)
        if kpi.formula is not None:
            yield from _leaves(kpi.formula, of, part.question, kept)
        elif kpi.head.kind in {"count", "ratio", "mean"} and not kpi.is_guest and "note" not in kpi.words:
            _, there = by_expiry(kpi, of, kept)
            if there:
                yield _Leaf(kpi, tuple(there), part.question)


def _numbered(leaf: _Leaf, declared: Mapping[int, Declared], slots: dict[Hashable, int], values: list[Any]) -> _Numbered:
    """Give each parameter of a leaf its place: those of one type and value share one."""
    kpi, by, filtered = leaf.kpi, leaf.by, leaf.question.filtered
    names = statement(kpi, by, filtered).parameters
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
    """One statement of those leaves that read a relation like another one of them.

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
        _select(number, leaves[number], {name: body for name, body in made[number].items() if name not in alike[number]})
        for number in members
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


def _select(number: int, leaf: _Numbered, own: Mapping[str, str]) -> str:
    """The rows of a leaf in their order, as its own statement gives them; one more than there may be at the most."""
    return (
        f"select {number} as part, l.* from (\nwith {_listed(own)}\n"
        "select a.win, a.dims, a.statistic, a.numerator::numeric as numerator, a.denominator::numeric as denominator\n"
        f"from answer a order by {place_of(leaf.by)} limit {MAX_ROWS + 1}\n) l"
    )


def _listed(relations: Mapping[str, str]) -> str:
    return ",\n".join(f"{name} as (\n{body}\n)" for name, body in relations.items())
