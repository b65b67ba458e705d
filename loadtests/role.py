"""A role of the service as a process of its own, as `tidegauge up` would start it."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from loadtests.processes import cpu_s
from loadtests.site import Database, Site
from service.supervisor import free_port

READY_TIMEOUT_S = 300.0
READY_POLL_S = 0.1
STOP_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Role:
    """A running role."""

    name: str
    pid: int
    port: int
    log: Path

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def cpu_s(self) -> float:
        """CPU-seconds that it has used."""
        return cpu_s(self.pid)

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text()[-2_000:]

    async def metrics(self) -> dict[str, float]:
        """Its metrics that have no labels."""
        async with httpx.AsyncClient(trust_env=False, timeout=60.0) as client:
            text = (await client.get(f"{self.address}/metrics")).text
        return {
            sample.name: sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if not sample.labels
        }


@contextlib.asynccontextmanager
async def running(site: Site, name: str, database: Database, settings: Mapping[str, str] | None = None) -> AsyncIterator[Role]:
    """A role that is ready; stopped at the end.

    Raises RuntimeError with its log's end when it does not start.
    """
    port, log = free_port(), site.directory / f"{database.name}-{name}.log"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TIDEGAUGE_")}
    given = {**database.settings, **(settings or {})}
    environment |= {
        "TIDEGAUGE_DATABASE_URL": database.url,
        "TIDEGAUGE_DATA": str(site.directory),
        "TIDEGAUGE_PORT" if name == "api" else "TIDEGAUGE_OPS_PORT": str(port),
        "TIDEGAUGE_PARENT_PID": str(os.getpid()),
        "TIDEGAUGE_LOG_LEVEL": "warning",
        "POLARS_MAX_THREADS": "1",
        **{f"TIDEGAUGE_{key.upper()}": value for key, value in given.items()},
    }
    with log.open("ab") as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "service.cli", name, env=environment, stdout=sink, stderr=sink, start_new_session=True
        )
    role = Role(name, process.pid, port, log)
    try:
        await _ready(role, process)
        yield role
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def _ready(role: Role, process: asyncio.subprocess.Process) -> None:
    loop = asyncio.get_running_loop()
    deadline, answer = loop.time() + READY_TIMEOUT_S, "nothing"
    async with httpx.AsyncClient(trust_env=False, timeout=60.0) as client:
        while loop.time() < deadline and process.returncode is None:
            with contextlib.suppress(httpx.HTTPError):
                answered = await client.get(f"{role.address}/readyz")
                if answered.is_success:
                    return
                answer = answered.text
            await asyncio.sleep(READY_POLL_S)
    raise RuntimeError(f"the role {role.name} did not become ready: /readyz says {answer}; its log: {role.said()}")
