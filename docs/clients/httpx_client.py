"""Send events to tidegauge over HTTP with httpx: none is lost, none counts twice.

    python httpx_client.py http://127.0.0.1:8080 < events.ndjson

Needs Python 3.11 and httpx; the key stands in TIDEGAUGE_KEY. Reads an event a line. Events that could not be delivered are
printed at the end, an event a line, so that they can be sent again: the exit code is 1 then, and where a line is not an event.
Such lines and rejected events are told on standard error. `Sender` is what a service takes over: one for the whole process,
`send` where something happens, and `close` before it ends.
"""

import email.utils
import json
import os
import queue
import random
import signal
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx

QUEUE_EVENTS = 10_000  # so much waits in memory; beyond it `send` waits
EVENT_BYTES = 256_000  # the service rejects a larger one
BATCH_EVENTS = 500
BATCH_BYTES = 4_000_000  # the service takes 10 MB
LINGER_S = 0.5  # an event waits so long for others
REQUEST_TIMEOUT_S = 30.0
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 30.0
ANSWERED = {202, 422}  # durable, but for what is listed as rejected; 422: all of it is
TOO_LARGE = 413
TRY_AGAIN = {408, 429, *range(500, 600)}


class Refused(Exception):
    """Nothing more can be sent: a wrong key, another server's answer, a closed sender."""


class Sender:
    """Delivers events in batches from a thread of its own."""

    def __init__(self, address: str, key: str) -> None:
        self._http = httpx.Client(
            base_url=address,
            timeout=REQUEST_TIMEOUT_S,
            headers={"authorization": f"Bearer {key}", "content-type": "application/cloudevents-batch+json"},
        )
        self._queue: queue.Queue[bytes] = queue.Queue(QUEUE_EVENTS)
        self._unsent: list[bytes] = []
        self._refused = ""
        self._closing = threading.Event()
        self._giving_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tidegauge", daemon=True)
        self._thread.start()

    def send(self, event: dict[str, Any]) -> None:
        """Take an event; waits while the queue is full, for a slower service is better than a lost event.

        An event gets its id and its time here, once: every attempt sends the same bytes. Raises Refused when the service
        will take nothing more from us, TypeError or ValueError for what is not a JSON object or too large.
        """
        happened = {"specversion": "1.0", "id": str(uuid.uuid4()), "time": datetime.now(UTC).isoformat()}
        encoded = json.dumps(happened | event, allow_nan=False, separators=(",", ":")).encode()
        if len(encoded) > EVENT_BYTES:
            raise ValueError(f"an event of {len(encoded)} bytes, {EVENT_BYTES} at the most: send less with it")
        while True:
            if self._refused or self._closing.is_set():
                raise Refused(self._refused or "the sender is closed")
            try:
                return self._queue.put(encoded, timeout=1.0)
            except queue.Full:
                continue

    def close(self, timeout_s: float = 60.0) -> list[bytes]:
        """Deliver what waits; gives back what could not be delivered in time. Keep it, and send it again."""
        self._closing.set()
        self._thread.join(timeout_s)
        self._giving_up.set()
        self._thread.join()
        self._http.close()
        while not self._queue.empty():
            self._unsent.append(self._queue.get_nowait())
        return self._unsent

    def _run(self) -> None:
        while not self._giving_up.is_set() and (batch := self._next_batch()):
            try:
                self._deliver(batch)
            except Exception as error:  # noqa: BLE001  # whatever it is, no event is lost, and `send` tells of it
                print(f"{len(batch)} events not delivered, nothing more is sent: {error!r}", file=sys.stderr)
                self._unsent += batch
                self._refused = repr(error)
                return

    def _next_batch(self) -> list[bytes]:
        """Up to BATCH_EVENTS events; none at the end."""
        batch: list[bytes] = []
        size = 0
        deadline = 0.0
        while len(batch) < BATCH_EVENTS and size < BATCH_BYTES:
            try:
                event = self._queue.get(timeout=0.05)
            except queue.Empty:
                if self._closing.is_set() or (batch and time.monotonic() > deadline):
                    return batch
                continue
            if not batch:
                deadline = time.monotonic() + LINGER_S
            batch.append(event)
            size += len(event)
        return batch

    def _deliver(self, batch: Sequence[bytes]) -> None:
        """Send a batch, over and over with the same ids, until it is answered for good."""
        attempt = 0
        while not self._giving_up.is_set():
            try:
                answer = self._http.post("/v1/events", content=b"[" + b",".join(batch) + b"]")
            except httpx.TransportError as error:  # whether the events arrived is not known
                told, at_least_s = str(error), 0.0
            else:
                if answer.status_code in ANSWERED:
                    _tell(answer.json()["rejected"])
                    return
                if answer.status_code == TOO_LARGE and len(batch) > 1:
                    self._deliver(batch[: len(batch) // 2])
                    self._deliver(batch[len(batch) // 2 :])
                    return
                if answer.status_code not in TRY_AGAIN:
                    raise Refused(f"{answer.status_code}: {answer.text}")
                told, at_least_s = f"answer {answer.status_code}", _retry_after_s(answer)
            # As long as the service asks for, and then at random, so that clients do not come back all at once.
            pause_s = at_least_s + random.uniform(0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(attempt, 10)))
            print(f"{told}; again in {pause_s:.1f} s", file=sys.stderr)
            self._giving_up.wait(pause_s)
            attempt += 1
        self._unsent += batch


def _retry_after_s(answer: httpx.Response) -> float:
    """What the header Retry-After asks for: seconds, or a date; nothing where it cannot be read (RFC 9110, 10.2.3)."""
    said = answer.headers.get("retry-after", "0")
    try:
        return float(said) if said.isdecimal() else max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    except ValueError:
        return 0.0


def _tell(rejected: list[dict[str, Any]]) -> None:
    """A rejected event lies in the dead letters with its reason, and would be rejected again: mend what makes such events."""
    for each in rejected:
        print(f"rejected {each['id']}: {each['reason']}: {each['detail']}", file=sys.stderr)


def main(address: str) -> int:
    """Send standard input."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an end like any other: what waits is delivered
    sender = Sender(address, os.environ["TIDEGAUGE_KEY"])
    unsent: list[bytes] = []
    bad_lines = 0
    try:
        for number, line in enumerate(sys.stdin.buffer, 1):
            try:
                sender.send(json.loads(line))
            except (TypeError, ValueError, RecursionError) as error:
                bad_lines += 1
                print(f"line {number} is not an event: {error}", file=sys.stderr)
    except Refused:
        unsent = [line.strip(), *map(bytes.strip, sys.stdin.buffer)]
    finally:
        unsent = sender.close() + unsent
        sys.stdout.buffer.writelines(event + b"\n" for event in unsent)
    return 1 if unsent or bad_lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
