"""A child process that ends when we do, however we end, and writes what it says into a file."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import httpx

START_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 180.0
POLL_S = 0.1
_PR_SET_PDEATHSIG = 1
_PRCTL = getattr(ctypes.CDLL(None), "prctl", None)


class Child:
    """One command under a name; it may be killed, stopped and started again.

    On Linux it is sent SIGTERM when the thread that started it ends (prctl(2), PR_SET_PDEATHSIG): start it from one that lives
    as long as the child shall. It has a session of its own, so that Ctrl-C reaches us alone and we stop it in order.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        directory: Path,
        *,
        ready: Callable[[], bool],
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self.output = directory / f"{name}.log"
        self._command = [*command]
        self._environment = {**(environment or os.environ)}
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None
        self._asked_to_stop = False

    @property
    def pid(self) -> int | None:
        """Its process id, where it runs."""
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    @property
    def ended_by_itself(self) -> bool:
        """Whether it was started, was not stopped, and runs no more."""
        return self._process is not None and self._process.poll() is not None

    def start(self) -> None:
        """Start it, and do not wait."""
        self._asked_to_stop = False
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                # The only way to bind the child to our life before it runs; nothing in it takes a lock.
                preexec_fn=_die_with_us,  # noqa: PLW1509
            )

    def wait_until_ready(self) -> None:
        """Wait until it answers; fails with what it said last when it ends or is too slow."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._ready():
            if self.pid is None or time.monotonic() > deadline:
                raise AssertionError(f"{self.name} did not become ready: {self.said()}")
            time.sleep(POLL_S)

    def said(self) -> str:
        """The end of what it wrote."""
        return self.output.read_text(errors="replace")[-2_000:]

    def kill(self) -> None:
        """SIGKILL, in the middle of whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def ask_to_stop(self) -> None:
        """SIGTERM, once: a second one kills a role that is ending."""
        if self._process is not None and self._process.poll() is None and not self._asked_to_stop:
            self._asked_to_stop = True
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """SIGTERM, SIGKILL for one that stays, and the exit code (0: it did not run)."""
        if self._process is None:
            return 0
        self.ask_to_stop()
        try:
            code = self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._process = None
        return code


def answers(url: str) -> bool:
    """Whether a GET of this address is answered with success."""
    try:
        return httpx.get(url, timeout=30.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _die_with_us() -> None:
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGTERM)
