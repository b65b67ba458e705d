"""Taking a repartition back before its switch: the former generation takes events again (docs/adr/0010).

What it was sealed by is forgotten before the seal is broken. Broken off in between, nobody takes a log that is open for
a sealed one: whoever finishes the repartition seals it anew, whoever takes it back does all of this again.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from enum import StrEnum

import asyncpg

from service.errors import InvalidSettings, LogMismatch, LogUnavailable
from service.eventlog.kafka import KafkaConnection, TopicPlan
from service.eventlog.kafka.sealing import delete_empty_topic, unseal_topic
from service.eventlog.opening import POSTGRES
from service.settings import Settings
from service.store import repartition
from service.store.engine import FAILURES
from service.store.installation import Installation
from service.store.repartition import Phase, Repartition, unanswered


class Undo(StrEnum):
    """What taking back is at, in this order."""

    FORGET_SEAL = "forget seal"
    UNSEAL = "unseal"
    FORGET = "forget"
    DELETE_TOPIC = "delete topic"


@dataclass(slots=True)
class Abandoning:
    """One repartition that is taken back; the caller holds the lock of `be_the_only_one`."""

    settings: Settings
    pool: asyncpg.Pool
    installation: Installation
    """The generation that stays."""
    under_way: Repartition
    left_behind: str = field(default="", init=False)
    """What could not be cleared away, and whose matter it is now; empty: nothing."""

    async def run(self) -> AsyncGenerator[Undo, None]:
        """Go through all steps, telling each before it is done; of the next log nothing is asked until all is well again.

        Raises LogMismatch when the next generation is in use already, LogUnavailable and InvalidSettings where the former
        one lies in a Kafka that cannot be reached, StoreUnavailable; the same again goes on from there.
        """
        if self.under_way.phase is Phase.CLEANING:
            raise LogMismatch(
                f"generation {self.under_way.generation} is in use already: finish it with `tidegauge repartition`, "
                f"then go back by another one"
            )
        brokers = None if self.installation.log_kind == POSTGRES else KafkaConnection.of(self.settings)
        try:
            yield Undo.FORGET_SEAL
            async with self.pool.acquire() as connection:
                await repartition.forget_seal(connection, self.under_way)
            if brokers is not None:
                yield Undo.UNSEAL
                await unseal_topic(brokers, self._topic(self.installation.generation))
            yield Undo.FORGET
            async with self.pool.acquire() as connection:
                await repartition.abandon(connection, self.under_way)
        except FAILURES as error:
            raise unanswered(error) from error
        if self.under_way.log_kind != POSTGRES:
            yield Undo.DELETE_TOPIC
            await self._delete_topic()

    async def _delete_topic(self) -> None:
        """Delete the topic of the generation that never was, if it can be done."""
        topic = self._topic(self.under_way.generation)
        try:
            deleted = await delete_empty_topic(KafkaConnection.of(self.settings), topic)
        except (LogUnavailable, InvalidSettings) as error:
            self.left_behind = (
                f"The topic {topic}, if it was made, is left: {error}. Delete it if it is empty, before a repartition to "
                f"another number of partitions."
            )
        else:
            if not deleted:
                self.left_behind = f"The topic {topic} holds records that this installation has not written: it was left alone."

    def _topic(self, generation: int) -> str:
        return TopicPlan.of(self.settings).name(generation)
