"""Who may send, how often, and what is said when the log takes no writes."""

import asyncio
import base64

import asyncpg
import httpx
import pytest
from prometheus_client import generate_latest

from service.settings import Settings
from service.store.keys import create_key, list_keys, revoke_key
from tests.ingest.door import PATIENCE_S, Door, opened
from tests.ingest.events import bad_event, encoded, usage_event

JSON = {"Content-Type": "application/json"}
EVENT = encoded(usage_event())


async def post(door: Door, body: bytes = EVENT, **headers: str) -> httpx.Response:
    return await door.client.post("/v1/events", content=body, headers=JSON | headers)


@pytest.mark.parametrize("authorization", ["", "Bearer tg_" + "A" * 43, "Bearer", "Basic eDp5"])
async def test_without_a_valid_key_nothing_is_taken(door: Door, authorization: str) -> None:
    answer = await post(door, Authorization=authorization)
    assert answer.status_code == 401
    assert "Bearer" in answer.headers["www-authenticate"]
    assert await door.logged() == {}


async def test_a_key_without_the_scope_is_403_and_named(door: Door) -> None:
    answer = await post(door, Authorization=f"Bearer {door.keys['read']}")
    assert (answer.status_code, answer.json()["scope"]) == (403, "ingest")


async def test_a_key_as_the_basic_user_name_is_taken(door: Door) -> None:
    basic = base64.b64encode(f"{door.keys['ingest']}:".encode()).decode()
    assert (await post(door, Authorization=f"Basic {basic}")).status_code == 202


async def test_a_key_that_is_only_for_backfill_may_not_post(door: Door, connection: asyncpg.Connection) -> None:
    _, secret = await create_key(connection, door.tenant, ["backfill"])
    assert (await post(door, Authorization=f"Bearer {secret}")).status_code == 403


async def test_a_revoked_key_stops_within_the_refresh_time(database_url: str, connection: asyncpg.Connection) -> None:
    async with opened(database_url, Settings(key_refresh_s=0.2)) as door:
        assert (await post(door)).status_code == 202
        [key] = [key for key in await list_keys(connection, door.tenant) if key.name == "ingest"]
        await revoke_key(connection, key.id)
        async with asyncio.timeout(PATIENCE_S):
            while (await post(door)).status_code != 401:  # noqa: ASYNC110  # a key's age sets no event
                await asyncio.sleep(0.05)


async def test_a_key_over_its_rate_is_429_with_the_time_to_wait(database_url: str) -> None:
    # One request, and the next one a thousand seconds later: no test takes so long.
    async with opened(database_url, Settings(key_requests_per_s=0.001)) as door:
        assert (await post(door)).status_code == 202
        answer = await post(door)
        assert answer.status_code == 429
        assert 900 < int(answer.headers["retry-after"]) <= 1_000
        assert (await post(door, Authorization=f"Bearer {door.keys['backfill']}")).status_code == 202


async def test_a_log_that_takes_no_writes_is_503_with_retry_after_and_then_takes_them(
    door: Door, connection: asyncpg.Connection
) -> None:
    assert (await post(door)).status_code == 202
    await connection.execute("alter table log_record rename to log_record_away")
    answer = await post(door)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.headers["content-type"] == "application/problem+json"
    await connection.execute("alter table log_record_away rename to log_record")
    assert (await post(door)).status_code == 202


async def test_connections_that_break_cost_a_503_and_no_event(door: Door, connection: asyncpg.Connection) -> None:
    assert (await post(door, encoded(usage_event("a")))).status_code == 202
    await connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    )
    statuses = [(await post(door, encoded(usage_event("b")))).status_code for _ in range(20)]
    assert set(statuses) <= {202, 503}
    assert statuses[-1] == 202
    assert set(await door.ids()) == {"a", "b"}


async def test_many_clients_at_once_lose_and_double_nothing(door: Door) -> None:
    async def client(number: int) -> None:
        for index in range(20):
            answer = await post(door, encoded([usage_event(f"{number}-{index}-a"), bad_event(f"{number}-{index}-b")]))
            assert (answer.status_code, answer.json()["accepted"]) == (202, 1)

    await asyncio.gather(*(client(number) for number in range(20)))
    assert await door.ids() == sorted(f"{number}-{index}-a" for number in range(20) for index in range(20))
    assert len(await door.refused()) == 400


async def test_events_are_counted_by_their_outcome(door: Door) -> None:
    await post(door, encoded([usage_event("a"), bad_event("b"), usage_event("c", data={"feature": "x", "new": 1})]))
    await door.client.post("/v1/events?dry_run=true", content=EVENT, headers=JSON)
    text = generate_latest(door.telemetry.registry).decode()
    assert 'tidegauge_ingest_events_total{outcome="accepted"} 2.0' in text
    assert 'tidegauge_ingest_events_total{outcome="missing_field"} 1.0' in text
    assert "tidegauge_ingest_unknown_fields_total 1.0" in text
    assert 'request_duration_seconds_count{code="202",method="POST",route="/v1/events"} 1.0' in text
    assert "tidegauge_log_append_events_sum 3.0" in text
    assert "tidegauge_log_append_backlog_events 0.0" in text
