"""Send events to tidegauge with the CloudEvents SDK for Python (2.x), in any of the three content modes of HTTP.

    python cloudevents_http.py http://127.0.0.1:8080 structured|batch|binary < events.ndjson

Needs Python 3.11, cloudevents and httpx; the key stands in TIDEGAUGE_KEY. Reads an event a line. Events that could not be
delivered are printed at the end, an event a line, so that they can be sent again: the exit code is 1 then, and where a line is
not an event. Such lines and rejected events are told on standard error. `batch` costs the service least; the other two are one
event a request.
"""

import email.utils
import json
import os
import queue
import random
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import httpx
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

MODES = ("structured", "batch", "binary")
BATCH_EVENTS = 500  # of at most 256,000 bytes each; the service takes 10 MB: send fewer at once if yours are large
CONNECTIONS = 8
WAITING_MESSAGES = 32  # beyond them the reader of standard input waits
GIVE_UP_S = 120.0
REQUEST_TIMEOUT_S = 30.0
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 30.0
ANSWERED = {202, 422}  # durable, but for what is listed as rejected; 422: all of it is
TRY_AGAIN = {408, 429, *range(500, 600)}


def message_of(events: Sequence[BaseCloudEvent], mode: str) -> HTTPMessage:
    """The request for these events; the SDK has no batches yet, but a batch is only an array of structured events."""
    if mode == "binary":
        message = to_binary_event(events[0])
        return HTTPMessage({"content-type": "application/json", **message.headers}, message.body)
    if mode == "structured":
        return to_structured_event(events[0])
    body = b"[" + b",".join(JSONFormat().write(event) for event in events) + b"]"
    return HTTPMessage({"content-type": "application/cloudevents-batch+json"}, body)


def deliver(http: httpx.Client, message: HTTPMessage) -> str:
    """Send one request, over and over with the same ids, until it is answered for good; gives back why it was not."""
    deadline = time.monotonic() + GIVE_UP_S
    for attempt in range(1_000):
        try:
            answer = http.post("/v1/events", content=message.body, headers=message.headers)
        except httpx.TransportError as error:  # whether the events arrived is not known
            told, at_least_s = str(error), 0.0
        else:
            if answer.status_code in ANSWERED:
                # A rejected event lies in the dead letters, and would be rejected again: mend what makes such events.
                for each in answer.json()["rejected"]:
                    print(f"rejected {each['id']}: {each['reason']}: {each['detail']}", file=sys.stderr)
                return ""
            told, at_least_s = f"{answer.status_code}: {answer.text}", retry_after_s(answer)
            if answer.status_code not in TRY_AGAIN:
                return told
        # As long as the service asks for, and then at random, so that clients do not come back all at once.
        pause_s = at_least_s + random.uniform(0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(attempt, 10)))
        if time.monotonic() + pause_s > deadline:
            break
        time.sleep(pause_s)
    return told


def retry_after_s(answer: httpx.Response) -> float:
    """What the header Retry-After asks for: seconds, or a date; nothing where it cannot be read (RFC 9110, 10.2.3)."""
    said = answer.headers.get("retry-after", "0")
    try:
        return float(said) if said.isdecimal() else max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    except ValueError:
        return 0.0


def events_of(lines: Iterable[bytes], bad_lines: list[int]) -> Iterator[BaseCloudEvent]:
    """The SDK's form of each line, which gives an event its id and its time, once, where it has none."""
    for number, line in enumerate(lines, 1):
        try:
            yield JSONFormat().read(CloudEvent, json.dumps(json.loads(line), allow_nan=False))
        except Exception as error:  # noqa: BLE001  # the SDK raises whatever a strange attribute leads to
            bad_lines.append(number)
            print(f"line {number} is not an event: {error}", file=sys.stderr)


def main(address: str, mode: str) -> int:
    """Send standard input."""
    waiting: queue.Queue[list[BaseCloudEvent] | None] = queue.Queue(WAITING_MESSAGES)
    unsent: list[BaseCloudEvent] = []
    bad_lines: list[int] = []
    http = httpx.Client(
        base_url=address,
        timeout=REQUEST_TIMEOUT_S,
        headers={"authorization": f"Bearer {os.environ['TIDEGAUGE_KEY']}"},
    )

    def work() -> None:
        while events := waiting.get():
            try:
                why = deliver(http, message_of(events, mode))
            except Exception as error:  # noqa: BLE001  # whatever it is, no event is lost
                why = repr(error)
            if why:
                print(f"{len(events)} events not delivered: {why}", file=sys.stderr)
                unsent.extend(events)

    workers = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for worker in workers:
        worker.start()
    try:
        events = events_of(sys.stdin.buffer, bad_lines)
        while batch := list(islice(events, BATCH_EVENTS if mode == "batch" else 1)):
            waiting.put(batch)
    finally:
        for _ in workers:
            waiting.put(None)
        for worker in workers:
            worker.join()
        http.close()
        sys.stdout.buffer.writelines(JSONFormat().write(event) + b"\n" for event in unsent)
    return 1 if unsent or bad_lines else 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case [address, mode] if mode in MODES:
            sys.exit(main(address, mode))
        case _:
            sys.exit(__doc__)
