"""Roles as processes: what they say of themselves, how they stop, and what they log."""

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from service.store import ledger
from service.store.keys import create_key
from service.store.tenants import create_tenant
from service.supervisor import free_port
from tests.e2e.harness import Installation, send
from tests.operations.events import SOURCE, request, usage

ENOUGH = 20  # events sent before the API is stopped
ABSENT_WHILE_ALL_IS_WELL = {
    # Counters of what went wrong have no series until it does.
    "tidegauge_dead_letters",
    "tidegauge_flush_failures",
    "tidegauge_names_over_limit",
    "tidegauge_evaluation_failures",
    "tidegauge_report_failures",
    "tidegauge_tickets_near_limit",
}


@pytest.fixture
def installation(database_url: str, tmp_path: Path) -> Iterator[Installation]:
    with Installation(database_url, tmp_path) as made:
        yield made


async def new_key(database_url: str, scopes: list[str]) -> str:
    """A new tenant's key."""
    connection = await asyncpg.connect(database_url)
    try:
        tenant = await create_tenant(connection, "acme", "UTC")
        return (await create_key(connection, tenant, scopes))[1]
    finally:
        await connection.close()


async def counted(database_url: str) -> ledger.LedgerReport:
    """What became of everything."""
    connection = await asyncpg.connect(database_url)
    try:
        return await ledger.check(connection)
    finally:
        await connection.close()


def operations(installation: Installation, role: str, name: str = "") -> str:
    """Start a role with a port of its own for its health; returns the address."""
    port = free_port()
    installation.start(role, name, ops_port=str(port))
    return f"http://127.0.0.1:{port}"


def ready(address: str, *, within_s: float = 600.0) -> dict[str, Any]:
    """What /readyz says once it is ready."""
    deadline = time.monotonic() + within_s
    said: Any = "no answer"
    while time.monotonic() < deadline:
        try:
            answer = httpx.get(f"{address}/readyz", timeout=60, trust_env=False)
        except httpx.HTTPError:
            time.sleep(0.05)
            continue
        said = answer.json()
        if answer.is_success:
            return dict(said)
        time.sleep(0.05)
    raise AssertionError(said)


def test_every_role_says_whether_each_of_its_parts_is_ready(installation: Installation) -> None:
    installation.start("api")
    first = operations(installation, "aggregate")
    evaluators = [operations(installation, "evaluate", f"evaluate-{number}") for number in range(2)]
    installation.wait_until_ready()
    assert ready(installation.address)["parts"] == dict.fromkeys(("database", "log", "appender", "kpis"), "ready")
    until(lambda: ready(first)["parts"]["leases"] == "holds 4 of 4 partitions, 0 are held by nobody", "leases are free")
    parts = ready(first)["parts"]
    assert parts["lag"] == "0 events behind, the oldest for 0.0 s"
    assert parts["partitions"] == "ready"
    # They are asked one after the other, and a busy machine may make the lease pass from one to the other meanwhile.
    until(lambda: standing(evaluators) == ["holds the lease", "stands by for"], "one holds the lease, and the other stands by")
    for address in (installation.address, first, *evaluators):
        assert httpx.get(f"{address}/healthz", trust_env=False, timeout=60).json() == {"status": "ok"}
    until(lambda: all(words in installation.run("status").stdout for words in ("stands by", "the lease")), "status shows both")


def standing(evaluators: list[str]) -> list[str]:
    """The first three words of what each evaluator says of its lease, sorted."""
    return sorted(" ".join(ready(address)["parts"]["evaluator"].split(" ")[:3]) for address in evaluators)


def until(true: Callable[[], bool], what: str, *, within_s: float = 600.0) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, f"it did not come about that {what}"
        time.sleep(0.1)


def page(address: str) -> str:
    """One page of metrics; without a path it is the role's own."""
    url = address if address.count("/") > 2 else f"{address}/metrics"
    return httpx.get(url, trust_env=False, timeout=60).text


def unfilled(pages: dict[str, str]) -> set[str]:
    """The metrics that no role has a value of, but for those that only have one when something is wrong."""
    lines = [line for text in pages.values() for line in text.splitlines()]
    series = {line.partition(" ")[0].partition("{")[0] for line in lines if not line.startswith("#")}
    names = {line.split(" ")[2] for line in lines if line.startswith("# TYPE tidegauge")}
    families = {name: name.removesuffix("_total").removesuffix("_created") for name in names}
    return {
        name
        for name, family in families.items()
        if family not in ABSENT_WHILE_ALL_IS_WELL and not series & {name, f"{name}_count"}
    }


