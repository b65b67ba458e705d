"""The service as its users run it: one process a role, against a real Postgres, spoken to over HTTP."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from service.demo.client import Client
from service.supervisor import free_port
from tests.broker import Broker

READY_TIMEOUT_S = 600.0
STOP_TIMEOUT_S = 180.0
COMMAND_TIMEOUT_S = 300.0
COMMAND = (sys.executable, "-m", "service.cli")


class Installation:
    """An installation on a database of its own: roles are started, killed and stopped by name."""

    def __init__(self, database_url: str, directory: Path, **settings: str) -> None:
        self.port = int(settings.get("port") or free_port())
        self.address = f"http://127.0.0.1:{self.port}"
        self.directory = directory
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TIDEGAUGE_")},
            "TIDEGAUGE_DATABASE_URL": database_url,
            "TIDEGAUGE_DATA": str(directory),
            "TIDEGAUGE_PORT": str(self.port),
            "TIDEGAUGE_LOG_FORMAT": "json",
            "TIDEGAUGE_LEASE_S": "3",
            "POLARS_MAX_THREADS": "1",
            **{f"TIDEGAUGE_{name.upper()}": value for name, value in settings.items()},
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._clients: list[Client] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()
        for name in list(self._processes):
            self.kill(name)

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """One command of `tidegauge`, to its end."""
        return subprocess.run(
            [*COMMAND, *words], env=self.environment, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=check
        )

    def start(self, role: str, name: str = "", **settings: str) -> None:
        """Start a role; `name` tells several of one role apart."""
        environment = self.environment | {f"TIDEGAUGE_{key.upper()}": value for key, value in settings.items()}
        log = (self.directory / f"{name or role}.log").open("ab")
        with log:
            self._processes[name or role] = subprocess.Popen([*COMMAND, role], env=environment, stdout=log, stderr=log)

    def start_all(self) -> None:
        """One of each role, and wait until the API is ready."""
        for role in ("api", "aggregate", "evaluate"):
            self.start(role)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Until /readyz says so; fails with the API's log."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.address}/readyz", timeout=60.0, trust_env=False).is_success:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"not ready: {self.log('api')}")

    def exited(self) -> list[str]:
        """Roles that ended by themselves; they are known no more."""
        names = [name for name, process in self._processes.items() if process.poll() is not None]
        for name in names:
            del self._processes[name]
        return names

    def kill(self, name: str) -> None:
        """SIGKILL, in the middle of whatever it does."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def pid(self, name: str) -> int:
        """A role's process."""
        return self._processes[name].pid

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a role's process."""
        self._processes[name].send_signal(number)

    def stop(self, name: str) -> int:
        """SIGTERM, and the exit code."""
        process = self._processes.pop(name)
        process.terminate()
        return process.wait(STOP_TIMEOUT_S)

    def ended(self, name: str) -> int:
        """The exit code of a role that ends by itself."""
        return self._processes.pop(name).wait(STOP_TIMEOUT_S)

    def log(self, name: str) -> str:
        """What a role has logged."""
        return (self.directory / f"{name}.log").read_text()

    def key(self, tenant: str, scopes: str) -> str:
        """A new key, as the command prints it."""
        return self.run("keys", "create", "--tenant", tenant, "--scopes", scopes).stdout.strip()

    def tenant(self, name: str, timezone: str = "UTC", *, scopes: str = "ingest,backfill") -> Client:
        """A new tenant, and a client that may write and read."""
        self.run("tenants", "create", name, "--timezone", timezone)
        keys = {"write_key": self.key(name, scopes), "read_key": self.key(name, "read")}
        client = Client(self.address, **keys, give_up_s=READY_TIMEOUT_S)
        self._clients.append(client)
        return client


_topics = iter(range(1_000_000))


def kafka_settings(kafka: Broker) -> dict[str, str]:
    """An event log of the installation's own at this broker."""
    prefix = f"e2e-{os.getpid()}-{next(_topics)}"
    return {"kafka_bootstrap": kafka.bootstrap, "kafka_topic_prefix": prefix, "allow_single_broker": "true"}


def send(client: Client, events: Iterable[Mapping[str, Any]], *, timeout_s: float = 300.0) -> int:
    """Send events and wait until they stand in the rollups."""
    accepted = client.send(events)
    client.settle(timeout_s=timeout_s, poll_s=0.05)
    return accepted
