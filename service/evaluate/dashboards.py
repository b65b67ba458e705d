"""What dashboards that read Postgres need beside KPIs: the time that tickets have left, and an end to sessions that stay."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import asyncpg
import structlog

from service.clock import Clock
from service.domain.config import TenantConfig
from service.domain.support.escalation import level, steps_of
from service.domain.support.hours import SupportCalendar, hours_over
from service.domain.support.judging import Facts, judge
from service.domain.support.rules import Described, rules_of
from service.evaluate.ground import Grounds
from service.evaluate.task import Task
from service.store import grafana, grafana_tickets
from service.store.dirty import touched_tenants
from service.store.grafana_tickets import Left
from service.store.tickets import Ticket

TICKETS_EVERY_S = 60.0
READERS_EVERY_S = 15.0
MAX_TENANTS = 50
"""Tenants at a time: so many are held in memory."""
MAX_TICKETS = 500
"""Open tickets of a tenant, the newest opened; older ones show without the time that they have left."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Dashboards:
    """The tasks that one process of an installation does for all dashboards."""

    pool: asyncpg.Pool
    clock: Clock
    grounds: Grounds = field(default_factory=Grounds)

    def tasks(self) -> list[Task]:
        """What is to be done, and how often."""
        return [
            Task("tickets", TICKETS_EVERY_S, self.keep_tickets),
            Task("readers", READERS_EVERY_S, self.put_out_readers),
        ]

    async def keep_tickets(self) -> None:
        """Judge the open tickets of all tenants by what each declares now."""
        now_us = self.clock.now_us()
        async with self.pool.acquire() as connection:
            tenants = await touched_tenants(connection)
            ground = await self.grounds.now(connection, tenants, at_us=now_us)
            numbers = [each.tenant for each in tenants]
            for start in range(0, len(numbers), MAX_TENANTS):
                few = numbers[start : start + MAX_TENANTS]
                found = await grafana_tickets.open_tickets(connection, few, most=MAX_TICKETS)
                left = [
                    each
                    for tenant, several in groupby(found, key=lambda pair: pair[0])
                    for each in left_of(tenant, [ticket for _, ticket in several], ground.configs[tenant].at(now_us), now_us)
                ]
                await grafana_tickets.keep_left(connection, few, left)

    async def put_out_readers(self) -> None:
        """End sessions of readers that have lifted their time-outs and stay."""
        async with self.pool.acquire() as connection:
            ended = await grafana.put_out_readers(connection)
        if ended:
            log.warning("readers_put_out", sessions=ended, longest_s=grafana.LONGEST_TRANSACTION_S)


def left_of(tenant: int, tickets: Sequence[Ticket], config: TenantConfig, now_us: int) -> Iterator[Left]:
    """What open tickets of a tenant have left, judged as `/v1/tickets` judges them."""
    hours = hours_over(SupportCalendar.of(config), [ticket.opened_us for ticket in tickets])
    rules, steps = rules_of(config.sla_rules), steps_of(config.escalations)
    for one in tickets:
        described = Described(
            one.opened_us, one.priority or "", one.category or "", one.account, one.tier or "", go_live_us=one.go_live_us
        )
        gaps = tuple(zip(one.gap_from_us, one.gap_to_us, strict=True))
        moments = (one.first_response_us, one.mitigated_us, one.resolved_us)
        dues = judge(Facts(described, *moments, gaps=gaps, excluded=one.excluded), rules, hours, now_us)
        age_us = max(0, now_us - one.opened_us - one.idle_us)
        yield Left(
            tenant,
            one.subject,
            {due.measure: due.due_us for due in dues if due.done_us is None},
            level(dues, steps, priority=described.priority, age_us=age_us),
        )
