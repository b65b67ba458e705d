"""The supervisor goes on trying: whatever does not start is started again when it can be."""

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.store.embedded import EmbeddedPostgres
from service.supervisor import Role, Supervisor


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tidegauge-supervisor-", ignore_cleanup_errors=True) as made:
        Path(made).chmod(0o755)  # as root Postgres runs as another user, who must get there
        yield Path(made)


async def until(condition: object, *, within_s: float = 120.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # type: ignore[operator]  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_postgres_that_cannot_start_is_started_once_it_can(directory: Path) -> None:
    postgres = EmbeddedPostgres(directory / "data", fsync=False)
    await postgres.start()
    supervisor = Supervisor([], postgres)
    supervisor.start()
    # A control file that is away stands for a disk that is full: the server ends at once, as often as it is started.
    control = directory / "data" / "postgres" / "global" / "pg_control"
    control.rename(control.with_suffix(".away"))
    first = postgres.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    try:
        await asyncio.sleep(2.5)
        control.with_suffix(".away").rename(control)
        await until(lambda: postgres.pid not in {None, first})
    finally:
        await supervisor.stop()
        await postgres.stop()


async def test_a_stop_right_after_the_start_leaves_no_child() -> None:
    supervisor = Supervisor([Role("sleeper", ["settings"])], None)
    supervisor.start()
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await supervisor.stop()
    assert supervisor.pids == {}
