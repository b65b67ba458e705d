"""Clients that keep the contract: the same events again, with the same ids, until they are acknowledged."""

import asyncio
import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle
from typing import Any

import httpx
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from service.demo.client import RETRY_STATUS
from tests.ingest.topics import STRUCTURED, Topic

Event = dict[str, Any]

TIMEOUT_S = 6.0
SEND_TIMEOUT_S = 15.0
REQUEST_MS = 5_000
GIVE_UP_S = 900.0
"""How long one batch may take: far beyond anything that a start after a kill takes."""
PAUSE_S = 0.25


class Again(Exception):
    """Nobody knows what became of a batch, or it was refused for now."""

    def __init__(self, said: str, pause_s: float = PAUSE_S) -> None:
        super().__init__(said)
        self.pause_s = pause_s


class Sender(threading.Thread, ABC):
    """Sends batches until each is acknowledged; afterwards it knows exactly what counts."""

    def __init__(self, name: str, batches: Iterable[list[Event]]) -> None:
        super().__init__(name=name, daemon=True)
        self._batches = batches
        self.acknowledged: list[Event] = []
        self.batches = 0
        """Batches acknowledged."""
        self.repeated = 0
        """How often one was sent again."""
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            for batch in self._batches:
                self._until_acknowledged(batch)
                self.acknowledged += batch
                self.batches += 1
        except BaseException as error:  # noqa: BLE001  # told by whoever waits for the end
            self.error = error

    def _until_acknowledged(self, batch: list[Event]) -> None:
        deadline = time.monotonic() + GIVE_UP_S
        while True:
            try:
                self.send(batch)
            except Again as again:
                if time.monotonic() > deadline:
                    raise AssertionError(f"{self.name} was not acknowledged within {GIVE_UP_S:g} s") from again
                self.repeated += 1
                time.sleep(again.pause_s)
            else:
                return

    @abstractmethod
    def send(self, batch: list[Event]) -> None:
        """Send a batch; raises Again where it has to be sent once more."""


class HttpSender(Sender):
    """Sends to several addresses in turn."""

    def __init__(self, name: str, addresses: Sequence[str], key: str, batches: Iterable[list[Event]]) -> None:
        super().__init__(name, batches)
        self._addresses = cycle(addresses)
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/cloudevents-batch+json"}
        self._http = httpx.Client(timeout=TIMEOUT_S, trust_env=False)

    def run(self) -> None:
        with self._http:
            super().run()

    def send(self, batch: list[Event]) -> None:
        try:
            answer = self._http.post(f"{next(self._addresses)}/v1/events", content=json.dumps(batch), headers=self._headers)
        except httpx.TransportError as error:
            raise Again(repr(error)) from error
        if answer.status_code in (202, 422):
            told = answer.json()
            assert told["accepted"] + len(told["rejected"]) == len(batch), told
            return
        said = f"{answer.status_code} {answer.text}"
        assert answer.status_code in RETRY_STATUS, f"{self.name} was told never to try again: {said}"
        raise Again(said, float(answer.headers["retry-after"]) if answer.status_code in (429, 503) else PAUSE_S)


class TopicSender(Sender):
    """Sends to a team's own topic, an event a record."""

    def __init__(self, name: str, topic: Topic, batches: Iterable[list[Event]]) -> None:
        super().__init__(name, batches)
        self._topic = topic

    def send(self, batch: list[Event]) -> None:
        try:
            asyncio.run(self._sent([json.dumps(event).encode() for event in batch]))
        except (KafkaError, OSError) as error:
            raise Again(repr(error)) from error

    async def _sent(self, values: Sequence[bytes]) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self._topic.kafka.bootstrap, acks="all", request_timeout_ms=REQUEST_MS)
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await producer.start()
                sent = [await producer.send(self._topic.name, value, headers=STRUCTURED) for value in values]
                # All of them are heard: whichever failed, the batch is sent again as a whole.
                for answer in await asyncio.gather(*sent, return_exceptions=True):
                    if isinstance(answer, BaseException):
                        raise answer
        finally:
            await producer.stop()


def paced(batches: Sequence[list[Event]], share: Callable[[], float]) -> Iterator[list[Event]]:
    """All of these batches, never more of them than `share` (0 to 1) of the whole at a time."""
    for number, batch in enumerate(batches):
        while number > share() * len(batches):
            time.sleep(0.1)
        yield batch


def until(stop: threading.Event, batches: Iterable[list[Event]], *, pause_s: float) -> Iterator[list[Event]]:
    """Batches until it is enough."""
    for batch in batches:
        if stop.wait(pause_s):
            return
        yield batch
