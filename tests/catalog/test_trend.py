"""What became of a figure: by how much, up, down or stable by a test, better or worse; worked examples by hand."""

from typing import Any, Final

import asyncpg
import numpy as np
import pytest

from service.catalog import Catalog, Question, Window, comparing, resolve_window, run, window_before
from service.catalog.comparing import changed, part_before
from service.catalog.spread import with_variance
from service.catalog.value import Figure
from service.catalog.windows import window_earlier
from service.clock import HOUR, to_datetime
from service.domain import histogram
from service.domain.significance import Sample, poisson_rates, student, two_proportions, welch
from service.domain.trend import Measured, change
from tests.catalog.rollups import Observation, make_partitions, make_tenant, store
from tests.catalog.test_facts_oracle import local

BERLIN: Final = "Europe/Berlin"
MILLI: Final = 1_000_000


@pytest.mark.parametrize(
    ("hits", "of", "before", "of_before", "p", "few"),
    [
        (45, 100, 60, 100, 0.0337, False),  # z = -0.15 / sqrt(0.525 * 0.475 * 2 / 100) = -2.124
        (3, 10, 8, 10, 0.0698, True),  # Fisher: tables of margins 11 and 9 of 20
        (1, 9, 11, 12, 0.000371, True),  # Fisher's test of 1, 8, 11, 1: tables of margins 12 and 9 of 21
        (3, 4, 1, 4, 0.4857, True),  # the lady tasting tea: (1 + 16 + 16 + 1) / 70
        (0, 50, 0, 60, 1.0, True),
        (3, 4, 3, 4, 1.0, True),
    ],
)
def test_shares_are_compared_as_two_proportions(hits: int, of: int, before: int, of_before: int, p: float, *, few: bool) -> None:
    found = two_proportions(hits, of, before, of_before)
    assert found.p == pytest.approx(p, rel=0.005)
    assert found.few is few
    mirrored = two_proportions(of - hits, of, of_before - before, of_before)
    assert mirrored.p == pytest.approx(found.p)


@pytest.mark.parametrize(
    ("count", "exposure", "before", "exposure_before", "p", "few"),
    [
        (10, 1, 2, 1, 0.03857, False),  # 2 * (C(12,0) + C(12,1) + C(12,2)) / 2**12 = 158 / 4096
        (2, 1, 0, 1, 0.5, True),  # 2 / 2**2
        (0, 7, 0, 7, 1.0, True),
        (9, 31, 9, 28, 1.0, False),
        (10_500, 1, 10_000, 1, 0.000479, False),  # z = 250 / sqrt(20500 / 4) = 3.492
    ],
)
def test_counts_are_compared_as_poisson_rates(
    count: int, exposure: float, before: int, exposure_before: float, p: float, *, few: bool
) -> None:
    found = poisson_rates(count, exposure, before, exposure_before)
    assert found.p == pytest.approx(p, rel=0.01)
    assert found.few is few


def test_means_are_compared_by_welch() -> None:
    # t = 2.6 / sqrt(0.42 + 0.75833) = 2.3952, degrees of freedom 1.17833**2 / (0.42**2 / 9 + 0.75833**2 / 11) = 19.31
    found = welch(Sample(10, 20.1, 4.2), Sample(12, 17.5, 9.1))
    assert found.p == pytest.approx(0.0269, rel=0.005)
    assert not found.few
    assert welch(Sample(1, 20.0, 0.0), Sample(40, 17.0, 2.0)).p == 1.0
    assert welch(Sample(9, 2.0, 0.0), Sample(9, 2.0, 0.0)).p == 1.0


@pytest.mark.parametrize(("n", "p"), [(2, 1 / 3), (3, 0.1), (4, 1 / 35)])
def test_means_of_values_that_are_all_alike_are_told_apart_only_by_many(n: int, p: float) -> None:
    # Of all ways to deal 2 n values to two sides two are as uneven as this one.
    found = welch(Sample(n, 5.0, 0.0), Sample(n, 3.0, 0.0))
    assert found.p == pytest.approx(p)
    assert found.few
    many = welch(Sample(12, 5.0, 0.0), Sample(12, 3.0, 0.0))
    assert (many.p < 1e-5, many.few) == (True, False)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_few_values_that_are_all_alike_are_no_sure_change_against_many_that_are_not(n: int) -> None:
    """Of 200 answers 90 promoters and 60 detractors, and now two to four promoters."""
    before = Sample(200, 0.15, (150 - 200 * 0.15**2) / 199)
    for chance in (welch(Sample(n, 1.0, 0.0), before), welch(before, Sample(n, 1.0, 0.0))):
        assert (chance.p > 0.04, chance.few) == (True, True)
    # The pooled t test by hand: 0.85 / (s sqrt(1/2 + 1/200)), s² = 199 v / 200.
    two = welch(Sample(2, 1.0, 0.0), before)
    assert two.p == pytest.approx(student(0.85 / (199 * before.variance / 200 * (1 / 2 + 1 / 200)) ** 0.5, 200), rel=1e-9)
    assert 0.16 < two.p < 0.17
    assert welch(Sample(50, 1.0, 0.0), before).p < 1e-9


