"""`make stack`: the topology of docker-compose.yml as plain processes of this machine, in one directory.

Postgres, Kafka (one broker), Prometheus, Alertmanager, and the roles of ROLES. In a test:

    with Stack(directory, ports=free_ports(), interval_s=1) as stack:      # started, and everything is ready
        acme = stack.installation.tenant("acme")                           # a client of api-1 with keys
        stack.address("api-2")                                             # http://127.0.0.1:PORT
        (stack.prometheus.rules / "some.yml").write_text(…)                # rules/*.yml
        stack.prometheus.reload()
        stack.prometheus.query('tidegauge_requests{tenant="acme"}')
        stack.children["aggregate-1"].kill()                               # `.start()` brings it back

`alertmanager_yml` is Alertmanager's configuration as text (by default alerts are shown and nobody is told), `directory` is
one that other users may enter where we are root: Postgres runs as another one. What runs ends when this process ends.
"""

import asyncio
import contextlib
import json
import os
import secrets
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from service import supervisor
from service.store.embedded import EmbeddedPostgres
from service.store.migrate import migrate
from tests.broker import Broker
from tests.e2e.child import Child, answers
from tests.e2e.harness import COMMAND, Installation
from tests.e2e.monitoring import NOBODY, Alertmanager, Prometheus

PORTS: Mapping[str, int] = {
    "api-1": 8080,
    "api-2": 8081,
    "aggregate-1": 8091,
    "aggregate-2": 8092,
    "evaluate": 8093,
    "kafka": 9092,
    "prometheus": 9090,
    "alertmanager": 9093,
}
"""Where everything listens on 127.0.0.1 if nothing else is said; Postgres has a Unix socket."""
ROLES = ("api-1", "api-2", "aggregate-1", "aggregate-2", "evaluate")


class Stack:
    """Everything, started in order on entering and stopped in order on leaving."""

    def __init__(
        self,
        directory: Path,
        *,
        ports: Mapping[str, int] = PORTS,
        interval_s: int | None = None,
        alertmanager_yml: str = NOBODY,
        fsync: bool = True,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.directory = directory
        self.ports = ports
        self._say = say
        for place in (directory, directory / "kafka", directory / "prometheus"):
            place.mkdir(parents=True, exist_ok=True)
        token = secrets.token_hex(32)
        self.postgres = EmbeddedPostgres(directory, fsync=fsync)
        self.broker = Broker(directory / "kafka", port=ports["kafka"])
        self.installation = Installation(
            self.postgres.url,
            directory,
            port=str(ports["api-1"]),
            kafka_bootstrap=self.broker.bootstrap,
            allow_single_broker="true",
            metrics_token=token,
        )
        self.prometheus = Prometheus(
            directory / "prometheus",
            port=ports["prometheus"],
            targets=files_of_targets(lambda name: f"127.0.0.1:{ports[name]}"),
            token=token,
            interval_s=interval_s,
        )
        self.alertmanager = Alertmanager(directory / "alertmanager", port=ports["alertmanager"], configuration=alertmanager_yml)
        kafka = Child("kafka", self.broker.command, self.broker.directory, ready=lambda: _listens(self.broker.port))
        services = (kafka, self.prometheus.child, self.alertmanager.child)
        self.children: dict[str, Child] = {each.name: each for each in (*services, *(self._role(name) for name in ROLES))}
        """Everything but Postgres, by the names of PORTS."""

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def address(self, name: str) -> str:
        """Where something answers over HTTP."""
        return f"http://127.0.0.1:{self.ports[name]}"

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of what runs."""
        found = {name: child.pid for name, child in self.children.items()} | {"postgres": self.postgres.pid}
        return {name: pid for name, pid in found.items() if pid is not None}

    def revive(self) -> list[str]:
        """Start again what ended by itself, and tell its names."""
        ended = [name for name, child in self.children.items() if child.ended_by_itself]
        for name in ended:
            self.children[name].start()
        if not self.postgres.running():
            asyncio.run(self.postgres.start())
            ended.append("postgres")
        if ended:
            self._tell()
        return ended

    def stop(self) -> None:
        """Stop everything, first whatever needs the others."""
        with contextlib.ExitStack() as clients:
            clients.push(self.installation)  # its clients
            roles = [self.children[name] for name in ROLES]
            for child in roles:
                child.ask_to_stop()
            for child in [*roles, self.prometheus.child, self.alertmanager.child, self.children["kafka"]]:
                child.stop()
            asyncio.run(self.postgres.stop())

    def _start(self) -> None:
        for name in ("kafka", "prometheus", "alertmanager"):
            self._say(f"starting {name}")
            self.children[name].start()
        self._say("starting postgres")
        asyncio.run(self.postgres.start())
        asyncio.run(migrate(self.postgres.url))
        self.children["kafka"].wait_until_ready()
        for name in ROLES:
            self._say(f"starting {name}")
            self.children[name].start()
        for child in self.children.values():
            child.wait_until_ready()
        self._tell()

    def _tell(self) -> None:
        """Say in `stack.json` where everything is."""
        state = {"addresses": {name: self.address(name) for name in self.ports if name != "kafka"}, "pids": self.pids}
        unfinished = self.directory / "stack.json.unfinished"
        unfinished.write_text(json.dumps(state, indent=2) + "\n")
        unfinished.rename(self.directory / "stack.json")

    def _role(self, name: str) -> Child:
        role = name.partition("-")[0]
        port = {"TIDEGAUGE_PORT" if role == "api" else "TIDEGAUGE_OPS_PORT": str(self.ports[name])}
        environment = {**self.installation.environment, **port, "TIDEGAUGE_PARENT_PID": str(os.getpid())}
        ready = f"{self.address(name)}/readyz"
        return Child(name, [*COMMAND, role], self.directory, ready=lambda: answers(ready), environment=environment)


def files_of_targets(address: Callable[[str], str]) -> dict[str, dict[str, str]]:
    """What Prometheus scrapes: `{file: {instance: HOST:PORT}}`, as in deploy/prometheus/targets."""

    def of(*names: str) -> dict[str, str]:
        return {name: address(name) for name in names}

    apis = [name for name in ROLES if name.startswith("api")]
    files = {"api": of(*apis), "roles": of(*(name for name in ROLES if name not in apis))}
    return files | {name: of(name) for name in ("prometheus", "alertmanager")}


def free_ports() -> dict[str, int]:
    """Ports of PORTS' names that nobody uses, all of them different."""
    return dict(zip(PORTS, supervisor.free_ports(len(PORTS)), strict=True))


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0
