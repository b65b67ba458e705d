"""The load client, a process of its own so that its CPU is not the server's: `python -m loadtests.http_client`.

Reads a Plan (a JSON line), prints a line when the warm-up is over, and an Outcome at the end. Lines `pause` and `go`
on its standard input hold it and let it go on.
"""

import asyncio
import sys
import time
from collections import Counter, deque
from typing import Literal

import msgspec
import uvloop

from loadtests.traffic import Population, Traffic
from service.clock import SystemClock

BEGUN = b"begun\n"
MAX_DUE = 10_000
"""Requests that may wait for a connection at a fixed rate; those beyond are given up and counted."""
TICK_S = 0.002
CONNECT_TIMEOUT_S = 10.0


class Plan(msgspec.Struct, kw_only=True):
    """What to send."""

    port: int
    keys: list[str]
    """By tenant."""
    population: Population
    families: list[str]
    connections: int
    events_a_request: int
    """1: each event by itself, in structured mode."""
    requests_per_s: float | None
    """None: each connection sends again as soon as it is answered."""
    warm_up_s: float
    seconds: float


class Outcome(msgspec.Struct, kw_only=True):
    """What was sent after the warm-up, and what came back."""

    seconds: float
    requests: int
    events: int
    body_bytes: int
    answers: dict[str, int]
    """By status; `unlike`: a 202 that rejected something; `given_up`: no connection was free for too long."""
    p50_ms: float
    p99_ms: float
    """From when a request was due (or sent) to its answer."""
    cpu_s: float
    complaint: str
    """The first answer that was not as it should be."""


class _Connection(asyncio.Protocol):
    """One keep-alive connection with one request in flight."""

    def __init__(self, load: "_Load") -> None:
        self._load = load
        self._received = b""
        self.since_s = 0.0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a TCP connection's

    def send(self, request: bytes, since_s: float) -> None:
        self.since_s = since_s
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, gap, body = self._received.partition(b"\r\n\r\n")
        if not gap:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._received = b""
        self._load.answered(self, int(head[9:12]), body)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost(self, exc)


class _Load:
    """Sends by the plan, and counts."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._clock = SystemClock()
        families = frozenset(plan.families)
        self._traffic = [Traffic(plan.population, number, families=families) for number in range(len(plan.keys))]
        kind = "cloudevents+json" if plan.events_a_request == 1 else "cloudevents-batch+json"
        self._heads = [
            f"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/{kind}\r\nContent-Length: "
            for key in plan.keys
        ]
        self._turn = 0
        self._idle: deque[_Connection] = deque()
        self._missing = plan.connections
        self._due: deque[float] = deque()
        self._paused = False
        self._running = True
        self._failure: Exception | None = None
        self.counting = False
        self.requests = self.body_bytes = 0
        self.latencies_s: list[float] = []
        self.answers: Counter[str] = Counter()
        self.complaint = ""

    def answered(self, connection: _Connection, status: int, body: bytes) -> None:
        as_it_should_be = status == 202 and b'"rejected":[]' in body  # noqa: PLR2004
        if not as_it_should_be and not self.complaint:
            self.complaint = body[:500].decode(errors="replace")
        if self.counting:
            self.requests += 1
            self.latencies_s.append(time.perf_counter() - connection.since_s)
            self.answers["unlike" if status == 202 and not as_it_should_be else str(status)] += 1  # noqa: PLR2004
        self._idle.append(connection)
        self._send()

    def lost(self, connection: _Connection, error: Exception | None) -> None:
        """The server closes what has been idle for long, as in a pause; with a request under way it may not."""
        if connection in self._idle:
            self._idle.remove(connection)
            self._missing += 1
        elif self._running:
            self._failure = error or ConnectionError("the server closed a connection with a request under way")

    def obey(self, word: bytes) -> None:
        """`pause` or `go`."""
        self._paused = word == b"pause"
        self._send()

    async def run(self) -> None:
        """Send from now on for the plan's time; raises what ended a connection."""
        await self._connect()
        began_s = time.perf_counter()
        end_s = began_s + self._plan.warm_up_s + self._plan.seconds
        planned = 0
        while (now_s := time.perf_counter()) < end_s:
            if not self.counting and now_s - began_s >= self._plan.warm_up_s:
                self._begin()
            if self._failure is not None:
                raise self._failure
            if self._missing and not self._paused:
                await self._connect()
            if self._plan.requests_per_s is not None:
                while planned / self._plan.requests_per_s <= now_s - began_s:
                    self._schedule(began_s + planned / self._plan.requests_per_s)
                    planned += 1
            self._send()
            await asyncio.sleep(TICK_S)
        self.counting = self._running = False
        self.seconds = time.perf_counter() - self._begun_s
        self.cpu_s = time.process_time() - self._begun_cpu_s

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            while self._missing:
                _, made = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._plan.port)
                self._missing -= 1
                self._idle.append(made)

    def _begin(self) -> None:
        self.counting = True
        self._begun_s, self._begun_cpu_s = time.perf_counter(), time.process_time()
        sys.stdout.buffer.write(BEGUN)
        sys.stdout.buffer.flush()

    def _schedule(self, due_s: float) -> None:
        if len(self._due) < MAX_DUE:
            self._due.append(due_s)
        elif self.counting:
            self.answers["given_up"] += 1

    def _send(self) -> None:
        at_will = self._plan.requests_per_s is None
        while self._running and not self._paused and self._idle and (at_will or self._due):
            since_s = time.perf_counter() if at_will else self._due.popleft()
            self._idle.popleft().send(self._request(), since_s)

    def _request(self) -> bytes:
        tenant = self._turn = (self._turn + 1) % len(self._heads)
        count, now_us = self._plan.events_a_request, self._clock.now_us()
        traffic = self._traffic[tenant]
        body = traffic.events(1, now_us)[0].encode() if count == 1 else traffic.body(count, now_us)
        if self.counting:
            self.body_bytes += len(body)
        return f"{self._heads[tenant]}{len(body)}\r\n\r\n".encode() + body


async def _listen(load: _Load) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while word := (await reader.readline()).strip():
        load.obey(word)


async def main(plan: Plan) -> Outcome:
    """Carry out a plan."""
    load = _Load(plan)
    listening = asyncio.create_task(_listen(load))
    await load.run()
    listening.cancel()
    latencies = sorted(load.latencies_s) or [0.0]

    def nearest_rank_ms(percent: Literal[50, 99]) -> float:
        return 1_000 * latencies[-(-percent * len(latencies) // 100) - 1]

    return Outcome(
        seconds=load.seconds,
        requests=load.requests,
        events=load.requests * plan.events_a_request,
        body_bytes=load.body_bytes,
        answers=dict(load.answers),
        p50_ms=nearest_rank_ms(50),
        p99_ms=nearest_rank_ms(99),
        cpu_s=load.cpu_s,
        complaint=load.complaint,
    )


if __name__ == "__main__":
    outcome = uvloop.run(main(msgspec.json.decode(sys.stdin.buffer.readline(), type=Plan)))
    sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n")
