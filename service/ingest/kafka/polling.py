"""Polling a consumer: what was fetched for the partitions that are ours, never held back while something is awaited."""

from collections.abc import Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer

from service.ingest.kafka.fetching import Fetching
from service.ingest.kafka.places import Places
from service.ingest.kafka.trouble import NOTHING_TO_READ, Troubles
from service.kafka.haul import Haul
from service.telemetry import Telemetry

POLL_S: Final = 0.2


class Poller:
    """Polls one consumer.

    What a poll has taken it returns before it awaits anything more: whenever something is awaited partitions may move,
    and what others read by now would be taken for ours. What has to be asked of the brokers waits for the next poll.
    """

    def __init__(self, consumer: AIOKafkaConsumer, telemetry: Telemetry) -> None:
        self._consumer = consumer
        self.places = Places(consumer)
        self._troubles = Troubles(consumer, self.places, telemetry)
        self._fetching = Fetching(consumer, self.places.of, self._troubles.met)

    async def fetch(self) -> None:
        """Fetch ahead, for ever."""
        await self._fetching.keep()

    def revoked(self) -> None:
        """Partitions begin to move: what is left of the last poll is not ours any more."""
        self.places.revoked()
        self._troubles.forget()
        self._fetching.forget()

    async def poll(self) -> Sequence[Haul]:
        """What was fetched of the partitions that are ours, as soon as there is something, but within POLL_S."""
        if self._troubles:
            await self._troubles.get_over()
            self._fetching.resume()
        if fresh := self._consumer.assignment() - self._consumer.paused():
            # The client's own fetching makes an object of each record.
            self._consumer.pause(*fresh)
        try:
            # It has nothing for us but errors: of the group, and of partitions that have no offset yet.
            await self._consumer.getmany(timeout_ms=0, max_records=1)
        except NOTHING_TO_READ as error:
            self._troubles.met(error)
            return ()
        await self._fetching.come(POLL_S)
        return [*self._troubles.passed(), *self._fetching.take()]
