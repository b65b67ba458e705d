"""`tidegauge config` begins a file, says what it would change and from when, and shows what counts."""

import asyncio
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from service.cli.commands import app
from service.clock import SystemClock, to_datetime
from service.domain.config import parse
from service.domain.config.default import DEFAULT_FILE
from service.errors import AlreadyExists, InvalidQuery

FILE = "[activity]\nwau_window = 'week'\n[integrations.sap]\nlimit_ms = 500\n"


@pytest.fixture(autouse=True)
def _database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGAUGE_DATABASE_URL", database_url)


@pytest.fixture(autouse=True)
async def _tenant(connection: asyncpg.Connection) -> None:
    await connection.execute("insert into tenant (name, timezone) values ('pilot', 'UTC')")


async def run(*words: str | Path) -> Result:
    """A command's result; it runs in a thread, for it has an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, app, [str(word) for word in words])


async def output(*words: str | Path) -> list[str]:
    result = await run(*words)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def in_two_hours() -> str:
    later = to_datetime(SystemClock().now_us()) + timedelta(hours=2)
    return later.replace(minute=0, second=0, microsecond=0).isoformat().replace("+00:00", "Z")


async def test_a_file_to_begin_from_is_written_once_and_never_over_another(tmp_path: Path) -> None:
    file = tmp_path / "pilot.toml"
    assert await output("config", "init", file) == []
    assert file.read_text() == DEFAULT_FILE
    assert "\n".join(await output("config", "init")) + "\n" == DEFAULT_FILE
    again = await run("config", "init", file)
    assert isinstance(again.exception, AlreadyExists)


async def test_diff_says_key_by_key_what_would_change_and_stores_nothing(tmp_path: Path, connection: asyncpg.Connection) -> None:
    file = tmp_path / "pilot.toml"
    file.write_text(FILE)
    assert await output("config", "diff", file, "--tenant", "pilot") == [
        "version 1 of pilot would count for ever",
        '~ activity.wau_window: "7d" → "week"',
        '+ integrations.sap: { direction = "inbound", limit_ms = 500, tracks_accepted = false }',
    ]
    assert await connection.fetchval("select count(*) from config_version") == 0


async def test_diff_says_from_when_and_what_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "pilot.toml"
    file.write_text(FILE)
    assert await output("config", "apply", file, "--tenant", "pilot") == ["version 1 of pilot"]
    begins = in_two_hours()
    file.write_text(f"valid_from = {begins}\n[activity]\nwau_window = 'week'\n[integrations.sap]\nlimit_ms = 600\n")
    assert await output("config", "diff", file, "--tenant", "pilot") == [
        f"version 2 of pilot would count from {begins} on",
        "~ integrations.sap.limit_ms: 500 → 600",
        "windows that end before are judged as they were",
        "events of before stay counted as they are: integrations.NAME.limit_ms count for those after it",
    ]


async def test_diff_tells_mistakes_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "pilot.toml"
    file.write_text("[activty]\n")
    result = await run("config", "diff", file, "--tenant", "pilot")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{file}:1: activty: there is no table or key activty; did you mean activity?")


async def test_a_planned_version_that_is_replaced_is_said_to_be(tmp_path: Path) -> None:
    file = tmp_path / "pilot.toml"
    begins = in_two_hours()
    for text in (FILE, f"valid_from = {begins}\n"):
        file.write_text(text)
        await output("apply", file, "--tenant", "pilot")
    file.write_text(f"valid_from = {begins}\n" + FILE)
    result = await run("apply", file, "--tenant", "pilot")
    assert result.stderr == f"warning: what was to begin {begins} is replaced by it and never counts\n"


async def test_show_prints_the_file_as_it_was_applied_and_on_demand_every_key(tmp_path: Path) -> None:
    assert (await output("config", "show", "--tenant", "pilot"))[0] == "# pilot has declared nothing: the defaults count"
    file = tmp_path / "pilot.toml"
    file.write_text(FILE)
    await output("apply", file, "--tenant", "pilot")
    assert await output("config", "show", "--tenant", "pilot") == [
        "# version 1 of pilot, reaches back for ever",
        *FILE.splitlines(),
    ]
    whole = "\n".join(await output("config", "show", "--tenant", "pilot", "--all"))
    assert parse(whole) == parse(FILE)
    assert "signal_days = 90" in whole


async def test_show_tells_the_version_of_a_time(tmp_path: Path) -> None:
    file = tmp_path / "pilot.toml"
    begins = in_two_hours()
    for text in (FILE, f"valid_from = {begins}\n"):
        file.write_text(text)
        await output("apply", file, "--tenant", "pilot")
    assert (await output("config", "show", "--tenant", "pilot"))[0] == "# version 1 of pilot, reaches back for ever"
    then = await output("config", "show", "--tenant", "pilot", "--at", begins)
    assert then == [f"# version 2 of pilot, counts from {begins} on", f"valid_from = {begins}"]
    assert isinstance((await run("config", "show", "--tenant", "pilot", "--at", "soon")).exception, InvalidQuery)
