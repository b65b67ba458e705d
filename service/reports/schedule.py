"""Reports on schedule: each that is due is made once, kept frozen, and posted to its webhook until it is taken."""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import asyncpg
import httpx
import msgspec
import structlog
from cronsim import CronSim

from service.clock import Clock, to_datetime
from service.domain.config import TenantConfig
from service.domain.config.versions import TenantConfigs
from service.errors import TidegaugeError
from service.evaluate.task import Task
from service.reports.layouts import LAYOUTS
from service.reports.making import Maker, Wish, place_of
from service.reports.model import decode, encode
from service.reports.rendering import FORMATS, MEDIA_TYPES, Format, render
from service.store import accounts, reports
from service.store.config import load_configs
from service.store.engine import Connection
from service.store.reports import Copy
from service.store.tenants import Tenant, list_tenants
from service.telemetry import Telemetry

EVERY_S = 20.0
LATE_AFTER = timedelta(minutes=15)
"""One that is due for longer and not there counts as late (`tidegauge_reports_late`)."""
LOOK_BACK = timedelta(days=40)
"""How far back a schedule that never ran is made up for: once, the newest."""
POST_TIMEOUT_S = 20.0
POSTS_A_ROUND = 10
MAX_CUSTOMERS = 5_000
"""For so many customers of a tenant a report of one account is made on schedule, in the order of their names."""
_GONE = (asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError)
"""Postgres takes nobody, as where it cannot be reached (OSError): the round ends, and the next one makes what is due."""
_FAILED = (TidegaugeError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)
"""What is of one report: a statement that is refused, or takes too long and its connection with it."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Due:
    """A report whose time has come."""

    tenant: Tenant
    report: str
    account: str
    at: datetime
    formats: tuple[Format, ...]
    webhook: str


def last_due(schedule: str, zone: str, now: datetime) -> datetime | None:
    """The newest time of a cron expression, in an IANA zone, that is not later than `now`; None: none in `LOOK_BACK`."""
    local = now.astimezone(ZoneInfo(zone)) + timedelta(microseconds=1)
    found = next(CronSim(schedule, local, reverse=True), None)
    return found if found is not None and now - found <= LOOK_BACK else None


class Schedule:
    """Makes and posts what is due; any number of processes may do it, each report is kept once."""

    def __init__(self, pool: asyncpg.Pool, maker: Maker, clock: Clock, telemetry: Telemetry) -> None:
        self._pool = pool
        self._maker = maker
        self._clock = clock
        self._late = telemetry.reports_late
        self._failed = telemetry.report_failures
        self._configs: dict[int, TenantConfigs] = {}

    def task(self) -> Task:
        """For the evaluator."""
        return Task("reports", EVERY_S, self.once)

    async def once(self) -> None:
        """One look at all schedules, and one at what waits to be posted."""
        late = 0
        for due in await self._due():
            try:
                await self._make(due)
            except _GONE:
                raise
            except _FAILED as error:
                said = str(error) or type(error).__name__
                log.warning("report_failed", tenant=due.tenant.name, report=due.report, due=due.at.isoformat(), error=said)
                self._failed.labels(step="make").inc()
                late += to_datetime(self._clock.now_us()) - due.at > LATE_AFTER
        self._late.set(late)
        await self._post()

    async def _due(self) -> list[Due]:
        """What schedules of all tenants want and has no copy yet."""
        now_us = self._clock.now_us()
        found: list[Due] = []
        async with self._pool.acquire() as connection:
            tenants = [each for each in await list_tenants(connection) if each.config_version]
            configs = await self._current(connection, tenants)
            for tenant in tenants:
                config = configs[tenant.id].at(now_us)
                if config.reports:
                    kept = await reports.last_due(connection, tenant.id)
                    wanted = await _wanted(connection, tenant, config, to_datetime(now_us))
                    found += [each for each in wanted if kept.get((each.report, each.account), each.at - LOOK_BACK) < each.at]
        return found

    async def _current(self, connection: Connection, tenants: Sequence[Tenant]) -> Mapping[int, TenantConfigs]:
        """What these tenants declare; read again only where there is a new version, for a look comes every few seconds."""
        kept = {each.id: self._configs[each.id] for each in tenants if each.id in self._configs}
        changed = [each.id for each in tenants if each.id not in kept or kept[each.id].version != each.config_version]
        if changed:
            kept |= await load_configs(connection, changed)
        self._configs = kept
        return kept

    async def _make(self, due: Due) -> None:
        wish = Wish(due.report, due.account)
        report, window = await self._maker.make(due.tenant.id, due.tenant.name, wish)
        async with self._pool.acquire() as connection:
            await reports.keep(
                connection,
                place_of(due.tenant.id, wish, window),
                end_at=to_datetime(window.end_us),
                content=encode(report),
                due_at=due.at,
                formats=due.formats,
                webhook=due.webhook,
            )
        log.info("report_made", tenant=due.tenant.name, report=due.report, due=due.at.isoformat())

    async def _post(self) -> None:
        """Post what waits; a copy is locked meanwhile, so that no other process posts it as well."""
        async with httpx.AsyncClient(timeout=POST_TIMEOUT_S, follow_redirects=False) as http:
            for _ in range(POSTS_A_ROUND):
                async with self._pool.acquire() as connection, connection.transaction():
                    waiting = await reports.unposted(connection, 1)
                    if not waiting:
                        return
                    copy, content = waiting[0]
                    failure = await _posted(http, copy, content)
                    if failure:
                        self._failed.labels(step="post").inc()
                        log.warning(
                            "report_not_posted", report=copy.report, copy=copy.id, attempts=copy.attempts + 1, error=failure
                        )
                    await reports.posted(connection, copy.id, failure=failure)


async def _wanted(connection: Connection, tenant: Tenant, config: TenantConfig, now: datetime) -> list[Due]:
    """The newest time of each of a tenant's schedules; a report of one account is wanted for each customer."""
    times = [(each, last_due(each.schedule, config.timezone, now)) for each in config.reports]
    of_account = any(LAYOUTS[each.name].of_account for each, _ in times)
    customers = await _customers(connection, tenant.id, config) if of_account else []
    return [
        Due(tenant, each.name, account, at, each.formats, each.webhook or "")
        for each, at in times
        if at is not None
        for account in (customers if LAYOUTS[each.name].of_account else [""])
    ]


