"""Clients that keep the contract: the same events again, with the same ids, until they are acknowledged."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle
from typing import Any

import httpx

from service.demo.client import RETRY_STATUS

Event = dict[str, Any]

TIMEOUT_S = 6.0
GIVE_UP_S = 180.0
"""How long one batch may take: far beyond anything that a start after a kill takes."""
PAUSE_S = 0.1


class Sender(threading.Thread):
    """Sends batches in turn to several addresses until each is acknowledged; afterwards it knows exactly what counts."""

    def __init__(self, name: str, addresses: Sequence[str], key: str, batches: Iterable[list[Event]]) -> None:
        super().__init__(name=name, daemon=True)
        self._addresses = cycle(addresses)
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/cloudevents-batch+json"}
        self._batches = batches
        self._http = httpx.Client(timeout=TIMEOUT_S, trust_env=False)
        self.acknowledged: list[Event] = []
        self.batches = 0
        """Batches acknowledged."""
        self.repeated = 0
        """Requests that were sent again, because nobody could know what had become of them."""
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            with self._http:
                for batch in self._batches:
                    self._send(json.dumps(batch).encode(), len(batch))
                    self.acknowledged += batch
                    self.batches += 1
        except BaseException as error:  # noqa: BLE001  # told by whoever waits for the end
            self.error = error

    def _send(self, body: bytes, events: int) -> None:
        deadline = time.monotonic() + GIVE_UP_S
        while True:
            pause_s = PAUSE_S
            try:
                answer = self._http.post(f"{next(self._addresses)}/v1/events", content=body, headers=self._headers)
            except httpx.TransportError as error:
                said = repr(error)
            else:
                if answer.status_code in (202, 422):
                    told = answer.json()
                    assert told["accepted"] + len(told["rejected"]) == events, told
                    return
                said = f"{answer.status_code} {answer.text}"
                assert answer.status_code in RETRY_STATUS, f"{self.name} was told never to try again: {said}"
                if answer.status_code in (429, 503):
                    pause_s = float(answer.headers["retry-after"])
            assert time.monotonic() < deadline, f"{self.name} was not acknowledged within {GIVE_UP_S:g} s, last: {said}"
            self.repeated += 1
            time.sleep(pause_s)


def paced(batches: Sequence[list[Event]], share: Callable[[], float]) -> Iterator[list[Event]]:
    """All of these batches, never more of them than `share` (0 to 1) of the whole at a time."""
    for number, batch in enumerate(batches):
        while number > share() * len(batches):
            time.sleep(0.02)
        yield batch


def until(stop: threading.Event, batches: Iterable[list[Event]], *, pause_s: float) -> Iterator[list[Event]]:
    """Batches until it is enough."""
    for batch in batches:
        if stop.wait(pause_s):
            return
        yield batch
