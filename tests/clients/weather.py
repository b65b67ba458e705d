"""Harsh weather between a client and the real service: requests that are put off, answers that never come."""

import socket
import socketserver
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Self

import h11

RECEIVE_BYTES = 65_536
TIMEOUT_S = 60.0
PROBLEM = b'{"type":"about:blank","title":"not now","status":%d,"detail":"harsh weather"}'


class Weather(Enum):
    """What becomes of one request."""

    FAIR = "fair"
    UNAVAILABLE = "503 before it arrived"
    TOO_MANY = "429 before it arrived"
    LOST = "reset before it arrived"
    UNANSWERED = "reset after it arrived"
    BAD_GATEWAY = "502 after it arrived"
    STRANGE = "an answer that is not the service's"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request as it came, and what the client was told."""

    came_s: float
    answered_s: float
    weather: Weather
    request: bytes
    status: int | None
    """None where the connection broke."""

    @property
    def content(self) -> bytes:
        """What was sent: the body, and what the headers say of the event."""
        head, _, body = self.request.partition(b"\r\n\r\n")
        return b"\n".join(sorted(line for line in head.split(b"\r\n") if line.lower().startswith(b"ce-"))) + body


@dataclass
class Forecast:
    """Each request's weather, and what the requests were. Threads take turns."""

    coming: Iterator[Weather]
    retry_after: Sequence[str] = ("1",)
    """What 503 and 429 ask for, in turn."""
    strange: bytes = b""
    """A whole answer, as another server on the way would give it."""
    attempts: list[Attempt] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self) -> Weather:
        """The weather of the next request; fair once the forecast ends."""
        with self._lock:
            return next(self.coming, Weather.FAIR)


class Proxy:
    """A port before the service's port: passes bytes on as they are, or does what the weather says."""

    def __init__(self, port: int, forecast: Forecast) -> None:
        self.forecast = forecast
        self._server = _Server(("127.0.0.1", 0), _Connection)
        self._server.forecast = forecast
        self._server.upstream = port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def address(self) -> str:
        """Where clients send."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128
    forecast: Forecast
    upstream: int

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error."""


class _Connection(socketserver.BaseRequestHandler):
    """One connection of a client; requests come one after another."""

    request: socket.socket
    server: _Server

    def handle(self) -> None:
        self.request.settimeout(TIMEOUT_S)
        while request := _message(self.request, h11.Connection(h11.SERVER)):
            came_s, weather = time.monotonic(), self.server.forecast.next()
            answer = self._answer(weather, request)
            status = int(answer.split(b" ", 2)[1]) if answer else None
            self.server.forecast.attempts.append(Attempt(came_s, time.monotonic(), weather, request, status))
            if not answer:
                _reset(self.request)
                return
            self.request.sendall(answer)

    def _answer(self, weather: Weather, request: bytes) -> bytes:
        """The answer, or nothing where the connection is to break."""
        match weather:
            case Weather.LOST:
                return b""
            case Weather.STRANGE:
                return self.server.forecast.strange
            case Weather.UNAVAILABLE:
                return self._problem(503)
            case Weather.TOO_MANY:
                return self._problem(429)
        try:
            with socket.create_connection(("127.0.0.1", self.server.upstream), timeout=TIMEOUT_S) as upstream:
                upstream.sendall(request)
                client = h11.Connection(h11.CLIENT)
                client.send(h11.Request(method="POST", target="/", headers=[("host", "service"), ("content-length", "0")]))
                client.send(h11.EndOfMessage())
                answer = _message(upstream, client)
        except OSError:  # the service is away
            return b""
        match weather:
            case Weather.UNANSWERED:
                return b""
            case Weather.BAD_GATEWAY:
                return self._problem(502)
        return answer

    def _problem(self, status: int) -> bytes:
        body = PROBLEM % status
        waits = self.server.forecast.retry_after
        wait = f"retry-after: {waits[len(self.server.forecast.attempts) % len(waits)]}\r\n" if status != 502 else ""
        head = f"HTTP/1.1 {status} Not now\r\ncontent-type: application/problem+json\r\n{wait}content-length: {len(body)}\r\n\r\n"
        return head.encode() + body


def _message(connection: socket.socket, parser: h11.Connection) -> bytes:
    """The bytes of one request or answer as they came; nothing at the end of the connection."""
    raw = b""
    while True:
        event = parser.next_event()
        if event is h11.NEED_DATA:
            received = connection.recv(RECEIVE_BYTES)
            if not received:
                return b""
            raw += received
            parser.receive_data(received)
        elif isinstance(event, h11.EndOfMessage):
            return raw
        elif isinstance(event, h11.ConnectionClosed):
            return b""


def _reset(connection: socket.socket) -> None:
    """End the connection by a reset, with no farewell."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
