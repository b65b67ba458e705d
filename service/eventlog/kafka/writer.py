"""Appends to a topic: idempotent, acknowledged by all replicas in sync, offsets in the order given."""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from service.domain.ids import Offset
from service.errors import LogSealed, LogUnavailable
from service.eventlog.kafka.connection import FAILURES, KafkaConnection, failures_named
from service.eventlog.kafka.record import OVERHEAD_BYTES, headers, timestamp_ms
from service.eventlog.kafka.topic import MAX_BATCH_BYTES
from service.eventlog.port import Draft

_BATCH_BYTES = MAX_BATCH_BYTES - OVERHEAD_BYTES


class _Producer(AIOKafkaProducer):  # type: ignore[misc]  # aiokafka has no types
    """A producer that can be given up: by itself an idempotent one tries for ever."""

    async def abandon(self) -> None:
        """Send nothing more and close; what is in flight may still arrive, and what is not is never answered."""
        self._closed = True
        await self._sender.close()
        await self.client.close()


class KafkaWriter:
    """The producer of one process, made anew after each failure: nobody knows then what its last records became."""

    def __init__(self, connection: KafkaConnection, topic: str) -> None:
        self._connection = connection
        self._topic = topic
        self._producer: _Producer | None = None
        self._starting = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()

    async def append(self, drafts: Sequence[Draft], *, now_us: int) -> list[Offset]:
        """Append records; when this returns, all replicas in sync have them. Raises LogUnavailable."""
        with failures_named(self._connection):
            producer = await self._started()
        try:
            with failures_named(self._connection):
                async with asyncio.timeout(self._connection.append_timeout_s):
                    return await self._send(producer, drafts, now_us)
        except BaseException:
            self._give_up(producer)
            raise

    async def _send(self, producer: _Producer, drafts: Sequence[Draft], now_us: int) -> list[Offset]:
        stamp_ms = timestamp_ms(now_us)
        sent: list[asyncio.Future[Any]] = []
        try:
            for draft in drafts:
                words = headers(draft, appended_us=now_us)
                to = int(draft.partition)
                sent.append(await producer.send(self._topic, draft.payload, partition=to, timestamp_ms=stamp_ms, headers=words))
            acknowledged = await asyncio.gather(*sent)
        except BaseException as error:
            for future in sent:
                future.cancel()
            if isinstance(error, MessageSizeTooLargeError):
                # What the codec makes fits into every topic of ours, but for one that was sealed (sealing.py).
                raise LogSealed(f"the topic {self._topic} is sealed: another generation takes its place; try again") from error
            raise
        offsets = [Offset(each.offset) for each in acknowledged]
        if min(offsets, default=Offset(0)) < 0:
            # A repeated send was recognised, but the broker does not know any more where the first one lies.
            raise LogUnavailable("a broker acknowledged records without their offsets: append them again")
        return offsets

    async def close(self) -> None:
        """Let go of the connections."""
        if self._producer is not None:
            self._give_up(self._producer)
        await asyncio.gather(*self._ending)

    async def _started(self) -> _Producer:
        async with self._starting:
            if self._producer is None:
                producer = _Producer(
                    enable_idempotence=True,
                    acks="all",
                    max_batch_size=_BATCH_BYTES,
                    max_request_size=_BATCH_BYTES,
                    **self._connection.options,
                )
                try:
                    async with asyncio.timeout(self._connection.append_timeout_s):
                        await producer.start()
                except BaseException:
                    self._end(producer)
                    raise
                self._producer = producer
            return self._producer

    def _give_up(self, producer: _Producer) -> None:
        """Make a new producer next time; others' appends through this one fail as well, at their time-out."""
        if self._producer is producer:
            self._producer = None
            self._end(producer)

    def _end(self, producer: _Producer) -> None:
        ending = asyncio.create_task(_abandon(producer), name="producer")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)


async def _abandon(producer: _Producer) -> None:
    try:
        await producer.abandon()
    except FAILURES:
        return  # it is given up because something does not answer
