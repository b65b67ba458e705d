"""The load client of a source's topic, one JSON event a record, a process of its own: `python -m loadtests.topic_client`."""

import asyncio
from typing import Any

import uvloop
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from loadtests.pace import ACCEPTED, Pace, carry_out, plan_from_input
from loadtests.plan import Plan, Topic
from loadtests.traffic import Traffic
from service.clock import MILLISECOND, SystemClock

HEADERS = [("content-type", b"application/cloudevents+json")]
BATCH_BYTES = 1_000_000


class _Load(Pace):
    """Batches of records, to the partitions by turns, acknowledged by all replicas."""

    def __init__(self, plan: Plan, to: Topic) -> None:
        super().__init__(plan)
        self._topic = to
        self._clock = SystemClock()
        self._traffic = Traffic(plan.population, 0, families=frozenset(plan.families))
        self._producer: AIOKafkaProducer | None = None
        self._turn = 0
        self._sending: set[asyncio.Task[None]] = set()

    async def prepare(self) -> None:
        if self._producer is None:
            self._producer = AIOKafkaProducer(
                bootstrap_servers=self._topic.bootstrap, acks="all", max_batch_size=BATCH_BYTES, max_request_size=BATCH_BYTES
            )
            await self._producer.start()

    def ready(self) -> bool:
        return len(self._sending) < self.plan.connections

    def busy(self) -> bool:
        return bool(self._sending)

    def dispatch(self, since_s: float) -> None:
        task = asyncio.create_task(self._send_batch(since_s))
        self._sending.add(task)

    async def close(self) -> None:
        """Wait for what is in flight, and let go of the connections."""
        await asyncio.gather(*self._sending)
        if self._producer is not None:
            await self._producer.stop()

    async def _send_batch(self, since_s: float) -> None:
        answer, complaint = ACCEPTED, ""
        try:
            await self._acknowledged_batch(self._producer)
        except KafkaError as error:
            answer, complaint = type(error).__name__, str(error)
        finally:
            task = asyncio.current_task()
            if task is not None:
                self._sending.discard(task)
        self.answered(since_s, answer, complaint)

    async def _acknowledged_batch(self, producer: Any) -> None:
        self._turn = (self._turn + 1) % self._topic.partitions
        batch, now_us = producer.create_batch(), self._clock.now_us()
        size = 0
        for text in self._traffic.events(self.plan.events_a_request, now_us):
            value = text.encode()
            size += len(value)
            if batch.append(key=None, value=value, timestamp=now_us // MILLISECOND, headers=HEADERS) is None:
                raise KafkaError(f"a batch holds at most {BATCH_BYTES} bytes: send fewer events a request")
        if self.counting:
            self.body_bytes += size
        await (await producer.send_batch(batch, self._topic.name, partition=self._turn))


async def _run(plan: Plan, to: Topic) -> None:
    load = _Load(plan, to)
    try:
        await carry_out(load)
    finally:
        await load.close()


def main() -> None:
    """Carry out the plan on standard input."""
    plan = plan_from_input()
    if not isinstance(plan.to, Topic):
        raise SystemExit("this client writes to a topic: loadtests.http_client sends over HTTP")
    uvloop.run(_run(plan, plan.to))


if __name__ == "__main__":
    main()
