"""Examples run as they stand, and what must be true of the service afterwards."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import pytest

from service.demo.client import Client
from tests.clients.weather import Attempt, Weather
from tests.e2e.harness import Installation

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "clients"
NODE = ROOT / "build" / "clients"
K6 = ROOT / "build" / "k6" / "k6-v1.8.1"
PYTHON = sys.executable
TIMEOUT_S = 300.0

Event = dict[str, Any]


def events(number: int, source: str = "/shop") -> list[Event]:
    """Requests of the last hours; ids and accounts that headers and bytes must carry unharmed, times in milliseconds."""
    begin = datetime.now(UTC) - timedelta(hours=3)
    return [
        {
            "specversion": "1.0",
            "id": f'Bestellung №{index} 100% "x"',
            "source": source,
            "type": "io.tidegauge.request.v1",
            "time": (begin + timedelta(seconds=index)).isoformat(timespec="milliseconds"),
            "account": f"Jörg & Søn {index % 3}",
            "data": {"service": "shop", "route": "/kasse", "status": 200 + index % 2, "latency_ms": 1 + index},
        }
        for index in range(number)
    ]


@dataclass(frozen=True, slots=True)
class Site:
    """A tenant of the running service."""

    service: Installation
    tenant: str
    write_key: str
    client: Client

    def counted_once(self, sent: Iterable[Event]) -> int:
        """The KPIs are those of the events, each once, and the ledger is right; gives back how many copies there were."""
        unique = {(event["source"], event["id"]): event["data"] for event in sent}
        self.client.settle(timeout_s=300, poll_s=0.05)
        bounds = {"start": f"{datetime.now(UTC) - timedelta(hours=20):%FT%H:00:00Z}"}
        latency = self.client.get("/v1/kpis/request_latency", **bounds, stat="count,min,max,mean")["statistics"]
        values = [data["latency_ms"] for data in unique.values()]
        found = {name: latency[name]["value"] for name in ("count", "min", "max", "mean")}
        mean = pytest.approx(sum(values) / len(values), rel=1e-12)
        assert found == {"count": len(values), "min": min(values), "max": max(values), "mean": mean}
        for status in {data["status"] for data in unique.values()}:
            wanted = sum(data["status"] == status for data in unique.values())
            assert self.client.get("/v1/kpis/requests", **bounds, status=str(status))["value"] == wanted
        ledger = self.client.get("/v1/ledger")
        assert ledger["installation"] == {"pending": 0, "balanced": True}
        assert self.stored() == len(unique)
        return sum(row["duplicate"] for row in ledger["rows"])

    def counted(self, number: int) -> None:
        """So many events are counted, and the ledger is right."""
        self.client.settle(timeout_s=300, poll_s=0.05)
        assert self.client.get("/v1/kpis/requests", window="24h")["value"] == self.stored() == number
        assert self.client.get("/v1/ledger")["installation"]["balanced"]

    def stored(self) -> int:
        """How many events of the tenant are stored."""
        return sum(row["stored"] for row in self.client.get("/v1/ledger")["rows"])

    def dead_lettered(self) -> int:
        """How many events of the tenant lie in the dead letters."""
        return sum(row["dead_lettered"] for row in self.client.get("/v1/ledger")["rows"])


class Example:
    """One run of an example: events go in by lines, what could not be delivered comes out."""

    def __init__(self, command: Iterable[str], key: str = "", **environment: str) -> None:
        self._error = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115  # ends with the run
        self._output = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            list(command),
            cwd=FOLDER,
            env={**os.environ, "TIDEGAUGE_KEY": key, **environment},
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=self._error,
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._error.close()
        self._output.close()

    def feed(self, sent: Iterable[Event]) -> None:
        """Give it events, a line each."""
        self.feed_lines(map(line_of, sent))

    def feed_lines(self, lines: Iterable[str]) -> None:
        """Give it lines, whatever they are; what is not UTF-8 stands in them as surrogates."""
        assert self._process.stdin is not None
        self._process.stdin.writelines(lines)
        self._process.stdin.flush()

    def end(self) -> int:
        """Nothing more comes; gives back its exit code."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._process.wait(TIMEOUT_S)

    @property
    def unsent(self) -> list[Event]:
        """The events that it printed, since it could not deliver them."""
        self._output.seek(0)
        return [json.loads(line) for line in self._output]

    @property
    def output(self) -> str:
        """All that it printed."""
        self._output.seek(0)
        return self._output.read()

    @property
    def errors(self) -> str:
        """What it told on its error output."""
        self._error.seek(0)
        return self._error.read()


def line_of(event: Event) -> str:
    return json.dumps(event, ensure_ascii=False) + "\n"


def write_lines(file: Path, sent: Iterable[Event]) -> None:
    """Write events as examples read them."""
    file.write_text("".join(map(line_of, sent)), encoding="utf-8")


def javascript(name: str) -> Path:
    """An example for Node, copied to where its package is installed; fails where it is not."""
    if not (NODE / "node_modules").is_dir():
        raise RuntimeError("these tests need npm's package cloudevents: run deploy/install-tools.sh, or `make tools`")
    place = NODE / name
    # Others may be running it from there: it is never half written.
    unfinished = NODE / f"{name}.{os.getpid()}"
    unfinished.write_text((FOLDER / name).read_text())
    return unfinished.replace(place)


def until(true: Callable[[], object], what: str) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + TIMEOUT_S
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def obeyed(attempts: list[Attempt], retry_after_s: float) -> None:
    """No request came again before the time it was given, nor after it was answered for good; a copy is the same bytes."""
    by_body: dict[bytes, list[Attempt]] = {}
    for attempt in attempts:
        by_body.setdefault(attempt.content, []).append(attempt)
    for several in by_body.values():
        for before, after in pairwise(several):
            assert before.status not in {202, 422}, "it sent again what was answered for good"
            if before.weather in {Weather.UNAVAILABLE, Weather.TOO_MANY}:
                assert after.came_s - before.answered_s >= retry_after_s
