"""`make stack`: the topology of a deployment on one machine, from an event at one door to a KPI at all others."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.child import answers
from tests.e2e.monitoring import DEPLOY
from tests.e2e.stack import PORTS, ROLES
from tests.rules.told import SHOWN_BY_MONITORING

TIMEOUT_S = 300.0
APIS = ("api-1", "api-2")
EVENT = {
    "specversion": "1.0",
    "id": "r-1",
    "source": "/services/api",
    "type": "io.tidegauge.request.v1",
    "data": {"service": "api", "route": "/reports", "status": 200, "latency_ms": 41.7},
}


@dataclass
class Foreground:
    """`make stack` as somebody's terminal has it."""

    process: subprocess.Popen[bytes]
    directory: Path

    def until(self, true: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not true():
            assert time.monotonic() < deadline, f"{what}: {self.said()}"
            assert self.process.poll() is None, self.said()
            time.sleep(0.2)

    def said(self) -> str:
        return (self.directory / "output.log").read_text()

    @property
    def addresses(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.directory / "stack.json").read_text())["addresses"]
        return found

    @property
    def pids(self) -> dict[str, int]:
        found: dict[str, int] = json.loads((self.directory / "stack.json").read_text())["pids"]
        return found

    def command(self, *words: str) -> str:
        """One command of `tidegauge`, as the stack says how."""
        script = f'. "{self.directory}/environment" && exec "{sys.executable}" -m service.cli "$@"'
        done = subprocess.run(["bash", "-c", script, "_", *words], capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
        return done.stdout.strip()

    def ask(self, name: str, path: str, **parameters: str) -> Any:
        answer = httpx.get(f"{self.addresses[name]}{path}", params=parameters, timeout=TIMEOUT_S, trust_env=False)
        answer.raise_for_status()
        return answer.json()["data"]


@pytest.fixture
def foreground() -> Iterator[Foreground]:
    with tempfile.TemporaryDirectory(prefix="tidegauge-stack-", ignore_cleanup_errors=True) as made:
        directory = Path(made)
        directory.chmod(0o755)  # as root Postgres runs as another user, who must get there
        words = ["--directory", made, "--free-ports", "--interval-s", "1"]
        with (directory / "output.log").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.e2e.run_stack", *words], stdout=output, stderr=output, start_new_session=True
            )
        try:
            yield Foreground(process, directory)
        finally:
            process.kill()
            process.wait()


def test_an_event_at_one_door_is_a_kpi_at_the_other_and_in_prometheus_and_a_stop_leaves_nothing(foreground: Foreground) -> None:
    foreground.until(lambda: "The stack is up" in foreground.said(), "it starts")
    foreground.command("tenants", "create", "acme", "--timezone", "UTC")
    key = {"authorization": f"Bearer {foreground.command('keys', 'create', '--tenant', 'acme', '--scopes', 'ingest,read')}"}
    first, other = (
        httpx.Client(base_url=foreground.addresses[name], headers=key, timeout=TIMEOUT_S, trust_env=False) for name in APIS
    )
    with first, other:
        sent = first.post("/v1/events", json=EVENT)
        assert sent.json() == {"accepted": 1, "rejected": []}
        foreground.until(lambda: other.get("/v1/kpis/requests?window=1h").json()["value"] == 1, "the other API shows it")

    expected = {("tidegauge", name) for name in ROLES} | {("tidegauge-kpis", name) for name in APIS}
    expected |= {("monitoring", name) for name in ("prometheus", "alertmanager")}
    foreground.until(lambda: scraped(foreground) == dict.fromkeys(expected, True), "each instance is scraped by itself")
    wanted = 'tidegauge_requests{tenant="acme",window="1h",service="",stat=""} == 1'
    foreground.until(lambda: instances(foreground, wanted) == set(APIS), "each API shows the KPI to Prometheus")
    foreground.until(
        lambda: all(instances(foreground, f'{name}{{job="monitoring"}}') for name in SHOWN_BY_MONITORING),
        "Prometheus and Alertmanager show what rules read of them",
    )
    known = foreground.ask("prometheus", "/api/v1/alertmanagers")["activeAlertmanagers"]
    assert [each["url"] for each in known] == [f"{foreground.addresses['alertmanager']}/api/v2/alerts"]

    loaded = {Path(group["file"]).name for group in foreground.ask("prometheus", "/api/v1/rules")["groups"]}
    assert loaded == {file.name for file in (DEPLOY / "prometheus" / "rules").glob("*.yml")}

    killed = foreground.pids["aggregate-1"]
    os.kill(killed, signal.SIGKILL)
    foreground.until(lambda: "aggregate-1 died, and is started again" in foreground.said(), "a killed role is seen")
    foreground.until(lambda: answers(f"{foreground.addresses['aggregate-1']}/readyz"), "it is back")
    pids = foreground.pids
    foreground.process.send_signal(signal.SIGINT)
    assert foreground.process.wait(TIMEOUT_S) == 0, foreground.said()
    assert "The data is kept" in foreground.said()
    assert [name for name, pid in pids.items() if runs(pid)] == []
    for name in ROLES:
        log = (foreground.directory / f"{name}.log").read_text()
        assert "role_stopped" in log, log


def scraped(foreground: Foreground) -> dict[tuple[str, str], bool]:
    active = foreground.ask("prometheus", "/api/v1/targets", state="active")["activeTargets"]
    return {(one["labels"]["job"], one["labels"]["instance"]): one["health"] == "up" for one in active}


def instances(foreground: Foreground, expression: str) -> set[str]:
    found = foreground.ask("prometheus", "/api/v1/query", query=expression)["result"]
    return {each["metric"]["instance"] for each in found}


def runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_a_child_ends_when_whoever_started_it_is_killed(tmp_path: Path) -> None:
    script = (
        "import time\n"
        "from pathlib import Path\n"
        "from tests.e2e.child import Child\n"
        f"child = Child('sleeper', ['sleep', '3600'], Path({str(tmp_path)!r}), ready=lambda: True)\n"
        "child.start()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(3600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert runs(child)
        parent.kill()
    deadline = time.monotonic() + TIMEOUT_S
    while runs(child):
        assert time.monotonic() < deadline, "it still runs"
        time.sleep(0.05)


def test_a_port_that_is_taken_is_named_with_the_way_out(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        shift = taken.getsockname()[1] - PORTS["api-1"]
        words = ["--directory", str(tmp_path), "--shift", str(shift)]
        refused = subprocess.run(
            [sys.executable, "-m", "tests.e2e.run_stack", *words], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    assert refused.returncode == 1
    assert f"port {PORTS['api-1'] + shift} of api-1 is taken: stop what listens there, or add ARGS='--shift" in refused.stderr
    assert not (tmp_path / "kafka").exists()
