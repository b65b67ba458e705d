"""The load client over HTTP, a process of its own so that its CPU is not the server's: `python -m loadtests.http_client`."""

import asyncio
from collections import deque

import uvloop

from loadtests.pace import ACCEPTED, Pace, carry_out, plan_from_input
from loadtests.plan import Http, Plan
from loadtests.traffic import Traffic
from service.clock import SystemClock

CONNECT_TIMEOUT_S = 60.0


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
        self._load.freed(self, head[9:12].decode(), body)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost(self, exc)


class _Load(Pace):
    """Requests of the tenants by turns, over connections that are kept."""

    def __init__(self, plan: Plan, to: Http) -> None:
        super().__init__(plan)
        self._port = to.port
        self._clock = SystemClock()
        families = frozenset(plan.families)
        self._traffic = [Traffic(plan.population, number, families=families) for number in range(len(to.keys))]
        kind = "cloudevents+json" if plan.events_a_request == 1 else "cloudevents-batch+json"
        self._heads = [
            f"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/{kind}\r\nContent-Length: "
            for key in to.keys
        ]
        self._turn = 0
        self._idle: deque[_Connection] = deque()
        self._missing = plan.connections

    def freed(self, connection: _Connection, status: str, body: bytes) -> None:
        """An answer came: the connection takes the next request."""
        self._idle.append(connection)
        answer = "unlike" if status == ACCEPTED and b'"rejected":[]' not in body else status
        self.answered(connection.since_s, answer, body[:500].decode(errors="replace"))

    def lost(self, connection: _Connection, error: Exception | None) -> None:
        """The server closes what has been idle for long, as in a pause; with a request under way it may not."""
        if connection in self._idle:
            self._idle.remove(connection)
            self._missing += 1
        elif self.running:
            self.failure = error or ConnectionError("the server closed a connection with a request under way")

    async def prepare(self) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            while self._missing:
                _, made = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)
                self._missing -= 1
                self._idle.append(made)

    def ready(self) -> bool:
        return bool(self._idle)

    def busy(self) -> bool:
        return len(self._idle) + self._missing < self.plan.connections

    def dispatch(self, since_s: float) -> None:
        self._idle.popleft().send(self._request(), since_s)

    def _request(self) -> bytes:
        tenant = self._turn = (self._turn + 1) % len(self._heads)
        count, now_us = self.plan.events_a_request, self._clock.now_us()
        traffic = self._traffic[tenant]
        body = traffic.events(1, now_us)[0].encode() if count == 1 else traffic.body(count, now_us)
        if self.counting:
            self.body_bytes += len(body)
        return f"{self._heads[tenant]}{len(body)}\r\n\r\n".encode() + body


def main() -> None:
    """Carry out the plan on standard input."""
    plan = plan_from_input()
    if not isinstance(plan.to, Http):
        raise SystemExit("this client sends over HTTP: loadtests.topic_client writes to a topic")
    uvloop.run(carry_out(_Load(plan, plan.to)))


if __name__ == "__main__":
    main()
