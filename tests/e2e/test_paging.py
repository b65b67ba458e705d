"""From an event over HTTP to the page at the other end, and back, through the whole of `make stack`."""

import json
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from service.demo.client import Client
from tests.e2e import tenants
from tests.e2e.monitoring import Alertmanager, Prometheus
from tests.e2e.stack import Stack, free_ports

WAIT_S = 300.0
ROUTES = Path(__file__).parents[2] / "deploy" / "alertmanager" / "alertmanager.yml"
SLO = 'tenant="acme",slo="benevity-on-time"'
DECLARED = """
[integrations.benevity]
limit_ms = 500
[[slo]]
name = "benevity-on-time"
kind = "delivery_on_time"
where = { integration = "benevity" }
objective = 0.95
window = "30d"
min_events = 100
"""


@dataclass(slots=True)
class Told:
    """What a webhook at the other end has received, by the receiver that sent it."""

    address: str
    messages: list[dict[str, Any]] = field(default_factory=list)

    def of(self, receiver: str, status: str) -> list[dict[str, Any]]:
        """Alerts that a receiver was told of; a message may hold some that fire and others that are well again."""
        sent = [message for message in self.messages if message["receiver"] == receiver]
        return [alert for message in sent for alert in message["alerts"] if alert["status"] == status]


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that runs."""

    client: Client
    prometheus: Prometheus
    alertmanager: Alertmanager
    told: Told

    def counted(self) -> float:
        """Events that the SLO's counter shows in Prometheus."""
        found = self.prometheus.query(f"max(tidegauge_slo_events_total{{{SLO}}})")
        return float(found[0]["value"][1]) if found else 0.0

    def deliver(self, count: int, *, latency_ms: int) -> None:
        """Send so many deliveries and wait until Prometheus has seen them."""
        before = self.counted()
        data = {"integration": "benevity", "outcome": "delivered", "latency_ms": latency_ms}
        event = {"specversion": "1.0", "source": "/sap", "type": "io.tidegauge.delivery.v1", "data": data}
        sent = [event | {"id": str(uuid4()), "subject": f"d-{uuid4()}"} for _ in range(count)]
        assert self.client.send(sent) == count
        until(lambda: self.counted() == before + count, "the counter in Prometheus")


@contextmanager
def webhook() -> Iterator[Told]:
    """A server that takes what Alertmanager posts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            told.messages.append(json.loads(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # the name that the library gives
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told = Told(f"127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """`make stack`, with the deployed routes of Alertmanager and the rules of what acme declares."""
    with webhook() as told, tempfile.TemporaryDirectory(prefix="tidegauge-paging-", ignore_cleanup_errors=True) as made:
        directory = Path(made)
        directory.chmod(0o755)  # as root Postgres runs as another user, who must get there
        with Stack(directory, ports=free_ports(), interval_s=1, alertmanager_yml=sooner(told.address), fsync=False) as stack:
            address, key = stack.address("api-1"), tenants.made(stack.postgres.url, "acme", "read", "ingest", "admin")
            declare(address, key)
            with Client(address, write_key=key, read_key=key, give_up_s=WAIT_S) as client:
                stack.installation.run("rules", "--output", str(stack.prometheus.rules))
                stack.prometheus.reload()
                yield Scene(client, stack.prometheus, stack.alertmanager, told)


def declare(address: str, key: str) -> None:
    """Store what acme declares."""
    headers = {"authorization": f"Bearer {key}", "content-type": "application/toml"}
    httpx.put(f"{address}/v1/config", content=DECLARED, headers=headers, timeout=WAIT_S, trust_env=False).raise_for_status()


def sooner(address: str) -> str:
    """The deployed routes with our webhook, and with waits of a second in place of minutes."""
    text = re.sub(r"(group_wait|group_interval): \w+", r"\1: 1s", ROUTES.read_text())
    return text.replace("127.0.0.1:9095", address)


def until(said: Callable[[], object], what: str) -> None:
    """Wait for something to be so."""
    deadline = time.monotonic() + WAIT_S
    while not said():
        assert time.monotonic() < deadline, f"{what}: not within {WAIT_S:g} s"
        time.sleep(0.25)


def test_deliveries_that_break_their_sla_page_somebody_and_the_page_ends_when_they_are_well(scene: Scene) -> None:
    # What is late here comes to a counter that rules have seen; tests/rules has those that they first see when they have grown.
    scene.deliver(20, latency_ms=120)
    until(lambda: scene.prometheus.query(f"tidegauge_slo_objective_ratio{{{SLO}}} == 0.95"), "the objective")
    recorded = f"tenant_slo:tidegauge_slo_events_total:max{{{SLO}}} == 20"
    until(lambda: scene.prometheus.query(recorded), "the counter that rules are made of")
    scene.deliver(300, latency_ms=2_000)
    until(lambda: any(alert["labels"]["burn_window"] == "1h" for alert in scene.told.of("page", "firing")), "the page")
    page = next(alert for alert in scene.told.of("page", "firing") if alert["labels"]["burn_window"] == "1h")
    assert page["labels"] == {
        "alertname": "ErrorBudgetBurnsFast",
        "tenant": "acme",
        "slo": "benevity-on-time",
        "kpi": "delivery_on_time",
        "severity": "critical",
        "scope": "slo",
        "burn_window": "1h",
    }
    described = r"\d+(\.\d+)?% of the last 1h was not good; the limit is 72%\. .*"
    assert re.fullmatch(described, page["annotations"]["description"])
    assert page["annotations"]["runbook_url"].endswith("/ErrorBudgetBurnsFast.md")

    until(lambda: states(scene).get("ErrorBudgetBurnsSlowly") == {"suppressed"}, "the ticket, hidden by its page")
    assert scene.told.of("ticket", "firing") == []

    scene.deliver(3_000, latency_ms=120)
    until(lambda: ended(scene), "the end of the page")


def states(scene: Scene) -> dict[str, set[str]]:
    """How Alertmanager holds acme's alerts, by their names."""
    answer = httpx.get(
        f"{scene.alertmanager.address}/api/v2/alerts", params={"filter": 'tenant="acme"'}, timeout=WAIT_S, trust_env=False
    )
    answer.raise_for_status()
    found: dict[str, set[str]] = {}
    for alert in answer.json():
        found.setdefault(alert["labels"]["alertname"], set()).add(alert["status"]["state"])
    return found


def ended(scene: Scene) -> bool:
    """Whether everything that was paged was told to be well again."""
    fired, well = ({alert["fingerprint"] for alert in scene.told.of("page", status)} for status in ("firing", "resolved"))
    return bool(fired) and fired <= well
