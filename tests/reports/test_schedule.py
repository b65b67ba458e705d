"""Reports on schedule: made once at their time, kept as they were, posted until they are taken."""

import asyncio
import base64
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest

from service.clock import HOUR, to_us
from service.demo import pilot
from service.reports.making import Wish, place_of
from service.reports.model import Report, encode
from service.reports.schedule import Schedule, last_due
from service.store import accounts, reports
from service.store.config import apply_config
from service.store.tenants import create_tenant
from service.telemetry import Telemetry
from tests.reports.conftest import MONDAY_AFTER, Told

WEEKLY = '\n[[report]]\nname = "weekly"\nschedule = "0 6 * * 1"\nformats = ["md", "html"]\n'


def test_a_schedule_is_of_the_tenants_zone_on_both_sides_of_a_change_of_clocks() -> None:
    zone = "America/New_York"
    assert last_due("0 6 * * *", zone, datetime(2025, 11, 1, 12, 0, tzinfo=UTC)) == datetime(2025, 11, 1, 10, 0, tzinfo=UTC)
    assert last_due("0 6 * * *", zone, datetime(2025, 11, 2, 12, 0, tzinfo=UTC)) == datetime(2025, 11, 2, 11, 0, tzinfo=UTC)
    assert last_due("0 6 * * *", zone, datetime(2025, 11, 2, 10, 59, 59, tzinfo=UTC)) == datetime(2025, 11, 1, 10, 0, tzinfo=UTC)


def test_the_instant_itself_is_due() -> None:
    assert last_due("0 6 * * 1", "UTC", MONDAY_AFTER) == MONDAY_AFTER


def test_what_was_due_long_ago_is_not_made_up_for() -> None:
    assert last_due("0 6 1 1 *", "UTC", datetime(2025, 6, 1, tzinfo=UTC)) is None


async def declared(told: Told, webhook: str = "") -> Schedule:
    """A schedule of a tenant that wants its weekly report on Mondays at six."""
    async with told.site.pool.acquire() as connection:
        await connection.execute("delete from config_version")
        await connection.execute("update tenant set config_version = 0")
    await told.declare(pilot.configuration() + WEEKLY + (f'webhook = "{webhook}"\n' if webhook else ""))
    return Schedule(told.site.pool, told.maker, told.clock, Telemetry("evaluate"))


async def kept(told: Told) -> list[reports.Copy]:
    async with told.site.pool.acquire() as connection:
        return await reports.copies(connection, told.tenant.id, "weekly", account=None, before=None, limit=10)


async def test_a_report_is_made_once_at_its_time_whoever_looks(told: Told) -> None:
    schedule = await declared(told)
    other = Schedule(told.site.pool, told.maker, told.clock, Telemetry("evaluate"))
    told.clock.us = to_us(MONDAY_AFTER) - HOUR
    await schedule.once()
    before = await kept(told)
    assert [each.due_at for each in before] == [MONDAY_AFTER - timedelta(days=7)]
    told.clock.us = to_us(MONDAY_AFTER)
    await asyncio.gather(schedule.once(), other.once())
    await schedule.once()
    [copy, _] = await kept(told)
    assert copy.due_at == MONDAY_AFTER
    assert (copy.start_at, copy.end_at) == (datetime(2025, 11, 17, tzinfo=UTC), datetime(2025, 11, 24, tzinfo=UTC))


async def test_a_report_that_postgres_refuses_keeps_no_other_tenant_from_theirs(told: Told) -> None:
    await declared(told)
    telemetry = Telemetry("evaluate")
    schedule = Schedule(told.site.pool, told.maker, told.clock, telemetry)
    async with told.site.pool.acquire() as connection:
        later = await create_tenant(connection, "zenith", "UTC")
        shapes = told.maker.catalog.shapes()
        await apply_config(connection, later.name, WEEKLY, now_us=told.clock.us, known_kpis=shapes)
        # A step whose value is no number, which no event can be: every statement about tracked items fails for this tenant.
        await connection.execute(
            """insert into step (tenant, family, subject, time_us, source, id, account, fields)
               values ($1, 'item', 'I-1', $2, '/test', 'broken', '', '{"kind": "risk", "status": "open", "value": "x"}')""",
            told.tenant.id,
            to_us(MONDAY_AFTER) - HOUR,
        )
    await schedule.once()
    assert await kept(told) == []
    async with told.site.pool.acquire() as connection:
        others = await reports.copies(connection, later.id, "weekly", account=None, before=None, limit=10)
        await connection.execute("delete from step where tenant = $1 and subject = 'I-1'", told.tenant.id)
    assert [each.due_at for each in others] == [MONDAY_AFTER]
    assert telemetry.registry.get_sample_value("tidegauge_report_failures_total", {"step": "make"}) == 1
    await schedule.once()
    assert [each.due_at for each in await kept(told)] == [MONDAY_AFTER]


