"""What can be killed: the processes of an installation, its broker and its Postgres; and started again, as supervisors do."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx

from service.store.embedded import EmbeddedPostgres
from service.supervisor import free_port, free_ports
from tests.broker import Broker
from tests.e2e.harness import Installation

POSTGRES, BACKEND, KAFKA = "postgres", "backend", "kafka"
SUPERVISED_S = 0.3
"""After so long a process that ended by itself is started again."""
UP_TIMEOUT_S = 900.0


@dataclass(frozen=True, slots=True)
class Role:
    """A process of the installation, under a name of its own."""

    role: str
    port: int
    """Where it says that it lives."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        return {"port" if self.role == "api" else "ops_port": str(self.port)}


class Targets:
    """Kills by name, and starts again what was killed when its time has come."""

    def __init__(self, installation: Installation, postgres: EmbeddedPostgres, broker: Broker | None, *roles: str) -> None:
        self.installation = installation
        self.chance = random.Random(0)
        """Decides which connection's process is meant."""
        self.roles = {name: Role(name.partition("-")[0], port) for name, port in zip(roles, free_ports(len(roles)), strict=True)}
        self.ended: list[str] = []
        """What ended by itself after it had been up, which nothing ever should."""
        self._postgres = postgres
        self._broker = broker
        self._due: dict[str, float] = {}
        self._up: set[str] = set()
        self._beside = ThreadPoolExecutor(1)
        self._broker_starts: Future[None] | None = None

    @property
    def names(self) -> list[str]:
        """Everything that can be killed; first what all others lean on."""
        return [POSTGRES, *([KAFKA] if self._broker else []), BACKEND, *self.roles]

    @property
    def apis(self) -> Mapping[str, str]:
        """Where events go, by the names of the APIs."""
        return {name: each.address for name, each in self.roles.items() if each.role == "api"}

    def start_all(self) -> None:
        """Start every role, and wait until all are up."""
        for name in self.roles:
            self._start(name)
        self.wait_until_up()

    def kill(self, name: str, *, down_s: float = 0.0) -> None:
        """SIGKILL; it starts again after `down_s`, while something waits here."""
        if name == BACKEND:
            os.kill(self._some_backend(), signal.SIGKILL)  # its Postgres puts all others out, and recovers
            return
        if name == KAFKA:
            assert self._broker is not None
            self._broker.kill()
        elif name == POSTGRES:
            pid = self._postgres.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
        else:
            self.installation.kill(name)
        self._up.discard(name)
        self._due[name] = time.monotonic() + down_s

    def take_away(self, name: str) -> None:
        """SIGKILL, and nothing starts it again until it is brought back."""
        self.kill(name, down_s=float("inf"))

    def bring_back(self, name: str) -> None:
        """Start what was taken away."""
        self._due[name] = time.monotonic()

    def stop(self, name: str) -> None:
        """SIGSTOP: it holds all that it holds, and does nothing."""
        self.installation.signal(name, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """SIGCONT: it goes on where it stood."""
        self.installation.signal(name, signal.SIGCONT)

    def join(self, name: str) -> None:
        """One more of a role."""
        self.roles[name] = Role(name.partition("-")[0], free_port())
        self._start(name)

    def leave(self, name: str) -> None:
        """Stop one cleanly, for good."""
        del self.roles[name]
        assert self.installation.stop(name) == 0, self.installation.log(name)

    def is_up(self, name: str) -> bool:
        """Whether it has started; afterwards it is looked at no more until it is killed."""
        if name not in self._up and self._answers(name):
            self._up.add(name)
        return name in self._up

    def wait_until_up(self, *names: str) -> None:
        """Until these (none: all) have started."""
        deadline = time.monotonic() + UP_TIMEOUT_S
        while waiting := [name for name in names or self.names if not self.is_up(name)]:
            assert time.monotonic() < deadline, f"{waiting} did not come up"
            self.supervise()
            time.sleep(0.1)

    def pause(self, seconds: float) -> None:
        """Let time pass, and start what is due meanwhile."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.supervise()
            time.sleep(0.05)

    def supervise(self) -> None:
        """Start what is due, and what has ended by itself."""
        for name in self.installation.exited():
            if name in self._up:
                self.ended.append(f"{name}: {self.installation.log(name)[-1_000:]}")
            self._up.discard(name)
            self._due.setdefault(name, time.monotonic() + SUPERVISED_S)
        for name in [name for name, at in self._due.items() if at <= time.monotonic()]:
            del self._due[name]
            self._start(name)

    def close(self) -> None:
        """Wait for what is just starting."""
        self._beside.shutdown()

    def _start(self, name: str) -> None:
        if name == KAFKA:
            assert self._broker is not None
            self._broker_starts = self._beside.submit(self._broker.start)
        elif name == POSTGRES:
            asyncio.run(self._postgres.start())
        else:
            role = self.roles[name]
            self.installation.start(role.role, name, **role.settings)

    def _answers(self, name: str) -> bool:
        if name in self._due:
            return False
        if name == KAFKA:
            if self._broker_starts is None:
                return True
            if self._broker_starts.done():
                self._broker_starts.result()
            return self._broker_starts.done()
        if name in (POSTGRES, BACKEND):
            return True
        try:
            return httpx.get(f"{self.roles[name].address}/healthz", timeout=5.0, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def _some_backend(self) -> int:
        """A process that serves a connection; which one is left to chance."""
        server = self._postgres.pid
        assert server is not None
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        serving = [int(pid) for pid in children if b" tidegauge " in Path(f"/proc/{pid}/cmdline").read_bytes()]
        return self.chance.choice(serving or [server])