def test_every_metric_is_filled_and_promtool_likes_every_role_s_page(installation: Installation) -> None:
    installation.start("api")
    roles = {"api": installation.address} | {role: operations(installation, role) for role in ("aggregate", "evaluate")}
    installation.wait_until_ready()
    client = installation.tenant("acme")
    send(client, [request("r1"), request("r1"), usage("u1"), request("odd", data={**request("")["data"], "new": 1})])
    for role in ("aggregate", "evaluate"):
        ready(roles[role])
    deadline = time.monotonic() + 600
    while missing := unfilled(pages := {role: page(address) for role, address in roles.items()}):
        assert time.monotonic() < deadline, missing
        time.sleep(0.1)
    for role, text in pages.items():
        done = subprocess.run(
            ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.stdout + done.stderr == "", role
        assert f'tidegauge_build_info{{role="{role}"' in text
    deadline = time.monotonic() + 600
    while 'tidegauge_requests{tenant="acme",window="5m"} 2.0' not in (kpis := page(f"{installation.address}/metrics/kpis")):
        assert time.monotonic() < deadline, kpis
        time.sleep(0.1)
    done = subprocess.run(["promtool", "check", "metrics"], input=kpis, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout + done.stderr == ""


def test_a_stopped_api_answers_what_it_took_in_and_loses_nothing(installation: Installation, database_url: str) -> None:
    installation.start("api")
    installation.wait_until_ready()
    key = asyncio.run(new_key(database_url, ["ingest"]))
    accepted: list[str] = []
    refused = threading.Event()

    def keep_sending(sender: int) -> None:
        with httpx.Client(base_url=installation.address, trust_env=False, timeout=60) as client:
            for number in range(100_000):
                name = f"{sender}-{number}"
                try:
                    answer = client.post("/v1/events", json=request(name), headers={"authorization": f"Bearer {key}"})
                except httpx.TransportError:
                    refused.set()
                    return
                if answer.status_code == 202:
                    accepted.append(name)
                else:
                    assert (answer.status_code, "retry-after" in answer.headers) == (503, True), answer.text

    senders = [threading.Thread(target=keep_sending, args=(number,), daemon=True) for number in range(4)]
    for each in senders:
        each.start()
    deadline = time.monotonic() + 600
    while len(accepted) <= ENOUGH:
        assert time.monotonic() < deadline, accepted
        time.sleep(0.05)
    assert installation.stop("api") == 0
    for each in senders:
        each.join(600)
    assert refused.is_set()
    installation.start("aggregate")
    deadline = time.monotonic() + 600
    while (report := asyncio.run(counted(database_url))).pending:
        assert time.monotonic() < deadline, report
        time.sleep(0.1)
    assert report.mistakes == ()
    assert report.stored >= len(accepted)
    assert installation.stop("aggregate") == 0


def test_logs_are_one_event_a_line_and_hold_no_key_and_no_body(installation: Installation, database_url: str) -> None:
    installation.start("api")
    installation.start("aggregate")
    installation.wait_until_ready()
    key = asyncio.run(new_key(database_url, ["ingest", "read"]))
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=installation.address, headers=headers, trust_env=False, timeout=60) as client:
        client.post("/v1/events", json=usage("private-id", subject="private-user", data={"feature": ""}))
        client.post("/v1/events", content=b'{"private-body"', headers={"content-type": "application/json"})
        client.get("/v1/kpis/nothing")
        client.get("/v1/events", params={"source": SOURCE, "id": "x", "time": "private-time"})
        client.get("/nowhere", headers={"authorization": "Bearer tg_private"})
    assert installation.stop("api") == 0
    assert installation.stop("aggregate") == 0
    for role in ("api", "aggregate"):
        lines = [json.loads(line) for line in installation.log(role).splitlines()]
        assert {"role_starts", "listening", "role_stopped"} <= {line["event"] for line in lines}
        assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)
        assert key not in installation.log(role)
        assert "private" not in installation.log(role)
    statuses = [line["status"] for line in map(json.loads, installation.log("api").splitlines()) if line["event"] == "request"]
    assert statuses == [422, 400, 404, 400, 404]
