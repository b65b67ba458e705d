"""`tidegauge apply` stores a file that is sound, and says all that is wrong with one that is not."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
import typer
from typer.testing import CliRunner, Result

from service.cli.apply import apply

SOUND = "valid_from = 2027-01-04\n[[target]]\nkpi = 'requests'\nop = '>='\ntarget = 100\n"


async def run(file: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Result:
    """The command's result; it runs in a thread, for it has an event loop of its own."""
    monkeypatch.setenv("TIDEGAUGE_DATABASE_URL", database_url)
    app = typer.Typer()
    app.command()(apply)
    return await asyncio.to_thread(CliRunner().invoke, app, ["--tenant", "pilot", str(file)])


@pytest.fixture(name="tenant")
async def pilot_tenant(connection: asyncpg.Connection) -> int:
    made: int = await connection.fetchval("insert into tenant (name, timezone) values ('pilot', 'UTC') returning id")
    return made


async def test_a_sound_file_becomes_a_version(
    tenant: int, connection: asyncpg.Connection, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pilot.toml"
    file.write_text(SOUND)
    result = await run(file, database_url, monkeypatch)
    assert result.exit_code == 0
    assert result.stdout == "version 1 of pilot\n"
    assert result.stderr == "warning: valid_from does not count: a tenant's first version reaches back for ever\n"
    stored = await connection.fetchrow("select tenant, version, valid_from, source from config_version")
    assert stored is not None
    assert tuple(stored) == (tenant, 1, None, SOUND)


@pytest.mark.usefixtures("tenant")
async def test_a_file_with_mistakes_is_told_line_by_line_and_stored_nowhere(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pilot.toml"
    file.write_text("[tenant]\ntimezone = 'UCT+1'\n[[target]]\nkpi = 'request'\nop = '>='\ntarget = 100\n")
    result = await run(file, database_url, monkeypatch)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"{file}:2: tenant.timezone: there is no time zone 'UCT+1': write an IANA name such as Europe/Berlin; did you mean UCT?",
        f"{file}:4: target[0].kpi: there is no KPI request; did you mean requests?",
        "2 to mend, nothing is stored",
    ]
    assert await connection.fetchval("select count(*) from config_version") == 0


@pytest.mark.usefixtures("tenant")
async def test_a_file_that_is_no_utf8_is_told_with_its_line(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pilot.toml"
    file.write_bytes("[tenant]\n# Jürgen's\n".encode("latin-1"))
    result = await run(file, database_url, monkeypatch)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{file}:2: no UTF-8")
