"""While Postgres or Kafka is away, what can go on goes on, what cannot says so, and nothing acknowledged is lost."""

import json
import time
from pathlib import Path

import httpx
import pytest

from service.store.embedded import EmbeddedPostgres
from tests.broker import Broker
from tests.e2e import tenants
from tests.e2e.chaos import storm
from tests.e2e.targets import KAFKA, POSTGRES

TIMEOUT_S = 120.0
ROLES = ["api-1", "api-2", "evaluate", "aggregate"]
BATCHES = 40
"""Acknowledged by each client while something is away: many times the period after which a key is asked for again."""

EVENT = {
    "specversion": "1.0",
    "id": "refused-for-now",
    "source": "/aside",
    "type": "io.tidegauge.request.v1",
    "data": {"service": "api", "status": 200, "latency_ms": 1},
}


def test_without_postgres_events_are_taken_as_ever_and_counted_when_it_is_back(
    own_postgres: EmbeddedPostgres, own_broker: Broker, tmp_path: Path, seed: int
) -> None:
    with storm(own_postgres, own_broker, tmp_path, seed, ROLES, key_refresh_s="0.5") as made:
        made.recover()
        made.go_on(batches=4)
        repeated = made.repeated
        made.targets.take_away(POSTGRES)
        made.until(lambda: all("keys cannot be checked" in log_of(tmp_path, api) for api in ROLES[:2]), "nobody misses it")
        made.go_on(BATCHES)
        assert made.repeated == repeated
        with pytest.raises(httpx.HTTPStatusError, match="503"):
            made.client.get("/v1/kpis/requests", window="1h")
        made.targets.bring_back(POSTGRES)
        made.recover()
        made.end()


def until_not_ready(address: str, parts: list[str]) -> None:
    """These alone stay not ready: another one may be late with its answer on a busy machine, and is there at the next look."""
    deadline = time.monotonic() + TIMEOUT_S
    while (answer := httpx.get(f"{address}/readyz", timeout=TIMEOUT_S, trust_env=False)).json()["not_ready"] != parts:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.2)
    assert answer.status_code == 503


def log_of(directory: Path, name: str) -> str:
    return (directory / f"{name}.log").read_text()


def test_without_kafka_events_are_refused_for_now_and_queries_are_answered(
    own_postgres: EmbeddedPostgres, own_broker: Broker, tmp_path: Path, seed: int
) -> None:
    with storm(own_postgres, own_broker, tmp_path, seed, ROLES) as made:
        made.recover()
        key = tenants.made(own_postgres.url, "aside", "ingest")
        made.targets.take_away(KAFKA)
        for address in made.targets.apis.values():
            answer = httpx.post(
                f"{address}/v1/events",
                content=json.dumps(EVENT),
                headers={"authorization": f"Bearer {key}", "content-type": "application/cloudevents+json"},
                timeout=TIMEOUT_S,
                trust_env=False,
            )
            assert (answer.status_code, int(answer.headers["retry-after"])) == (503, 1), answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert "the event log in Kafka" in answer.json()["detail"]
        assert made.client.get("/v1/kpis/requests", window="1h")["value"] >= 0
        until_not_ready(made.targets.installation.address, ["log"])
        made.targets.bring_back(KAFKA)
        made.recover()
        made.end()
