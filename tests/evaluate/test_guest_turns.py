"""Whose turn an own KPI has: nobody is blamed for a neighbour, and what passed is not remembered for ever."""

from collections.abc import Callable, Sequence

import pytest

from service.catalog import Catalog, Value, Window, guarded, resolve_window
from service.catalog.guarded import FAILED, MOST_ASKED, unless_failed
from service.catalog.kpi import Kpi
from service.catalog.question import Question
from service.clock import SECOND
from service.errors import KpiFailed
from service.evaluate.apart import Turn
from service.evaluate.guests import FIRST_REST_S, GuestTurns
from tests.http.clocks import HandClock


@pytest.fixture
def own() -> Kpi:
    return Catalog.load().kpis["requests"]


class Rounds:
    """Rounds of one KPI for some tenants; `fails` says what a question for some of them fails of."""

    def __init__(self, own: Kpi, tenants: int) -> None:
        self.turns, self.clock, self.own = GuestTurns(), HandClock(), own
        self.everybody = list(range(tenants))
        self.fails: Callable[[list[int]], Exception | None] = lambda _: None
        self.asked: list[list[int]] = []
        self.answered: set[int] = set()

    async def ask(self, few: list[int]) -> None:
        self.asked.append(few)
        if (error := self.fails(few)) is not None:
            raise error
        self.answered.update(few)

    async def once(self) -> None:
        self.asked.clear()
        self.answered.clear()
        groups = self.turns.groups("short", self.own, self.everybody, self.clock.now_us())
        for few in (*groups.together, *groups.apart):
            if self.turns.is_due("short", self.own, few, self.clock.now_us()):
                await Turn(self.turns, "short", self.own, self.clock, self.ask, 60.0, lambda: True, lambda *_: None).among(few)

    async def until(self, reached: Callable[[], bool]) -> None:
        for _ in range(200):
            await self.once()
            if reached():
                return
            self.clock.move(FIRST_REST_S)
        raise AssertionError(f"not reached: {len(self.answered)} answered by {len(self.asked)} questions")


async def test_one_passing_time_out_leaves_no_more_questions_behind(own: Kpi) -> None:
    rounds = Rounds(own, 64)
    for _ in range(3):
        rounds.fails = lambda _: TimeoutError()
        await rounds.once()
        rounds.fails = lambda _: None
        await rounds.until(lambda: len(rounds.answered) == 64)
        await rounds.until(lambda: rounds.asked == [rounds.everybody])


async def test_more_than_can_be_answered_together_are_tried_ever_more_rarely(own: Kpi) -> None:
    rounds, time_outs = Rounds(own, 100), list[int]()
    rounds.fails = lambda few: TimeoutError() if len(few) > 40 else None
    for number in range(600):
        await rounds.once()
        time_outs += [number] if any(len(few) > 40 for few in rounds.asked) else []
        rounds.clock.move(FIRST_REST_S)
    assert len(time_outs) <= 25
    assert all(number - before >= 50 for before, number in zip(time_outs[-4:], time_outs[-3:], strict=False))


async def test_one_that_takes_all_the_time_leaves_the_others_together(own: Kpi) -> None:
    for slow in (0, 31, 63):
        rounds = Rounds(own, 64)
        rounds.fails = lambda few, slow=slow: TimeoutError() if slow in few else None  # type: ignore[misc]
        others = [each for each in rounds.everybody if each != slow]
        await rounds.until(lambda rounds=rounds, others=others: sorted(rounds.answered) == others)  # type: ignore[misc]
        await rounds.until(lambda rounds=rounds, others=others: rounds.asked == [others])  # type: ignore[misc]


async def test_who_was_not_asked_alone_is_not_blamed(own: Kpi) -> None:
    rounds, left = Rounds(own, 4), iter([True, True, False, False, False])
    rounds.fails = lambda few: KpiFailed("own", "own.sql", "division by zero") if 0 in few else None
    turn = Turn(rounds.turns, "short", own, rounds.clock, rounds.ask, 60.0, lambda: next(left), lambda *_: None)
    assert sorted(await turn.among([0, 1, 2, 3])) == [0, 1, 2, 3]
    assert rounds.asked == [[0, 1, 2, 3], [0, 1], [0]]
    assert [said.split(": ")[0] for said in rounds.turns.resting()] == [
        "requests gave no answer for tenant 0 in the round short, 1 times in a row",
        "requests gave no answer for tenants 1, 2, 3 in the round short, which are told apart",
    ]
    await rounds.once()
    assert rounds.answered == {1, 2, 3}


def test_slow_is_who_takes_too_long_alone_where_there_is_time_and_for_as_long_as_it_rests(own: Kpi) -> None:
    turns = GuestTurns()
    turns.failed("short", own, [1], "slow", 0, is_slow=True, most_s=1.0)
    turns.failed("days", own, [2, 3, 4], "slow", 0, is_slow=True)
    turns.failed("days", own, [5], "division by zero", 0)
    assert turns.slow(own, 0) == {}
    rest_s = turns.failed("history", own, [6], "slow", 0, is_slow=True)
    assert turns.slow(own, int(rest_s * SECOND) - 1) == {6: "slow"}
    assert turns.slow(own, int(rest_s * SECOND)) == {}


async def asked_beside_others(own: Kpi, tenants: int, at_fault: Callable[[Window], bool]) -> tuple[int, set[tuple[int, str]]]:
    """How often a KPI that fails for some windows is asked, and the windows that have no value."""
    now_us, asked = HandClock().now_us(), 0
    windows = [
        resolve_window(tenant, "UTC", now_us=now_us, name=name, key=(tenant, name))
        for name in ("7d", "28d", "week", "month", "quarter")
        for tenant in range(tenants)
    ]

    async def ask(few: Sequence[Window]) -> list[Value]:
        nonlocal asked
        asked += 1
        if any(map(at_fault, few)):
            raise KpiFailed("own", "own.sql", "division by zero")
        return [Value(each.tenant, each.key, "", 1.0) for each in few]

    values = await unless_failed(ask, own, windows, Question(statistics=("",)))
    assert sorted(str(value.window) for value in values) == sorted(str(window.key) for window in windows)
    return asked, {value.window for value in values if value.reason == FAILED}  # type: ignore[misc]


async def test_sound_tenants_keep_their_values_beside_many_at_fault(own: Kpi) -> None:
    asked, lost = await asked_beside_others(own, 200, lambda window: window.tenant % 6 == 0)
    assert {tenant for tenant, _ in lost} == set(range(0, 200, 6))
    assert asked <= MOST_ASKED + 2 * 200
    assert (await asked_beside_others(own, 20, lambda window: window.tenant == 7 and window.name == "28d"))[1] == {(7, "28d")}


async def test_no_statement_is_begun_when_its_time_is_over(own: Kpi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "PATIENCE_S", 0.0)
    asked, lost = await asked_beside_others(own, 20, lambda window: window.tenant == 7)
    assert (asked, len(lost)) == (1, 100)
