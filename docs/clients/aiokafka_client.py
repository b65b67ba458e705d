"""Send events to tidegauge through Kafka with aiokafka: none is lost, none counts twice.

    python aiokafka_client.py 127.0.0.1:9092 product-events < events.ndjson

Needs Python 3.11 and aiokafka; the topic is one that the tenant's configuration names as a source. Reads an event a line.
Events that could not be delivered are printed at the end, an event a line, so that they can be sent again: the exit code is 1
then, and where a line is not an event. `Sender` is what a service takes over: one for the whole process, `send` where something
happens, `close` before it ends.

A record is one event in CloudEvents' structured mode. Kafka takes any bytes, so nobody answers what is wrong with an event:
those that are rejected lie in the dead letters, and the ledger counts them by source.
"""

import asyncio
import contextlib
import json
import random
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, ProducerClosed, TopicAuthorizationFailedError

HEADERS = [("content-type", b"application/cloudevents+json")]
EVENT_BYTES = 256_000  # the service rejects a larger one
UNDER_WAY = 10_000  # events in memory; beyond them `send` waits
GIVE_UP_S = 120.0
FIRST_PAUSE_S = 0.2
STOP_S = 5.0
LONGEST_PAUSE_S = 30.0
NEVER = (MessageSizeTooLargeError, ProducerClosed, TopicAuthorizationFailedError)  # what trying again would not mend


class Sender:
    """Delivers events, each until the brokers have it or its time is up."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._room = asyncio.Semaphore(UNDER_WAY)
        self._deliveries: set[asyncio.Task[None]] = set()
        self.unsent: list[bytes] = []

    async def start(self) -> None:
        """Find the brokers; waits for them as long as for an event, then raises TimeoutError."""
        async with asyncio.timeout(GIVE_UP_S):
            for attempt in count():
                # All replicas in sync have a record before it counts as sent, and the producer's own tries write none twice.
                self._producer = AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap, acks="all", enable_idempotence=True, linger_ms=5, max_batch_size=262_144
                )
                try:
                    await self._producer.start()
                except (KafkaError, asyncio.CancelledError) as error:
                    await self._producer.stop()
                    if isinstance(error, asyncio.CancelledError):
                        raise
                    print(f"no broker at {self._bootstrap}: {error!r}", file=sys.stderr)
                else:
                    return
                await asyncio.sleep(_pause_s(attempt))

    async def send(self, event: dict[str, Any]) -> None:
        """Take an event; waits while too many are under way, for a slower service is better than a lost event.

        An event gets its id and its time here, once: every attempt sends the same bytes. Raises TypeError or ValueError for
        what is not a JSON object or too large.
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
        with contextlib.suppress(TimeoutError):  # the producer would wait for absent brokers for ever
            async with asyncio.timeout(STOP_S):
                await self._producer.stop()
        return self.unsent

    def _delivered(self, delivery: asyncio.Task[None]) -> None:
        self._deliveries.discard(delivery)
        self._room.release()

    async def _deliver(self, encoded: bytes) -> None:
        try:
            async with asyncio.timeout(GIVE_UP_S):  # the idempotent producer itself would try for ever
                for attempt in count():
                    try:
                        await self._producer.send_and_wait(self._topic, encoded, headers=HEADERS)
                    except NEVER:
                        raise
                    except KafkaError:  # whether the record was written may not be known: its id makes a copy harmless
                        await asyncio.sleep(_pause_s(attempt))
                    else:
                        return
        except Exception as error:  # noqa: BLE001  # whatever it is, no event is lost
            print(f"an event not delivered: {error!r}", file=sys.stderr)
            self.unsent.append(encoded)


def _pause_s(attempt: int) -> float:
    """Longer from attempt to attempt, and at random, so that clients do not come back all at once."""
    return random.uniform(0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(attempt, 10)))


async def lines() -> AsyncIterator[tuple[int, bytes]]:
    """Standard input by numbered lines, read beside the deliveries."""
    for number in count(1):
        if not (line := await asyncio.to_thread(sys.stdin.buffer.readline)):
            return
        yield number, line


async def main(bootstrap: str, topic: str) -> int:
    """Send standard input."""
    sender = Sender(bootstrap, topic)
    try:
        await sender.start()
    except TimeoutError:
        print(f"no brokers at {bootstrap} in {GIVE_UP_S:.0f} s", file=sys.stderr)
        sys.stdout.buffer.writelines(sys.stdin.buffer)  # as they came: nothing was sent
        return 1
    bad_lines = 0
    try:
        async for number, line in lines():
            try:
                await sender.send(json.loads(line))
            except (TypeError, ValueError, RecursionError) as error:
                bad_lines += 1
                print(f"line {number} is not an event: {error}", file=sys.stderr)
    finally:
        unsent = await sender.close()
        sys.stdout.buffer.writelines(event + b"\n" for event in unsent)
    return 1 if unsent or bad_lines else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
