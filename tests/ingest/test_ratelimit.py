"""A key may send at its rate, a little more at once, and no other key feels it."""

import pytest

from service.ingest import ratelimit
from service.ingest.ratelimit import BURST_S, RateLimit
from tests.http.clocks import HandClock

PER_S = 10.0


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def limit(clock: HandClock) -> RateLimit:
    return RateLimit(clock, per_s=PER_S)


def empty(limit: RateLimit, key: str) -> int:
    """Take until there is nothing left; returns how many there were."""
    taken = 0
    while limit.take(key) == 0:
        taken += 1
    return taken


def test_a_burst_is_taken_and_then_no_more(limit: RateLimit) -> None:
    assert empty(limit, "a") == PER_S * BURST_S


def test_what_was_waited_for_is_there(limit: RateLimit, clock: HandClock) -> None:
    empty(limit, "a")
    wait_s = limit.take("a")
    assert wait_s == pytest.approx(1 / PER_S)
    clock.move(wait_s)
    assert limit.take("a") == 0
    assert limit.take("a") > 0


def test_over_time_exactly_the_rate_comes_through(limit: RateLimit, clock: HandClock) -> None:
    empty(limit, "a")
    taken = 0
    for _ in range(1_000):
        clock.move(0.01)
        taken += limit.take("a") == 0
    assert taken == pytest.approx(10 * PER_S, abs=1)


def test_one_key_does_not_slow_another(limit: RateLimit) -> None:
    empty(limit, "a")
    assert limit.take("b") == 0


def test_a_clock_that_is_set_back_gives_and_takes_nothing(limit: RateLimit, clock: HandClock) -> None:
    empty(limit, "a")
    clock.move(-3_600)
    assert limit.take("a") > 0
    clock.move(1)
    assert empty(limit, "a") == PER_S


def test_a_rate_below_one_a_second_still_lets_one_through(clock: HandClock) -> None:
    limit = RateLimit(clock, per_s=0.1)
    assert empty(limit, "a") == 1
    clock.move(10)
    assert empty(limit, "a") == 1


def test_the_buckets_are_bounded(limit: RateLimit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratelimit, "MAX_BUCKETS", 3)
    for number in range(10):
        limit.take(str(number))
    assert len(limit._buckets) == 3