def test_squares_that_no_values_can_have_are_refused() -> None:
    with pytest.raises(ValueError, match="squares"):
        with_variance(Figure(5.0, 10, 2), 1)


def test_the_mean_of_one_value_says_that_it_is_of_few() -> None:
    found = change(Measured(1.0, 1, 1), Measured(4.0, 160, 40, 0.5), test="welch", better="higher")
    assert (found.trend, found.verdict, found.test, found.few) == ("stable", None, "welch", True)


@pytest.mark.parametrize(
    ("t", "freedom", "p"), [(2.0, 10, 0.07339), (2.776445, 4, 0.05), (1.959964, 1e9, 0.05), (12.7062, 1, 0.05)]
)
def test_the_distribution_of_student_is_that_of_the_tables(t: float, freedom: float, p: float) -> None:
    assert student(t, freedom) == pytest.approx(p, rel=1e-4)


def shares(now: tuple[int, int], before: tuple[int, int], **how: Any) -> Any:
    sides = [Measured(hits / of if of else None, hits, of) for hits, of in (now, before)]
    return change(*sides, test="two_proportions", is_ratio=True, **how)


def test_a_share_changes_in_percentage_points_and_is_better_by_its_direction() -> None:
    found = shares((60, 100), (45, 100), better="higher")
    assert (found.before, found.trend, found.verdict, found.test) == (0.45, "up", "better", "two_proportions")
    assert (found.absolute, found.points, found.relative) == pytest.approx((0.15, 15.0, 1 / 3))
    assert shares((60, 100), (45, 100), better="lower").verdict == "worse"
    assert shares((60, 100), (45, 100)).verdict is None


def test_what_chance_may_have_done_is_stable_and_few_say_so() -> None:
    few = shares((8, 10), (3, 10), better="higher")
    assert (few.trend, few.verdict, few.few) == ("stable", None, True)
    assert few.p == pytest.approx(0.0698, rel=0.005)


def test_a_change_under_2_percent_is_none_however_sure_it_is() -> None:
    found = shares((960_000, 1_000_000), (950_000, 1_000_000), better="higher")
    assert found.p is not None
    assert (found.p < 1e-9, found.trend, found.relative) == (True, "stable", pytest.approx(0.0105, rel=0.01))


def test_from_0_there_is_no_relative_change() -> None:
    found = change(Measured(12, 12, None, None, HOUR), Measured(0, 0, None, None, HOUR), test="poisson", better="lower")
    assert (found.absolute, found.relative, found.trend, found.verdict) == (12, None, "up", "worse")


def test_without_a_value_nothing_is_compared() -> None:
    found = change(Measured(None), Measured(3.0), test="none", better="higher")
    assert (found.before, found.absolute, found.trend, found.verdict) == (3.0, None, None, None)


def test_a_percentile_has_no_test() -> None:
    assert change(Measured(509.0), Measured(500.0), test="none", better="lower").trend == "stable"
    assert change(Measured(515.0), Measured(500.0), test="none", better="lower").verdict == "worse"


@pytest.mark.parametrize(
    ("kpi", "statistic", "test"),
    [
        ("delivery_success", "", "two_proportions"),
        ("wau_share", "", "two_proportions"),
        ("error_rate", "5xx", "two_proportions"),
        ("requests", "", "poisson"),
        ("requests", "per_minute", "poisson"),
        ("request_latency", "mean", "welch"),
        ("request_latency", "p95", "none"),
        ("mttr", "mean", "welch"),
        ("availability", "", "none"),
        ("downtime", "", "none"),
        ("stickiness_weekly", "", "none"),
        ("meter", "sum", "none"),
        ("average_dau", "", "none"),
        ("adoption_score", "", "none"),
        ("freshness", "", "none"),
        ("freshness", "age", "none"),
        ("nps", "", "welch"),
        ("nps", "promoters", "two_proportions"),
        ("nps", "count", "poisson"),
        ("csat", "", "welch"),
        ("csat", "top2", "two_proportions"),
        ("ces", "", "welch"),
    ],
)
def test_the_test_follows_from_what_a_statistic_counts(kpi: str, statistic: str, test: str) -> None:
    assert comparing.test_of(Catalog.load().kpis[kpi], statistic) == test


def test_the_variance_of_a_histogram_is_that_of_its_values() -> None:
    values = np.array([100, 200, 200, 300, 1_000], dtype=np.int64) * MILLI
    bins, counts = histogram.split(histogram.pack(histogram.bin_of(values), np.ones(5, dtype=np.int64)))
    assert histogram.variance(bins, counts, float(values.mean())) == pytest.approx(float(values.var(ddof=1)), rel=0.02)
    assert histogram.variance(bins[:1], counts[:1], float(values[0])) is None


