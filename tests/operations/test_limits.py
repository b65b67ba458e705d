"""The log's backlog has a limit: above it nothing is taken, and nothing that was taken is lost."""

import httpx
import pytest

from service.errors import Overloaded
from service.ingest.backlog import LogBacklog
from service.settings import Settings
from service.telemetry import Telemetry
from tests.operations.events import request
from tests.operations.running import Running, running


async def test_a_log_that_nobody_reads_takes_no_more_and_says_when_to_come_back(database_url: str) -> None:
    async with running(database_url, Settings(flush_interval_s=0.01, max_log_backlog_events=1_000)) as site:
        await site.worker.stop()
        await site.send([request(f"r{number}") for number in range(1_001)])
        assert await site.backlog.look() == 1_001
        headers = {"authorization": f"Bearer {site.keys['write']}"}
        refused = await site.client.post("/v1/events", json=request("more"), headers=headers)
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "10"
        assert "1,001 events" in refused.json()["detail"]
        assert "1,000" in refused.json()["detail"]
        tried = await site.client.post("/v1/events?dry_run=true", json=request("more"), headers=headers)
        assert tried.status_code == 200
        ready = await site.client.get("/readyz")
        assert (ready.status_code, ready.json()["not_ready"]) == (503, ["appender"])
        text = (await site.client.get("/metrics")).text
        assert "tidegauge_log_backlog_events 1001.0" in text
        assert "tidegauge_log_backlog_limit_events 1000.0" in text
        assert 'tidegauge_http_request_duration_seconds_count{code="503",method="POST",route="/v1/events"} 1.0' in text


async def test_what_is_consumed_makes_room(site: Running) -> None:
    await site.send([request(f"r{number}") for number in range(50)])
    narrow = LogBacklog(site.base.event_log, site.base.pool, Telemetry("test"), most=10)
    await site.consumed()
    await narrow.room()
    narrow.check()
    assert await narrow.look() == 0


async def test_above_the_limit_every_check_refuses_until_the_next_look(site: Running) -> None:
    await site.worker.stop()
    await site.send([request(f"r{number}") for number in range(20)])
    narrow = LogBacklog(site.base.event_log, site.base.pool, Telemetry("test"), most=10)
    await narrow.look()
    with pytest.raises(Overloaded, match="20 events"):
        narrow.check()


async def test_a_process_shows_its_pools_memory_and_build(site: Running) -> None:
    answer: httpx.Response = await site.client.get("/metrics")
    for line in (
        'tidegauge_database_pool_connections{pool="general",state="idle"}',
        'tidegauge_database_pool_connections{pool="log",state="used"}',
        'tidegauge_database_pool_limit_connections{pool="general"} 8.0',
        'tidegauge_build_info{role="test"',
        "process_resident_memory_bytes",
    ):
        assert line in answer.text, line
