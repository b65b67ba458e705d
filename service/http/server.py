"""Serving an application on a socket until it is asked to stop."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator

import structlog
import uvicorn
from fastapi import FastAPI

from service.errors import InvalidSettings
from service.http.protocol import ProblemProtocol

BACKLOG = 2_048
DRAIN_TIMEOUT_S = 15
KEEP_ALIVE_S = 75
"""Longer than clients keep idle connections (5 to 60 s), so that none is closed under a request."""

log = structlog.get_logger(__name__)


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: a role takes the signals itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def listen(host: str, port: int, *, setting: str) -> socket.socket:
    """A listening socket; raises InvalidSettings naming `setting` when the port is taken or the address is not ours."""
    try:
        return socket.create_server((host, port), backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InvalidSettings(f"port {port} of {host} is taken: stop what listens there, or set {setting}") from error
        raise InvalidSettings(f"cannot listen on {host}:{port}: {error.strerror}; set TIDEGAUGE_HOST or {setting}") from error


async def serve(app: FastAPI, listening: socket.socket, stop: asyncio.Event) -> None:
    """Answer until `stop` is set; requests that run are answered first, for at most DRAIN_TIMEOUT_S seconds."""
    host, port = listening.getsockname()[:2]
    config = uvicorn.Config(
        app,
        http=ProblemProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_TIMEOUT_S,
    )
    server = _Server(config)

    async def until_stopped() -> None:
        await stop.wait()
        server.should_exit = True

    log.info("listening", address=f"http://{host}:{port}")
    waiting = asyncio.create_task(until_stopped())
    try:
        await server.serve(sockets=[listening])
    finally:
        waiting.cancel()
