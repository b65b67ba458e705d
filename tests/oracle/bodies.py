"""What events of each family say: small vocabularies, so that things meet."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from service.clock import DAY, SECOND
from service.domain.families.incident import ACTIONS

Body = tuple[str, dict[str, Any]]
FEATURES = ("dashboard", "csv_export", "pdf_export", "audit", "heartbeat", "search")
WEIGHTS = {"usage": 30, "user": 14, "delivery": 15, "request": 15, "probe": 12, "measurement": 10, "incident": 12}


def maybe(pick: random.Random, share: float, **fields: Any) -> dict[str, Any]:
    """These fields in such a share of all events, else none."""
    return fields if pick.random() < share else {}


def _user(pick: random.Random) -> str:
    return f"u{pick.randrange(8)}" if pick.random() < 0.6 else f"v{pick.randrange(90)}"


def _usage(pick: random.Random, at_us: int) -> Body:  # bodies are made alike
    if pick.random() < 0.12:
        phase: dict[str, Any] = pick.choice(
            (
                {"phase": "start"},
                {"phase": "end", "duration_ms": pick.choice((60_000, 7_000_000, 93_600_000))},
                {"duration_ms": pick.choice((90_000.5, 0, 40_000_000))},
            )
        )
        return _user(pick), {"feature": "session", **phase}
    return _user(pick), {
        "feature": pick.choice(FEATURES),
        **maybe(pick, 0.4, quantity=pick.choice((0.1, 0.2, 3, 1e12, 0.000000001, 12.5))),
        **maybe(pick, 0.3, ok=pick.random() < 0.5),
        **maybe(pick, 0.4, properties={"plan": pick.choice(("pro", "free")), "undeclared": pick.choice("xy")}),
    }


def _about_user(pick: random.Random, at_us: int) -> Body:
    data = {
        **maybe(pick, 0.6, status=pick.choice(("provisioned", "active", "deactivated"))),
        **maybe(pick, 0.5, milestone=pick.choice(("first_login", "first_value", "first_value", "signed_up"))),
        **maybe(
            pick, 0.5, traits={"role": pick.choice(("admin", "member"))} | maybe(pick, 0.5, region=pick.choice(("eu", "us")))
        ),
    }
    return _user(pick), data or {"status": "provisioned"}


def _delivery(pick: random.Random, at_us: int) -> Body:
    outcome = pick.choice(
        ("accepted", "retrying", "delivered", "delivered", "delivered", "failed", "dead_lettered", "redelivered")
    )
    latency = pick.choice((299.9999995, 300, 300.000001, 500, 500.1, pick.randrange(1, 2_000)))
    return f"d{pick.randrange(40)}", {
        "integration": pick.choice(("sap", "workday", "benevity")),
        "outcome": outcome,
        **({"latency_ms": latency} if outcome == "delivered" else maybe(pick, 0.2, latency_ms=latency)),
        **maybe(pick, 0.5, direction=pick.choice(("inbound", "outbound"))),
        **maybe(pick, 0.5, attempt=pick.choice((1, 2, 3))),
        **maybe(pick, 0.2, limit_ms=pick.choice((100, 300, 1_000))),
        **maybe(pick, 0.2, exhausted=pick.random() < 0.5),
        **maybe(pick, 0.3, automated=pick.random() < 0.5),
        **maybe(pick, 0.15, excluded="customer_system"),
    }


def _request(pick: random.Random, at_us: int) -> Body:
    return "", {
        "service": pick.choice(("api", "web")),
        "latency_ms": pick.choice((0, 0.0000005, 12.25, pick.randrange(1, 900_000) / 7, 400 * 86_400_000)),
        **(
            maybe(pick, 0.5, status=200) | {"timeout": True}
            if pick.random() < 0.15
            else {"status": pick.choice((200, 200, 301, 404, 500, 503))}
        ),
        **maybe(pick, 0.5, route=pick.choice(("/orders/{id}", "/"))),
        **maybe(pick, 0.5, method=pick.choice(("GET", "POST"))),
        **maybe(pick, 0.3, region="eu"),
        **maybe(pick, 0.3, count=pick.choice((2, 10, 10**9))),
        **maybe(pick, 0.3, error_kind=pick.choice(("validation", "application"))),
        **maybe(pick, 0.15, excluded="load_test"),
    }


def _probe(pick: random.Random, at_us: int) -> Body:
    announced = datetime.fromtimestamp((at_us - pick.choice((7 * DAY, 7 * DAY - SECOND, 8 * DAY))) // SECOND, UTC)
    planned = {"planned": True} | maybe(pick, 0.8, announced_at=announced.isoformat())
    return "", {
        "component": pick.choice(("web", "api", "api", "mail", "undeclared")),
        "up": pick.random() < 0.7,
        "interval_s": pick.choice((1, 60, 900, 1_801, 3_600)),
        **maybe(pick, 0.6, monitor=pick.choice(("blackbox", "second"))),
        **maybe(pick, 0.3, region="eu"),
        **maybe(pick, 0.3, degraded=True),
        **(planned if pick.random() < 0.15 else {}),
        **maybe(pick, 0.1, excluded="maintenance"),
    }


def _measurement(pick: random.Random, at_us: int) -> Body:
    if pick.random() < 0.4:
        return _economic(pick)
    meter = pick.choice(("lcp", "cost", "lcp"))
    unit: dict[str, Any] = {"currency": pick.choice(("USD", "EUR"))} if meter == "cost" else maybe(pick, 0.7, unit="s")
    return "", {
        "meter": meter,
        "value": pick.choice((0, -1.5, 1e15, -0.000000001, 0.1, 0.30000000049, pick.randrange(-500, 5_000) / 10)),
        **unit,
        **maybe(pick, 0.4, attributes={"page": pick.choice(("home", "cart"))} | maybe(pick, 0.3, device="phone")),
        **maybe(pick, 0.3, count=pick.choice((2, 1_000))),
    }


def _economic(pick: random.Random) -> Body:
    meter = pick.choice(("cost.acquisition", "cost.goods_sold", "cost.hosting", "cash.balance"))
    return "", {
        "meter": meter,
        "value": pick.choice((0, 4_900, 1_250_000.5, -100, 10**9)),
        "currency": pick.choice(("USD", "USD", "EUR")),
        **maybe(pick, 0.4, attributes={"tier": pick.choice(("enterprise", "starter"))}),
        **maybe(pick, 0.2, count=3),
    }


def _incident(pick: random.Random, at_us: int) -> Body:
    action = pick.choices(ACTIONS, weights=[4, 3, 3, 1, 1, 1, 1, 4, 2, 1, 0.5])[0]
    needs = action in ("opened", "severity_changed")
    return f"i{pick.randrange(9)}", {
        "action": action,
        **({"severity": pick.choice(("P0", "P1", "P2", "P3"))} if needs else maybe(pick, 0.1, severity="P3")),
        **maybe(pick, 0.4, service=pick.choice(("api", "web", "redis"))),
        **maybe(pick, 0.3, kind=pick.choice(("availability", "security"))),
        **maybe(pick, 0.2, cause="disk"),
        **maybe(pick, 0.5, outage=pick.random() < 0.7),
        **maybe(pick, 0.2, accounts=pick.sample(("acme", "beta", "core"), k=2)),
    }


BODIES: dict[str, Callable[[random.Random, int], Body]] = {
    "usage": _usage,
    "user": _about_user,
    "delivery": _delivery,
    "request": _request,
    "probe": _probe,
    "measurement": _measurement,
    "incident": _incident,
}
