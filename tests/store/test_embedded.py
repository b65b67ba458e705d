"""The embedded Postgres starts wherever its directory lies, and after whatever was killed."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from service.errors import StoreUnavailable
from service.http import problems
from service.store.embedded import EmbeddedPostgres
from service.store.engine import sqlalchemy_url
from service.store.migrate import migrate

START = "import asyncio, pathlib, sys; from service.store.embedded import EmbeddedPostgres as E;"
START += "asyncio.run(E(pathlib.Path(sys.argv[1]), fsync=False).start())"

PATIENCE_S = 120


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tidegauge-embedded-", ignore_cleanup_errors=True) as made:
        Path(made).chmod(0o755)  # as root Postgres runs as another user, who must get there
        yield Path(made)


async def answers(server: EmbeddedPostgres) -> bool:
    connection = await asyncpg.connect(server.url)
    try:
        return await connection.fetchval("select true") is True
    finally:
        await connection.close()


async def until_it_recovers(server: EmbeddedPostgres) -> None:
    """Until the server says that it cannot be asked yet."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await asyncpg.connect(server.url_of("postgres"))
            except asyncpg.CannotConnectNowError:
                return
            except OSError:
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("name", ["Gezeiten + Maß & c?#%41", "commas, and:colons"])
async def test_it_runs_in_a_directory_of_any_name(directory: Path, name: str) -> None:
    (directory / name).mkdir(mode=0o755)
    server = EmbeddedPostgres(directory / name / "data", fsync=False)
    await server.start()
    try:
        assert await answers(server)
        await migrate(server.url)
        assert sqlalchemy_url(server.url).startswith("postgresql+asyncpg://")
    finally:
        await server.stop()
    assert not server.running()


async def test_a_first_start_that_was_killed_is_begun_again(directory: Path) -> None:
    data = directory / "data"
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", START, str(data), start_new_session=True)
    # The version file is the first thing that a cluster has, long before it is one.
    async with asyncio.timeout(PATIENCE_S):
        while not list(data.glob("*/PG_VERSION")):  # noqa: ASYNC110
            await asyncio.sleep(0.002)
    os.killpg(child.pid, signal.SIGKILL)
    await child.wait()
    server = EmbeddedPostgres(data, fsync=False)
    await server.start()
    try:
        assert await answers(server)
    finally:
        await server.stop()


async def test_what_lies_in_the_place_of_the_cluster_is_never_removed(directory: Path) -> None:
    precious = directory / "data" / "postgres" / "base"
    precious.mkdir(parents=True)
    with pytest.raises(StoreUnavailable, match="is not empty"):
        await EmbeddedPostgres(directory / "data", fsync=False).start()
    assert precious.exists()


async def test_nobody_else_may_enter_its_directories(directory: Path) -> None:
    data = directory / "data"
    server = EmbeddedPostgres(data, fsync=False)
    await server.start()
    try:
        for path in (data, data / "postgres", data / "run"):
            assert path.stat().st_mode & 0o077 == 0, path
        connection = await asyncpg.connect(server.url)
        assert await connection.fetchval("show listen_addresses") == ""
        await connection.close()
    finally:
        await server.stop()


async def test_a_recovery_is_waited_for_however_long_it_takes(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = directory / "data"
    server = EmbeddedPostgres(data, fsync=False)
    await server.start()
    await server.stop()
    # A standby that nobody may ask recovers until it is promoted: a recovery as long as the test wants it.
    (data / "postgres" / "standby.signal").touch()
    again = EmbeddedPostgres(data, fsync=False, extra={"hot_standby": "off"})
    starting = asyncio.create_task(again.start())
    try:
        await until_it_recovers(again)
        monkeypatch.setattr("service.store.embedded.START_TIMEOUT_S", 0.5)
        await asyncio.sleep(2)
        assert not starting.done()
        (data / "postgres" / "promote").touch()
        assert again.pid is not None
        os.kill(again.pid, signal.SIGUSR1)
        await starting
        assert await answers(again)
    finally:
        await again.stop()


async def test_a_question_never_fills_the_disk(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        assert await connection.fetchval("show temp_file_limit") == "4GB"
        await connection.execute("set temp_file_limit = '64kB'")
        with pytest.raises(asyncpg.ConfigurationLimitExceededError) as refused:
            await connection.fetch("select g from generate_series(1, 200000) g order by md5(g::text)")
    finally:
        await connection.close()
    problem = problems.of(refused.value)
    assert problem is not None
    assert problem.kind is problems.Kind.INVALID_QUERY
    assert "shorter window" in problem.detail
