"""What runbooks tell people to type, to set and to look for is there: at night nobody finds out what was meant."""

import re
from collections.abc import Iterator
from pathlib import Path

from service.cli.commands import COMMANDS, loaded
from service.settings import PREFIX, Settings
from tests.rules.test_coverage import ROOT, RUNBOOKS, shown_by_the_service

PAGES = (*RUNBOOKS.glob("*.md"), ROOT / "docs" / "alerting.md")
LOG_LINES = re.compile(r'log\.\w+\(\s*"([a-z_.]+)"')
SAID_IN_LOGS = re.compile(r"`((?:[a-z]+\.[a-z_]+|kpi_not_evaluated|evaluator_interrupted))`")


def quoted(page: Path, pattern: str) -> Iterator[str]:
    """Code in the text that begins so."""
    yield from re.findall(rf"`({pattern}[^`]*)`", page.read_text())


def test_commands_and_their_options_are_there() -> None:
    for page in PAGES:
        for words in (line.split() for line in quoted(page, "tidegauge ")):
            assert words[1] in COMMANDS, f"{page.name}: {words}"
            command, rest = loaded(words[1], COMMANDS[words[1]]), words[2:]
            if hasattr(command, "commands") and rest:
                assert rest[0] in command.commands, f"{page.name}: {words}"
                command = command.commands[rest[0]]
            options = {option for each in command.params for option in each.opts}
            assert {word for word in rest if word.startswith("--")} <= options, f"{page.name}: {words}"


def test_settings_are_there() -> None:
    for page in PAGES:
        for name in re.findall(rf"{PREFIX}([A-Z_]+)", page.read_text()):
            assert name.lower() in Settings.model_fields, f"{page.name}: {PREFIX}{name}"


def test_metrics_are_there() -> None:
    known = shown_by_the_service() | {"tidegauge_slo_objective_ratio"}
    # A histogram or a counter may be named as a whole.
    known |= {name.removesuffix("_bucket") for name in known}
    for page in PAGES:
        for name in re.findall(r"`(tidegauge_[a-z_0-9]+)", page.read_text()):
            assert name in known, f"{page.name}: {name}"


def test_lines_of_the_log_are_there() -> None:
    written = {name for file in (ROOT / "service").rglob("*.py") for name in LOG_LINES.findall(file.read_text())}
    for page in RUNBOOKS.glob("*.md"):
        for name in SAID_IN_LOGS.findall(page.read_text()):
            assert name in written, f"{page.name}: {name}"
