"""`tidegauge up`: everything with one command, and nothing that is killed does harm."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from service.demo import pilot
from service.store.embedded import EmbeddedPostgres
from service.supervisor import free_port

TIMEOUT_S = 600.0


class Up:
    """`tidegauge up` in a directory, with what it prints."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self.output = directory / "up.log"
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *words: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGAUGE_")}
        environment |= {"TIDEGAUGE_DATA": str(self.data), "TIDEGAUGE_PORT": str(self.port), "TIDEGAUGE_LEASE_S": "3"}
        with self.output.open("wb") as sink:
            command = [sys.executable, "-m", "service.cli", "up", *words]
            self.process = subprocess.Popen(command, env=environment, stdout=sink, stderr=sink, start_new_session=True)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not condition():
            assert time.monotonic() < deadline, f"{what}: {self.said()}"
            assert self.process is None or self.process.poll() is None, self.said()
            time.sleep(0.1)

    def said(self) -> str:
        return self.output.read_text()

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.address}/readyz", timeout=60.0, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def children(self) -> dict[str, int]:
        """Process ids of the roles by their name."""
        assert self.process is not None
        found: dict[str, int] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    parent = int(re.search(r"PPid:\t(\d+)", (entry / "status").read_text())[1])  # type: ignore[index]
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                except (OSError, TypeError):
                    continue
                if parent == self.process.pid and b"service.cli" in words:
                    found[words[words.index(b"service.cli") + 1].decode()] = int(entry.name)
        return found

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(180)
        self.process = None
        return code


@pytest.fixture
def up() -> Iterator[Up]:
    with tempfile.TemporaryDirectory(prefix="tidegauge-up-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)  # as root Postgres runs as another user, who must get there
        made = Up(Path(directory))
        yield made
        if made.process is not None:
            made.process.kill()
            made.process.wait()


def test_a_first_start_replays_the_pilot_week_and_a_second_one_finds_it_again(up: Up) -> None:
    up.start()
    up.until(lambda: "curl -s" in up.said(), "the demonstration is shown")
    said = up.said()
    assert "6 of 6 met" in said
    assert "user-days" in said
    command = next(line.strip() for line in said.splitlines() if line.strip().startswith("curl"))
    answer = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(answer.stdout)["kpi"] == "requests"
    assert up.stop() == 0

    demo = json.loads((up.data / "demo.json").read_text())
    assert (up.data / "demo.json").stat().st_mode & 0o077 == 0
    up.start()
    up.until(lambda: "curl -s" in up.said(), "the figures are shown again")
    assert "Replaying" not in up.said()
    reader = {"authorization": f"Bearer {demo['read_key']}"}
    found = httpx.get(
        f"{up.address}/v1/kpis/dau/series?start={demo['monday']}&step=1d", headers=reader, trust_env=False, timeout=60
    ).json()
    assert [point["value"] for point in found["points"]][:7] == pilot.expected()["dau"]
    assert up.stop() == 0


def test_whatever_is_killed_is_back_within_seconds_and_nothing_is_lost(up: Up) -> None:
    up.start("--no-demo")
    up.until(up.ready, "ready")
    up.until(lambda: set(up.children()) == {"api", "aggregate", "evaluate"}, "every role runs")
    for role, pid in up.children().items():
        os.kill(pid, signal.SIGKILL)
        up.until(lambda role=role, pid=pid: up.children().get(role, pid) != pid, f"{role} is back")  # type: ignore[misc]
    postgres = EmbeddedPostgres(up.data)
    server = postgres.pid
    assert server is not None
    os.kill(server, signal.SIGKILL)
    up.until(lambda: postgres.pid not in {None, server}, "Postgres is back")
    up.until(up.ready, "ready again")
    assert up.stop(signal.SIGTERM) == 0
    assert not postgres.running()


def test_a_killed_supervisor_leaves_nothing_running_and_the_next_start_goes_on(up: Up) -> None:
    up.start("--no-demo")
    up.until(up.ready, "ready")
    children = up.children()
    postgres = EmbeddedPostgres(up.data)
    assert up.process is not None
    up.process.kill()
    up.process.wait()
    up.process = None
    up.until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children.values()), "the roles are gone")
    up.until(lambda: not postgres.running(), "Postgres is gone")
    up.start("--no-demo")
    up.until(up.ready, "ready")
    assert up.stop() == 0


def test_a_second_one_on_the_same_data_is_refused_with_the_way_out(up: Up) -> None:
    up.start("--no-demo")
    up.until(up.ready, "ready")
    environment = {**os.environ, "TIDEGAUGE_DATA": str(up.data), "TIDEGAUGE_PORT": str(free_port())}
    second = subprocess.run(
        [sys.executable, "-m", "service.cli", "up"], env=environment, capture_output=True, text=True, timeout=180, check=False
    )
    assert second.returncode == 1
    assert "TIDEGAUGE_DATA" in second.stderr
    assert up.stop() == 0
