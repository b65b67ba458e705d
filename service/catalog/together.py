"""Questions that are asked at the same time: those that read the same become one statement, and others run beside it."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from service.catalog.cut import Kept
from service.catalog.declared import Declared
from service.catalog.guarded import unless_failed
from service.catalog.kpi import Kpi
from service.catalog.question import Question
from service.catalog.runner import run
from service.catalog.value import Value
from service.catalog.windows import Window
from service.lifecycle import side_by_side
from service.store.engine import Connection

_TURNS: Final = 4
"""Of the event loop, in which tasks that begin together come to their questions."""

Borrow = Callable[[], AbstractAsyncContextManager[Connection]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question, and who waits for its answer."""

    kpi: Kpi
    windows: tuple[Window, ...]
    question: Question
    answer: asyncio.Future[list[Value]]

    @property
    def reads(self) -> Hashable:
        """Questions of the same reading differ in statistics alone, and without a split, where rows are few, in windows."""
        asked = self.question
        filters = frozenset((name, tuple(values)) for name, values in asked.filters.items())
        parameters = frozenset(asked.parameters.items())
        return id(self.kpi), asked.by, filters, parameters, asked.within, asked.spread, self.windows if asked.by else ()


@dataclass(slots=True)
class Desk:
    """Takes questions of one snapshot; `borrow` lends a connection of it.

    Whoever asks first asks for all that have come by then. Statistics and windows of one KPI are one statement, which gives each
    the figures that it would have been given alone.
    """

    borrow: Borrow
    declared: Mapping[int, Declared]
    kept: Kept
    _waiting: list[_Asked] = field(default_factory=list)

    async def ask(self, kpi: Kpi, windows: Sequence[Window], question: Question) -> list[Value]:
        """As `run`, of windows whose keys are unique; raises what it raises, but for an own KPI that failed: it has no value.

        `question` has neither a page nor a cursor.
        """
        asked = _Asked(kpi, tuple(windows), question, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if len(self._waiting) == 1:
            await self._answer_all()
        return await asked.answer

    async def _answer_all(self) -> None:
        """Answer those that wait, once all that begin together have come; who does it may be cancelled alone."""
        waiting, groups = self._waiting, dict[Hashable, list[_Asked]]()
        try:
            try:
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
            finally:
                self._waiting = []
            for each in waiting:
                groups.setdefault(each.reads, []).append(each)
            await side_by_side(self._answer(several) for several in groups.values())
        finally:
            for each in waiting:
                each.answer.cancel()  # of no effect where there is an answer: nobody is left to wait for one that never comes

    async def _answer(self, several: Sequence[_Asked]) -> None:
        """One statement for questions of the same reading."""
        try:
            values = await self._values(several)
        except Exception as error:  # noqa: BLE001  # it belongs to those who asked, and is raised there
            for each in several:
                if not each.answer.done():
                    each.answer.set_exception(error)
                    each.answer.exception()  # seen: who asked may be cancelled for another's error before it comes to this one
            return
        for each, answer in zip(several, values, strict=True):
            if not each.answer.done():
                each.answer.set_result(answer)

    async def _values(self, several: Sequence[_Asked]) -> list[list[Value]]:
        first = several[0]
        places = {
            window: place for place, window in enumerate(dict.fromkeys(_plain(w) for each in several for w in each.windows))
        }
        statistics = tuple(dict.fromkeys(name for each in several for name in each.question.statistics))
        question = replace(first.question, statistics=statistics if all(each.question.statistics for each in several) else ())
        windows = [replace(window, key=place) for window, place in places.items()]
        async with self.borrow() as connection:

            def ask(few: Sequence[Window]) -> Awaitable[list[Value]]:
                return run(connection, first.kpi, few, question, declared=self.declared, kept=self.kept)

            values = await unless_failed(ask, first.kpi, windows, question)
        return [_of(each, values, places) for each in several]


def _of(asked: _Asked, values: Sequence[Value], places: Mapping[Window, int]) -> list[Value]:
    """What one of them asked for, under its own keys."""
    keys = {places[_plain(window)]: window.key for window in asked.windows}
    wanted = asked.question.statistics
    return [
        value if value.window == keys[value.window] else msgspec.structs.replace(value, window=keys[value.window])
        for value in values
        if value.window in keys and (not wanted or value.statistic in wanted)
    ]


def _plain(window: Window) -> Window:
    """The window whatever it is known by."""
    return replace(window, key=None)
