"""Counting the open tickets whose limits end within the hour, so that somebody is told while there is time."""

from dataclasses import dataclass

import asyncpg

from service.clock import HOUR, Clock
from service.evaluate.task import Task
from service.store import ticket_limits
from service.telemetry import Telemetry

NEARING_EVERY_S = 60.0
"""As often as the time that tickets have left is looked at."""


@dataclass(frozen=True, slots=True)
class Nearing:
    """The task that counts them."""

    pool: asyncpg.Pool
    clock: Clock
    telemetry: Telemetry

    def task(self) -> Task:
        """What is to be done, and how often."""
        return Task("nearing", NEARING_EVERY_S, self.once)

    async def once(self) -> None:
        """Show how many there are of each tenant; those that have none are not shown."""
        now_us = self.clock.now_us()
        async with self.pool.acquire() as connection:
            found = await ticket_limits.near(connection, from_us=now_us, to_us=now_us + HOUR)
        gauge = self.telemetry.tickets_near_limit
        gauge.clear()
        for tenant, tickets in found.items():
            gauge.labels(tenant).set(tickets)
