"""What all load clients do: send as fast as a plan says, pause when told to, count, and say how far they are."""

import asyncio
import sys
import time
from abc import ABC, abstractmethod
from collections import Counter, deque

import msgspec

from loadtests.plan import Outcome, Plan, Progress

ACCEPTED = "202"
"""What an answer as it should be counts as; Kafka's acknowledgements too."""
GIVEN_UP = "given_up"
MAX_DUE = 10_000
"""Requests that may wait for a connection at a fixed rate; those beyond are given up and counted."""
TICK_S = 0.002
PROGRESS_S = 0.1
DRAIN_TIMEOUT_S = 60.0
"""How long the last answers may take."""


class Pace(ABC):
    """Sends by a plan; how one request is sent is its subclass's."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.running = True
        self.counting = False
        self.failure: Exception | None = None
        self.body_bytes = 0
        self._due: deque[float] = deque()
        self._paused = self._stopped = False
        self._latencies_s: list[float] = []
        self._answers: Counter[str] = Counter()
        self._acknowledged = 0
        self._complaint = ""

    @abstractmethod
    async def prepare(self) -> None:
        """Connect what is not connected: at first, and again while it runs."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether a request can be sent now."""

    @abstractmethod
    def dispatch(self, since_s: float) -> None:
        """Send a request that was due at `since_s` (perf_counter); its answer comes to `answered`."""

    @abstractmethod
    def busy(self) -> bool:
        """Whether a request is not answered yet."""

    def answered(self, since_s: float, answer: str, complaint: str = "") -> None:
        """Count an answer, and go on sending."""
        if answer == ACCEPTED:
            self._acknowledged += self.plan.events_a_request
        elif not self._complaint:
            self._complaint = complaint
        if self.counting:
            self._latencies_s.append(time.perf_counter() - since_s)
            self._answers[answer] += 1
        self._send()

    def obey(self, word: bytes) -> None:
        """`pause`, `go` or `stop`."""
        self._paused, self._stopped = word == b"pause", self._stopped or word == b"stop"
        self._send()

    async def run(self) -> Outcome:
        """Send from now on for the plan's time; raises what ended a connection."""
        plan = self.plan
        await self.prepare()
        began_s = told_s = time.perf_counter()
        end_s = began_s + plan.warm_up_s + plan.seconds
        counted_s, counted_cpu_s = began_s, time.process_time()
        planned = 0
        while not self._done(now_s := time.perf_counter(), end_s):
            if not self.counting and now_s - began_s >= plan.warm_up_s:
                self.counting, counted_s, counted_cpu_s = True, now_s, time.process_time()
            if self.failure is not None:
                raise self.failure
            if now_s - told_s >= PROGRESS_S:
                told_s = now_s
                _tell(Progress(begun=self.counting, acknowledged=self._acknowledged))
            if not self._paused:
                await self.prepare()
            if plan.requests_per_s is not None:
                while planned / plan.requests_per_s <= now_s - began_s:
                    self._schedule(began_s + planned / plan.requests_per_s)
                    planned += 1
            self._send()
            await asyncio.sleep(TICK_S)
        self.counting = self.running = False
        seconds, cpu_s = time.perf_counter() - counted_s, time.process_time() - counted_cpu_s
        async with asyncio.timeout(DRAIN_TIMEOUT_S):
            while self.busy():  # noqa: ASYNC110  # answers come from connections that know of no condition
                await asyncio.sleep(TICK_S)
        return self._outcome(seconds, cpu_s)

    def _done(self, now_s: float, end_s: float) -> bool:
        """The time is over or it was told to stop, and something was counted; or as many events as wanted are acknowledged."""
        if self.plan.most_events is not None and self._acknowledged >= self.plan.most_events:
            return True
        return (self._stopped or now_s >= end_s) and (bool(self._latencies_s) or now_s >= end_s + DRAIN_TIMEOUT_S)

    def _schedule(self, due_s: float) -> None:
        if len(self._due) < MAX_DUE:
            self._due.append(due_s)
        elif self.counting:
            self._answers[GIVEN_UP] += 1

    def _send(self) -> None:
        at_will = self.plan.requests_per_s is None
        while self.running and not self._paused and self.ready() and (at_will or self._due):
            self.dispatch(time.perf_counter() if at_will else self._due.popleft())

    def _outcome(self, seconds: float, cpu_s: float) -> Outcome:
        latencies_s = sorted(self._latencies_s) or [0.0]
        requests = len(self._latencies_s)
        return Outcome(
            seconds=seconds,
            requests=requests,
            events=requests * self.plan.events_a_request,
            body_bytes=self.body_bytes,
            answers=dict(self._answers),
            p50_ms=1_000 * nearest_rank(latencies_s, 50),
            p99_ms=1_000 * nearest_rank(latencies_s, 99),
            cpu_s=cpu_s,
            acknowledged=self._acknowledged,
            complaint=self._complaint,
        )


def nearest_rank(ordered: list[float], percent: int) -> float:
    """The nearest-rank percentile of sorted values."""
    return ordered[-(-percent * len(ordered) // 100) - 1]


async def carry_out(pace: Pace) -> None:
    """Run a plan to its end, hearing words on standard input meanwhile, and print the outcome."""
    listening = asyncio.create_task(_listen(pace))
    try:
        _tell(await pace.run())
    finally:
        listening.cancel()


def plan_from_input() -> Plan:
    """The plan, a line on standard input."""
    return msgspec.json.decode(sys.stdin.buffer.readline(), type=Plan)


async def _listen(pace: Pace) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while word := (await reader.readline()).strip():
        pace.obey(word)


def _tell(word: Progress | Outcome) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(word) + b"\n")
    sys.stdout.buffer.flush()
