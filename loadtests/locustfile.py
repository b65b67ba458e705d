"""Load on a deployment of your own: `locust -f loadtests/locustfile.py --host https://… --key KEY` (docs/performance.md).

Needs nothing but locust. Events are usage, request and delivery 7:2:1 of so many users; with `--read-key`, figures are
asked for beside them. An answer that is not the one expected counts as a failure: 429 and 503 too, which a real client
sends again.
"""

import json
import time
from argparse import ArgumentParser
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import uuid4

from locust import HttpUser, between, events, tag, task

ACCEPTED, OK = 202, 200
USERS, FEATURES, ROUTES = 20_000, 12, 10
MIX = ("usage",) * 7 + ("request",) * 2 + ("delivery",)
FIGURES = ("feature_uses?window=1h&by=feature", "wau?window=7d", "request_latency?window=24h", "delivery_success?window=7d")


def _options(parser: ArgumentParser, **_: Any) -> None:
    """What beside locust's own options can be said."""
    add: Any = parser.add_argument  # locust's parser takes more than the standard one
    add("--key", env_var="TIDEGAUGE_KEY", default="", is_secret=True, help="API key with the scope `ingest`")
    add("--read-key", default="", is_secret=True, help="API key with the scope `read`; none: nothing is asked for")
    add("--batch-events", type=int, default=500, help="Events a batch")
    add("--seed", type=int, default=1, help="Of what happens; ids and times are new")


events.init_command_line_parser.add_listener(_options)  # type: ignore[no-untyped-call]  # locust is typed in parts


class ProductService(HttpUser):
    """A service that reports what happens in it: mostly batches, now and then a single event."""

    wait_time = between(0.05, 0.15)

    def on_start(self) -> None:
        """Take the options."""
        options = self.environment.parsed_options
        if options is None or not options.key:
            raise SystemExit("give an API key with the scope `ingest`: --key KEY, or TIDEGAUGE_KEY in the environment")
        self._random = Random(options.seed)
        self._write = {"authorization": f"Bearer {options.key}"}
        self._read = {"authorization": f"Bearer {options.read_key}"} if options.read_key else None
        self._batch_events = options.batch_events

    @tag("batches")
    @task(8)
    def batch(self) -> None:
        """Send a batch."""
        body = [self._event() for _ in range(self._batch_events)]
        self._send(f"{self._batch_events} events", body, "application/cloudevents-batch+json")

    @tag("singles")
    @task(2)
    def single(self) -> None:
        """Send one event in structured mode."""
        self._send("one event", self._event(), "application/cloudevents+json")

    @tag("reads")
    @task(1)
    def figure(self) -> None:
        """Ask for a figure."""
        if self._read is None:
            return
        path = self._random.choice(FIGURES)
        with self.client.get(f"/v1/kpis/{path}", headers=self._read, name=path.partition("?")[0], catch_response=True) as answer:
            if answer.status_code != OK:
                answer.failure(f"{answer.status_code}: {answer.text[:200]}")

    def _send(self, name: str, body: Any, media_type: str) -> None:
        head = {**self._write, "content-type": media_type}
        with self.client.post("/v1/events", data=json.dumps(body), headers=head, name=name, catch_response=True) as answer:
            if answer.status_code != ACCEPTED or answer.json()["rejected"]:
                answer.failure(f"{answer.status_code}: {answer.text[:200]}")

    def _event(self) -> dict[str, Any]:
        family, random = self._random.choice(MIX), self._random
        instant = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
        event = {"specversion": "1.0", "type": f"io.tidegauge.{family}.v1", "source": "/loadtests/locust", "id": str(uuid4())}
        took_ms = round(random.lognormvariate(4.0, 0.8), 3)
        match family:
            case "usage":
                data: dict[str, Any] = {"feature": f"feature-{random.randrange(FEATURES):02d}", "duration_ms": took_ms}
                return event | {"time": instant, "subject": f"user-{random.randrange(USERS):06d}", "data": data}
            case "request":
                route, status = f"/v1/things/{random.randrange(ROUTES)}", random.choices((200, 404, 500), (95, 4, 1))[0]
                data = {"service": "api", "route": route, "method": "GET", "status": status, "latency_ms": took_ms}
                return event | {"time": instant, "data": data}
            case _:
                data = {"integration": "sap", "direction": "outbound", "outcome": "delivered", "latency_ms": took_ms}
                return event | {"time": instant, "subject": f"delivery-{random.getrandbits(48):012x}", "data": data}