async def test_a_mean_is_compared_with_the_variance_of_its_histogram(connection: asyncpg.Connection) -> None:
    now = local(BERLIN, 2025, 11, 19, 10, 0, 0)
    await make_partitions(connection)
    tenant, kpi = await make_tenant(connection, "pilot", BERLIN), Catalog.load().kpis["request_latency"]
    latencies = {now - HOUR: (210, 230, 190, 205, 220, 240), now - 25 * HOUR: (100, 120, 90, 95, 110, 105)}
    seen = [
        Observation(at, {"service": "api", "status": "200"}, "", ms * MILLI) for at, all_ms in latencies.items() for ms in all_ms
    ]
    await store(connection, tenant, "request", BERLIN, seen)
    window = resolve_window(tenant, BERLIN, now_us=now, name="24h")
    before = window_before(window)
    question = Question(statistics=("mean",), spread=True)
    [value], [value_before] = await run(connection, kpi, [window], question), await run(connection, kpi, [before], question)
    found = changed(kpi, "mean", (value, window), (value_before, before))
    assert (found.trend, found.verdict, found.test) == ("up", "worse", "welch")
    assert found.absolute == pytest.approx(215.83 - 103.33, abs=0.01)
    assert value.variance == pytest.approx(324.2, rel=0.1)  # values are known within 0.55 %
    assert (await run(connection, kpi, [window], Question(statistics=("mean",))))[0].variance is None


def bounds(window: Window) -> tuple[str, str]:
    return to_datetime(window.start_us).isoformat(), to_datetime(window.end_us).isoformat()


@pytest.mark.parametrize(
    ("name", "now", "first", "last"),
    [
        ("month", (2025, 3, 10, 14, 5, 0), (2025, 2, 1, 0, 0, 0), (2025, 2, 10, 14, 15, 0)),
        ("month", (2025, 3, 31, 14, 5, 0), (2025, 2, 1, 0, 0, 0), (2025, 3, 1, 0, 0, 0)),
        ("week", (2025, 10, 29, 14, 0, 0), (2025, 10, 20, 0, 0, 0), (2025, 10, 22, 14, 0, 0)),  # the clocks change between
        ("day", (2025, 3, 31, 9, 7, 0), (2025, 3, 30, 0, 0, 0), (2025, 3, 30, 9, 7, 0)),  # 23 hours
        ("7d", (2025, 6, 18, 12, 0, 0), (2025, 6, 5, 0, 0, 0), (2025, 6, 11, 12, 0, 0)),
    ],
)
def test_an_open_window_is_compared_with_the_same_part_of_the_one_before(
    name: str, now: tuple[int, ...], first: tuple[int, ...], last: tuple[int, ...]
) -> None:
    window = resolve_window(1, BERLIN, now_us=local(BERLIN, *now), name=name)
    before = part_before(Catalog.load().kpis["requests"], window)
    assert bounds(before) == tuple(to_datetime(local(BERLIN, *at)).isoformat() for at in (first, last))


def test_of_users_the_same_days_are_compared() -> None:
    window = resolve_window(1, BERLIN, now_us=local(BERLIN, 2025, 3, 10, 14, 5, 0), name="month")
    before = part_before(Catalog.load().kpis["mau"], window)
    assert bounds(before)[1] == to_datetime(local(BERLIN, 2025, 2, 11, 0, 0, 0)).isoformat()


def test_a_closed_window_is_compared_with_the_whole_of_the_one_before() -> None:
    window = resolve_window(
        1, BERLIN, now_us=local(BERLIN, 2025, 3, 10, 0, 0, 0), name="month", end_us=local(BERLIN, 2025, 3, 1, 0, 0, 0)
    )
    assert part_before(Catalog.load().kpis["requests"], window) == window_before(window)


@pytest.mark.parametrize(
    ("name", "end", "period", "first", "last"),
    [
        ("month", (2025, 4, 1, 0, 0, 0), "month", (2025, 2, 1, 0, 0, 0), (2025, 3, 1, 0, 0, 0)),
        ("month", (2025, 4, 1, 0, 0, 0), "year", (2024, 3, 1, 0, 0, 0), (2024, 4, 1, 0, 0, 0)),
        ("7d", (2025, 3, 31, 12, 0, 0), "month", (2025, 2, 22, 0, 0, 0), (2025, 3, 1, 0, 0, 0)),
        ("24h", (2025, 3, 31, 12, 0, 0), "week", (2025, 3, 23, 12, 0, 0), (2025, 3, 24, 12, 0, 0)),
        ("week", (2025, 1, 6, 0, 0, 0), "year", (2023, 12, 25, 0, 0, 0), (2024, 1, 1, 0, 0, 0)),
    ],
)  # fmt: skip
def test_a_period_earlier_goes_by_the_calendar(
    name: str, end: tuple[int, ...], period: Any, first: tuple[int, ...], last: tuple[int, ...]
) -> None:
    now = local(BERLIN, 2025, 6, 1, 0, 0, 0)
    window = resolve_window(1, BERLIN, now_us=now, name=name, end_us=local(BERLIN, *end))
    expected = tuple(to_datetime(local(BERLIN, *at)).isoformat() for at in (first, last))
    assert bounds(window_earlier(window, period)) == expected