async def _customers(connection: Connection, tenant: int, config: TenantConfig) -> list[str]:
    wanted = accounts.AccountSelection(statuses=list(config.activity.customer_statuses))
    found = await accounts.page(connection, tenant, wanted, after=None, limit=MAX_CUSTOMERS)
    return [each.account for each in found]


async def _posted(http: httpx.AsyncClient, copy: Copy, content: bytes) -> str:
    """Post one copy, its number as the key by which a receiver knows it again; gives back why it was not taken."""
    body = await asyncio.to_thread(envelope, copy, content)
    headers = {"Content-Type": "application/json", "Idempotency-Key": f"tidegauge-report-{copy.id}"}
    try:
        answer = await http.post(copy.webhook, content=body, headers=headers)
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    return "" if answer.is_success else f"answered {answer.status_code}"


def envelope(copy: Copy, content: bytes) -> bytes:
    """What a webhook is given, as JSON: the report's data, and a file of each format (base64)."""
    report = decode(content)
    files = [
        {
            "name": f"{report.name}-{report.start[:10]}.{form}",
            "media_type": MEDIA_TYPES[form],
            "content": base64.b64encode(render(report, form)).decode(),
        }
        for form in FORMATS
        if form in copy.formats and form != "json"
    ]
    return msgspec.json.encode({"id": copy.id, "report": report, "files": files})
