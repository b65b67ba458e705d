"""The partitions that a worker holds: its share of them by leases, kept alive beside the loop."""

import asyncio
import os
import socket
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import asyncpg
import structlog

from service.domain.ids import Partition
from service.store import leases
from service.store.engine import FAILURES, Connection
from service.store.leases import Backend, Crew, Lease, Member, log_resource

ROLE = "aggregate"
RENEWALS_PER_LEASE = 3
LONGEST_BEAT_S = 1.0
"""However long a lease is: who joins or stops changes the others' shares within this time."""
TAKE_INTERVAL_S = 1.0

log = structlog.get_logger(__name__)


def _member() -> Member:
    return Member(id=uuid4(), role=ROLE, host=socket.gethostname(), pid=os.getpid())


@dataclass(slots=True)
class Holding:
    """Leases of one worker on the partitions of one generation."""

    pool: asyncpg.Pool
    generation: int
    partitions: int
    lease_s: float
    backend: Backend | None = None
    """The server process that flushes; set before anything is taken."""
    held: dict[Partition, Lease] = field(default_factory=dict)
    member: Member = field(default_factory=_member)
    _crew: Crew = field(default_factory=lambda: Crew(1, 0))
    _lost: dict[Partition, Lease] = field(default_factory=dict)
    _tried_at: float = float("-inf")

    @property
    def owner(self) -> UUID:
        """Who we are in the table of leases."""
        return self.member.id

    @property
    def share(self) -> int:
        """How many partitions are ours, as the crew last was."""
        return self._crew.share(self.partitions)

    async def join(self) -> None:
        """Become one of the crew."""
        async with self.pool.acquire() as connection:
            self._crew = await leases.beat(connection, self.member, lease_s=self.lease_s)

    async def keep(self) -> None:
        """Beat and renew for ever, at least RENEWALS_PER_LEASE times a lease; what was taken from us shows in `take_lost`."""
        while True:
            await asyncio.sleep(min(LONGEST_BEAT_S, self.lease_s / RENEWALS_PER_LEASE))
            try:
                async with self.pool.acquire() as connection:
                    self._crew = await leases.beat(connection, self.member, lease_s=self.lease_s)
                    await self.renew(connection)
            except FAILURES as error:
                # The lease holds for two more tries; should it expire, the flush will say so.
                log.warning("leases.not_renewed", worker=str(self.owner), error=str(error) or type(error).__name__)

    async def renew(self, connection: Connection) -> None:
        """Prolong all that is held."""
        before = dict(self.held)
        if not before or self.backend is None:
            return
        kept = await leases.renew(
            connection, owner=self.owner, leases=list(before.values()), lease_s=self.lease_s, backend=self.backend
        )
        self._lost |= {partition: lease for partition, lease in before.items() if lease.resource not in kept}

    def take_lost(self) -> set[Partition]:
        """Name the partitions that others took since the last call; they are not held any more."""
        # What was given up meanwhile is not lost, and neither is what was taken anew.
        lost = {partition for partition, lease in self._lost.items() if self.held.get(partition) == lease}
        self._lost.clear()
        for partition in lost:
            del self.held[partition]
        if lost:
            log.warning("leases.lost", worker=str(self.owner), partitions=sorted(lost))
        return lost

    async def take_share(self) -> set[Partition]:
        """Take what is free up to our share, at most every TAKE_INTERVAL_S; returns what is new."""
        now = asyncio.get_running_loop().time()
        wanting = self.share - len(self.held)
        if wanting <= 0 or self.backend is None or now - self._tried_at < TAKE_INTERVAL_S:
            return set()
        self._tried_at = now
        free = {log_resource(self.generation, Partition(n)): Partition(n) for n in range(self.partitions)}
        wanted = [resource for resource, partition in free.items() if partition not in self.held]
        async with self.pool.acquire() as connection:
            taken = await leases.take(
                connection, owner=self.owner, resources=wanted, most=wanting, lease_s=self.lease_s, backend=self.backend
            )
        new = {free[lease.resource]: lease for lease in taken}
        self.held |= new
        if new:
            log.info("leases.taken", worker=str(self.owner), partitions=sorted(new), share=self.share, crew=self._crew.size)
        return set(new)

    def surplus(self) -> set[Partition]:
        """Name what is beyond our share."""
        return set(sorted(self.held)[self.share :])

    async def release(self, partitions: set[Partition]) -> None:
        """Give partitions back, nothing of which is under way."""
        given = [self.held.pop(partition) for partition in sorted(partitions)]
        if given:
            async with self.pool.acquire() as connection:
                await leases.release(connection, owner=self.owner, leases=given)
            log.info("leases.released", worker=str(self.owner), partitions=sorted(partitions))

    async def leave(self) -> None:
        """Give everything back and leave the crew."""
        await self.release(set(self.held))
        async with self.pool.acquire() as connection:
            await leases.leave(connection, self.member)
