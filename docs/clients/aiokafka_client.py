"""Send events to tidegauge through Kafka with aiokafka: none is lost, none counts twice.

    python aiokafka_client.py 127.0.0.1:9092 product-events < events.ndjson

Needs Python 3.11 and aiokafka; the topic is one that the tenant's configuration names as a source. Reads an event a line.
Events that could not be delivered are printed at the end, an event a line, so that they can be sent again: the exit code is 1
then. `Sender` is what a service takes over: one for the whole process, `send` where something happens, `close` before it ends.

A record is one event in CloudEvents' structured mode. Kafka takes any bytes, so nobody answers what is wrong with an event:
those that are rejected lie in the dead letters, and the ledger counts them by source.
"""

import asyncio
import json
import random
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, TopicAuthorizationFailedError

HEADERS = [("content-type", b"application/cloudevents+json")]
EVENT_BYTES = 256_000  # the service rejects a larger one
UNDER_WAY = 10_000  # events in memory; beyond them `send` waits
GIVE_UP_S = 120.0
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
NEVER = (MessageSizeTooLargeError, TopicAuthorizationFailedError)  # what trying again would not mend


class Sender:
    """Delivers events, each until the brokers have it or its time is up."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._room = asyncio.Semaphore(UNDER_WAY)
        self._deliveries: set[asyncio.Task[None]] = set()
        self.unsent: list[bytes] = []

    async def start(self) -> None:
        """Find the brokers; waits for them as long as for an event."""
        deadline = asyncio.get_running_loop().time() + GIVE_UP_S
        attempt = 0
        while True:
            # All replicas in sync have a record before it counts as sent, and none is written twice by the producer's own tries.
            self._producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap, acks="all", enable_idempotence=True, linger_ms=5, max_batch_size=262_144
            )
            try:
                await self._producer.start()
            except KafkaError:
                await self._producer.stop()
                if asyncio.get_running_loop().time() > deadline:
                    raise
            else:
                return
            await asyncio.sleep(_pause_s(attempt))
            attempt += 1

    async def send(self, event: dict[str, Any]) -> None:
        """Take an event; waits while too many are under way, for a slower service is better than a lost event.

        An event gets its id and its time here, once: every attempt sends the same bytes. Raises ValueError for what is not
        JSON or too large.
        """
        happened = {"specversion": "1.0", "id": str(uuid.uuid4()), "time": datetime.now(UTC).isoformat()}
        encoded = json.dumps(happened | event, allow_nan=False, separators=(",", ":")).encode()
        if len(encoded) > EVENT_BYTES:
            raise ValueError(f"an event of {len(encoded)} bytes, {EVENT_BYTES} at the most: send less with it")
        await self._room.acquire()
        delivery = asyncio.create_task(self._deliver(encoded))
        self._deliveries.add(delivery)
        delivery.add_done_callback(self._delivered)

    async def close(self) -> list[bytes]:
        """Deliver what is under way; gives back what could not be delivered. Keep it, and send it again."""
        await asyncio.gather(*self._deliveries)
        await self._producer.stop()
        return self.unsent

    def _delivered(self, delivery: asyncio.Task[None]) -> None:
        self._deliveries.discard(delivery)
        self._room.release()

    async def _deliver(self, encoded: bytes) -> None:
        deadline = asyncio.get_running_loop().time() + GIVE_UP_S
        attempt = 0
        while True:
            try:
                await self._producer.send_and_wait(self._topic, encoded, headers=HEADERS)
            except KafkaError as error:  # whether the record was written may not be known: its id makes a copy harmless
                if isinstance(error, NEVER) or asyncio.get_running_loop().time() > deadline:
                    print(f"an event not delivered: {error!r}", file=sys.stderr)
                    self.unsent.append(encoded)
                    return
            else:
                return
            await asyncio.sleep(_pause_s(attempt))
            attempt += 1


def _pause_s(attempt: int) -> float:
    """Longer from attempt to attempt, and at random, so that clients do not come back all at once."""
    return random.uniform(0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(attempt, 10)))


async def lines() -> AsyncIterator[str]:
    """Standard input, read beside the deliveries."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield line


async def main(bootstrap: str, topic: str) -> int:
    """Send standard input."""
    sender = Sender(bootstrap, topic)
    await sender.start()
    try:
        async for line in lines():
            await sender.send(json.loads(line))
    finally:
        unsent = await sender.close()
        sys.stdout.writelines(event.decode() + "\n" for event in unsent)
    return 1 if unsent else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