async def test_a_report_of_one_account_is_made_for_each_customer(told: Told) -> None:
    async with told.site.pool.acquire() as connection:
        await connection.execute("delete from config_version")
        await connection.execute("update tenant set config_version = 0")
    await told.declare(pilot.configuration() + '\n[[report]]\nname = "customer"\nschedule = "0 6 1 * *"\n')
    statuses = {"greentech": "active", "ecoventures": "at_risk", "impactfirst": "churned"}
    shape = {"specversion": "1.0", "source": "/crm", "type": "io.tidegauge.account.v1", "time": "2025-11-23T23:00:00Z"}
    await told.take_in([{**shape, "id": name, "subject": name, "data": {"status": status}} for name, status in statuses.items()])
    schedule = Schedule(told.site.pool, told.maker, told.clock, Telemetry("evaluate"))
    await schedule.once()
    await schedule.once()
    async with told.site.pool.acquire() as connection:
        copies = await reports.copies(connection, told.tenant.id, "customer", account=None, before=None, limit=10)
        customers = await accounts.page(
            connection, told.tenant.id, accounts.AccountSelection(statuses=["active", "at_risk"]), after=None, limit=10
        )
    found = [each.account for each in copies]
    assert sorted(found) == sorted(each.account for each in customers)
    assert {"greentech", "ecoventures"} <= set(found)
    assert "impactfirst" not in found


async def test_a_schedule_that_is_declared_later_is_seen_by_who_looks_already(told: Told) -> None:
    schedule = Schedule(told.site.pool, told.maker, told.clock, Telemetry("evaluate"))
    await schedule.once()
    assert await kept(told) == []
    await told.declare("valid_from = 2025-11-24T06:00:00Z\n" + pilot.configuration() + WEEKLY)
    told.clock.us += HOUR
    await schedule.once()
    assert [each.due_at for each in await kept(told)] == [MONDAY_AFTER]


async def test_a_copy_stays_as_it_was_when_late_events_come(told: Told) -> None:
    schedule = await declared(told)
    await schedule.once()
    [copy] = await kept(told)
    path = f"/v1/reports/weekly/copies/{copy.id}"
    was = (await told.get(path, format="json")).content
    late = next(iter(pilot.events(["io.tidegauge.incident.v1"]))) | {"id": "late", "subject": "INC-late"}
    await told.take_in([late])
    assert (await told.get(path, format="json")).content == was
    now = (await told.get("/v1/reports/weekly", format="json")).json()
    assert now["sections"] != msgspec.json.decode(was)["sections"]


class Hook(ThreadingHTTPServer):
    """A receiver that fails a few times, and then takes what comes."""

    def __init__(self, failures: int) -> None:
        super().__init__(("127.0.0.1", 0), _Taker)
        self.failures = failures
        self.taken: list[tuple[str, bytes]] = []


class _Taker(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.failures -= 1
        failed = self.server.failures >= 0
        if not failed:
            self.server.taken.append((self.headers["idempotency-key"], body))
        self.send_response(503 if failed else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Tests say nothing."""


@pytest.fixture
def hook() -> Iterator[Hook]:
    server = Hook(failures=2)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


async def test_a_webhook_is_called_until_it_takes_the_report_and_then_no_more(told: Told, hook: Hook) -> None:
    schedule = await declared(told)
    report, window = await told.maker.make(told.tenant.id, told.tenant.name, Wish("weekly"))
    async with told.site.pool.acquire() as connection:
        number = await reports.keep(
            connection,
            place_of(told.tenant.id, Wish("weekly"), window),
            end_at=MONDAY_AFTER,
            due_at=MONDAY_AFTER,
            content=encode(report),
            formats=["html"],
            webhook=f"http://127.0.0.1:{hook.server_address[1]}/",
        )
        for attempts in (1, 2, 3):
            await schedule.once()
            [copy] = await kept(told)
            assert copy.attempts == attempts
            assert copy.failure == ("answered 503" if attempts < 3 else "")
            await schedule.once()
            [again] = await kept(told)
            assert again == copy, "it was posted again before its time"
            await connection.execute("update report_copy set next_attempt_at = now() where next_attempt_at is not null")
    [(key, body)] = hook.taken
    assert key == f"tidegauge-report-{number}"
    told_of = msgspec.json.decode(body)
    assert msgspec.convert(told_of["report"], Report) == report
    [file] = told_of["files"]
    assert (file["name"], file["media_type"]) == ("weekly-2025-11-17.html", "text/html; charset=utf-8")
    assert base64.b64decode(file["content"]).startswith(b"<!doctype html>")
    assert copy.posted_at is not None
