"""A task that is too much for its period leaves half of the time to the others."""

import pytest

from service.evaluate.task import LEAST_REST_S, Task


async def _nothing() -> None: ...


@pytest.mark.parametrize(
    ("took_s", "rest_s"),
    [
        (0.0, 1.0),
        (0.25, 0.75),
        (0.5, 0.5),
        (0.625, 0.625),  # its period would have left it three eighths of a second
        (0.75, 0.5),  # so that what happens as it begins is shown within two periods
        (1.0, 1.0),
        (30.0, 1.0),  # a figure is late by a period, and not by half a minute
    ],
)
def test_what_keeps_a_core_busy_rests_as_long_as_it_took_and_ends_twice_in_two_periods(took_s: float, rest_s: float) -> None:
    assert Task("short", 1.0, _nothing).rest_s(took_s) == rest_s


@pytest.mark.parametrize(("took_s", "rest_s"), [(0.25, 4.75), (4.0, 1.0), (5.0, LEAST_REST_S), (9.0, LEAST_REST_S)])
def test_a_lease_is_prolonged_in_time_however_long_that_takes(took_s: float, rest_s: float) -> None:
    assert Task("lease", 5.0, _nothing, yields=False).rest_s(took_s) == rest_s
