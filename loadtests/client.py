"""Driving the load client's process."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

import msgspec

from loadtests.http_client import BEGUN, Outcome, Plan
from loadtests.traffic import FAMILIES, Population

PATIENCE_S = 60.0
"""How much longer than its plan a client may take."""
ACCEPTED = "202"
LONGEST_WARM_UP_S = 3.0


class LoadClient:
    """A running load client; made by `sending`."""

    def __init__(self, process: asyncio.subprocess.Process, plan: Plan) -> None:
        self._process = process
        self._plan = plan

    async def begun(self) -> None:
        """Wait until its warm-up is over; raises RuntimeError when it ended instead."""
        if await self._line() != BEGUN:
            raise RuntimeError("the load client ended before its warm-up was over: its error stands above")

    async def outcome(self) -> Outcome:
        """What it sent, once it is done; raises RuntimeError when anything was not taken as it should be."""
        line = await self._line()
        if not line:
            raise RuntimeError("the load client ended without a result: its error stands above")
        outcome = msgspec.json.decode(line, type=Outcome)
        if outcome.answers.keys() - {ACCEPTED}:
            raise RuntimeError(f"not every request was taken: {outcome.answers}; the first complaint: {outcome.complaint}")
        return outcome

    async def say(self, word: bytes) -> None:
        """`pause` or `go`."""
        assert self._process.stdin is not None  # noqa: S101  # made with a pipe
        self._process.stdin.write(word + b"\n")
        await self._process.stdin.drain()

    async def _line(self) -> bytes:
        assert self._process.stdout is not None  # noqa: S101  # made with a pipe
        async with asyncio.timeout(self._plan.warm_up_s + self._plan.seconds + PATIENCE_S):
            return await self._process.stdout.readline()


@contextlib.asynccontextmanager
async def sending(plan: Plan) -> AsyncIterator[LoadClient]:
    """A client that carries out the plan; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtests.http_client", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    client = LoadClient(process, plan)
    try:
        await client.say(msgspec.json.encode(plan))
        yield client
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.wait()


def warm_up_s(seconds: float) -> float:
    """How long to warm up before so long a measurement."""
    return min(LONGEST_WARM_UP_S, seconds / 4)


def plan_of(
    population: Population,
    *,
    port: int,
    keys: tuple[str, ...],
    seconds: float,
    events_a_request: int = 500,
    connections: int = 8,
    requests_per_s: float | None = None,
    families: frozenset[str] = frozenset(FAMILIES),
) -> Plan:
    """A plan for all keys of a database."""
    return Plan(
        port=port,
        keys=list(keys),
        population=population,
        families=sorted(families),
        connections=connections,
        events_a_request=events_a_request,
        requests_per_s=requests_per_s,
        warm_up_s=warm_up_s(seconds),
        seconds=seconds,
    )
