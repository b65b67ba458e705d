"""Driving a load client's process."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

import msgspec

from loadtests.pace import ACCEPTED
from loadtests.plan import Http, Outcome, Plan, Progress, Topic
from loadtests.processes import cpu_s
from loadtests.traffic import FAMILIES, Population

PATIENCE_S = 180.0
"""How much longer than its plan a client may take."""
LONGEST_WARM_UP_S = 3.0
MODULES = {Http: "loadtests.http_client", Topic: "loadtests.topic_client"}


class LoadClient:
    """A running load client; made by `sending`."""

    def __init__(self, process: asyncio.subprocess.Process, plan: Plan) -> None:
        self._process = process
        self._patience_s = plan.warm_up_s + plan.seconds + PATIENCE_S
        self._begun = asyncio.Event()
        self._outcome: Outcome | None = None
        self.acknowledged = 0
        """Events, since its start, as of at most a tenth of a second ago."""

    def cpu_s(self) -> float:
        """CPU-seconds that it has used."""
        return cpu_s(self._process.pid)

    async def begun(self) -> None:
        """Wait until its warm-up is over; raises RuntimeError when it ended instead."""
        async with asyncio.timeout(self._patience_s):
            await self._begun.wait()
        if self._process.stdout is not None and self._process.stdout.at_eof() and self._outcome is None:
            raise RuntimeError("the load client ended before its warm-up was over: its error stands above")

    async def outcome(self) -> Outcome:
        """What it sent, once it is done; raises RuntimeError when anything was not taken as it should be."""
        async with asyncio.timeout(self._patience_s):
            await self._process.wait()
            while self._process.stdout is not None and not self._process.stdout.at_eof():  # noqa: ASYNC110  # `listen` reads it
                await asyncio.sleep(0.01)
        if self._outcome is None:
            raise RuntimeError("the load client ended without a result: its error stands above")
        if self._outcome.answers.keys() - {ACCEPTED}:
            said = f"{self._outcome.answers}; the first complaint: {self._outcome.complaint}"
            raise RuntimeError(f"not every request was taken: {said}")
        return self._outcome

    async def say(self, word: bytes) -> None:
        """`pause`, `go` or `stop`; nobody hears it when the client is done."""
        if self._process.stdin is not None and self._process.returncode is None:
            with contextlib.suppress(ConnectionError):
                self._process.stdin.write(word + b"\n")
                await self._process.stdin.drain()

    async def listen(self) -> None:
        """Take in what it says, until it ends."""
        assert self._process.stdout is not None  # noqa: S101  # made with a pipe
        decoder = msgspec.json.Decoder(Progress | Outcome)
        try:
            while line := await self._process.stdout.readline():
                said = decoder.decode(line)
                if isinstance(said, Outcome):
                    self._outcome, self.acknowledged = said, said.acknowledged
                    continue
                self.acknowledged = said.acknowledged
                if said.begun:
                    self._begun.set()
        finally:
            self._begun.set()


@contextlib.asynccontextmanager
async def sending(plan: Plan) -> AsyncIterator[LoadClient]:
    """A client that carries out the plan; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", MODULES[type(plan.to)], stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    client = LoadClient(process, plan)
    listening = asyncio.create_task(client.listen())
    try:
        await client.say(msgspec.json.encode(plan))
        yield client
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.wait()
        await listening


def warm_up_s(seconds: float) -> float:
    """How long to warm up before so long a measurement."""
    return min(LONGEST_WARM_UP_S, seconds / 4)


def plan_of(
    population: Population,
    *,
    to: Http | Topic,
    seconds: float,
    events_a_request: int = 500,
    connections: int = 8,
    requests_per_s: float | None = None,
    families: frozenset[str] = frozenset(FAMILIES),
    most_events: int | None = None,
) -> Plan:
    """A plan with a warm-up before so many seconds."""
    return Plan(
        to=to,
        population=population,
        families=sorted(families),
        connections=connections,
        events_a_request=events_a_request,
        requests_per_s=requests_per_s,
        warm_up_s=warm_up_s(seconds),
        seconds=seconds,
        most_events=most_events,
    )
