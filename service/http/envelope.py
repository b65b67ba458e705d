"""Around every request: its id, its line in the log, its time in the metrics, and no error without an answer."""

import re
import secrets
import time

import structlog
from prometheus_client import Histogram
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.problems import Kind, Problem
from service.telemetry import Telemetry

REQUEST_ID = "tidegauge.request_id"
"""Where the scope of a request holds its id."""
HEADER = b"x-request-id"
GONE_AWAY = 499
"""The status that the metrics show for a client that left before its answer."""
CLIENT_ERROR = 400
SERVER_ERROR = 500
_GIVEN = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNMATCHED = "(none)"

log = structlog.get_logger()


class Envelope:
    """ASGI middleware, the outermost of ours."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._seconds = telemetry.http_requests
        self._children: dict[tuple[str, str, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI 3)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope[REQUEST_ID] = request_id.decode()
        structlog.contextvars.bind_contextvars(request_id=scope[REQUEST_ID])
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (HEADER, request_id)]
            await send(message)

        started_s = time.perf_counter()
        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            status = GONE_AWAY
        except Exception:
            log.exception("request failed", method=scope["method"], path=scope["path"])
            if status:
                raise  # the answer has begun: all that is left is to break the connection
            detail = "this is our mistake, and it is in our logs under the request id; try again, or tell us the id"
            await Problem(Kind.INTERNAL, detail).response(scope[REQUEST_ID])(scope, receive, send_with_id)
        finally:
            self._note(scope, status, time.perf_counter() - started_s)

    def _note(self, scope: Scope, status: int, duration_s: float) -> None:
        route = getattr(scope.get("route"), "path", _UNMATCHED)
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        key = (route, method, status)
        child = self._children.get(key)
        if child is None:
            # Bounded: routes are ours, methods a closed set, codes those of HTTP.
            child = self._children[key] = self._seconds.labels(route, method, str(status))
        child.observe(duration_s)
        if status >= CLIENT_ERROR:  # what went well is in the metrics alone: a line each would cost more than the rest
            say = log.info if status < SERVER_ERROR else log.warning
            say("request", method=method, route=route, status=status, duration_ms=round(duration_s * 1_000, 3))


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == HEADER and _GIVEN.fullmatch(value):
            return bytes(value)
    return secrets.token_hex(16).encode()
