"""`tidegauge up`: one child process a role, restarted when it dies, stopped in order."""

import asyncio
import contextlib
import os
import secrets
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from service.errors import StoreUnavailable
from service.store.embedded import EmbeddedPostgres
from service.store.engine import FAILURES

FIRST_BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 10.0
HEALTHY_S = 30.0
LOOK_INTERVAL_S = 0.5
STOP_TIMEOUT_S = 20.0
PORTS = range(15_000, 32_000)  # below those that systems give to outgoing connections
PORT_TRIES = 1_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Role:
    """One child: the words after `tidegauge`, and what its environment says beside ours."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


def free_ports(count: int) -> list[int]:
    """Different TCP ports of 127.0.0.1 that nobody uses, and that no outgoing connection is given meanwhile.

    Raises OSError where so many are not free.
    """
    found: list[int] = []
    with contextlib.ExitStack() as held:
        for _ in range(PORT_TRIES):
            if len(found) == count:
                return found
            port = PORTS.start + secrets.randbelow(len(PORTS))
            probe = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                found.append(port)
    raise OSError(f"{count} free ports of {PORTS.start}-{PORTS.stop - 1} were not found in {PORT_TRIES} tries")


def free_port() -> int:
    """One such port."""
    return free_ports(1)[0]


class Supervisor:
    """Keeps the roles, and the embedded Postgres if there is one, running until it is stopped."""

    def __init__(self, roles: Sequence[Role], postgres: EmbeddedPostgres | None) -> None:
        self._roles = roles
        self._postgres = postgres
        self._stopping = asyncio.Event()
        self._children: dict[str, Process] = {}
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def pids(self) -> Mapping[str, int]:
        """The process ids of the roles that run."""
        return {name: child.pid for name, child in self._children.items() if child.returncode is None}

    def start(self) -> None:
        """Begin to keep everything running."""
        self._tasks = [asyncio.create_task(self._keep(role), name=role.name) for role in self._roles]
        if self._postgres is not None:
            self._tasks.append(asyncio.create_task(self._keep_postgres(self._postgres), name="postgres"))

    async def stop(self) -> None:
        """Stop the roles with SIGTERM all at once (they drain and flush), and those that stay with SIGKILL."""
        self._stopping.set()
        for child in self._children.values():
            _terminate(child)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=STOP_TIMEOUT_S)
            for child in self._children.values():
                if child.returncode is None:
                    log.warning("role_killed", pid=child.pid, waited_s=STOP_TIMEOUT_S)
                    with contextlib.suppress(ProcessLookupError):
                        child.kill()
            if late:
                await asyncio.wait(late)

    async def _keep(self, role: Role) -> None:
        backoff_s = FIRST_BACKOFF_S
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = loop.time()
            try:
                child = await self._spawn(role)
            except OSError as error:  # no process, memory or file is to be had: that passes
                code: int | str = str(error)
            else:
                self._children[role.name] = child
                if self._stopping.is_set():  # `stop` came too early to see this child
                    _terminate(child)
                code = await child.wait()
            if self._stopping.is_set():
                return
            lived_s = loop.time() - began
            backoff_s = FIRST_BACKOFF_S if lived_s > HEALTHY_S else min(backoff_s * 2, LONGEST_BACKOFF_S)
            log.warning("role_died", role=role.name, code=code, lived_s=round(lived_s, 1), restart_in_s=backoff_s)
            await self._pause(backoff_s)

    async def _spawn(self, role: Role) -> Process:
        environment = {**os.environ, **role.environment, "TIDEGAUGE_PARENT_PID": str(os.getpid())}
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "service.cli",
            *role.command,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )

    async def _keep_postgres(self, postgres: EmbeddedPostgres) -> None:
        backoff_s = FIRST_BACKOFF_S
        while not self._stopping.is_set():
            if postgres.running():
                backoff_s = FIRST_BACKOFF_S
                await self._pause(LOOK_INTERVAL_S)
                continue
            log.warning("postgres_died", restart=True)
            try:
                await postgres.start()
            except (StoreUnavailable, *FAILURES) as error:
                # A full disk, say: it starts again once there is room, and nobody else would try.
                log.error("postgres_does_not_start", error=str(error), again_in_s=backoff_s)  # noqa: TRY400
                await self._pause(backoff_s)
                backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)


def _terminate(child: Process) -> None:
    """Ask a child to stop; it may be gone."""
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
