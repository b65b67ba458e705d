"""How a process lives: it stops on SIGTERM or SIGINT, once, and dies with its parent where it must."""

import asyncio
import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator

_PR_SET_PDEATHSIG = 1


@contextlib.contextmanager
def stop_signals() -> Iterator[asyncio.Event]:
    """An event that SIGTERM or SIGINT sets; a second signal has its default effect: it kills."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    signals = (signal.SIGTERM, signal.SIGINT)

    def release() -> None:
        for number in signals:
            loop.remove_signal_handler(number)

    def arrived() -> None:
        stop.set()
        release()

    for number in signals:
        loop.add_signal_handler(number, arrived)
    try:
        yield stop
    finally:
        release()


def die_with_parent(parent_pid: int) -> None:
    """Be sent SIGTERM when the parent dies (Linux `prctl(2)` PR_SET_PDEATHSIG); elsewhere nothing.

    Raises ProcessLookupError when the parent is gone already.
    """
    libc = ctypes.CDLL(None)
    prctl = getattr(libc, "prctl", None)
    if prctl is None:
        return
    prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent_pid:
        raise ProcessLookupError(f"parent {parent_pid} is gone")
