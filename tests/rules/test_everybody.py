"""Alerts that need no configuration: a worse band of risk, an incident of security, fewer new users, a steady source silent."""

from pathlib import Path

from tests.rules import everybody
from tests.rules.promtool import run_cases
from tests.rules.told import group


def test_an_incident_of_security_is_told_of_at_once(tmp_path: Path) -> None:
    run_cases(tmp_path, group("everybody"), list(everybody.cases()))


def test_what_got_worse_against_days_or_weeks_before_is_told_of(tmp_path: Path) -> None:
    run_cases(tmp_path, group("everybody"), list(everybody.slow_cases()), interval="6h")
