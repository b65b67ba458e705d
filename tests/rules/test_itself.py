"""Alerts on the service itself: each fires when it should, at the minute that it should, and not otherwise."""

from pathlib import Path

from tests.rules.promtool import run_cases
from tests.rules.told import group
from tests.rules.watches import WATCHES


def test_the_service_tells_of_itself_in_time_and_is_silent_when_well(tmp_path: Path) -> None:
    run_cases(tmp_path, group("itself"), [case for watch in WATCHES for case in watch.cases()])
