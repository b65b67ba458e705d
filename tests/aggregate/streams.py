"""Random streams of events of all families, with copies among them, the same for the same seed."""

import random
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from service.clock import DAY, HOUR, SECOND, SystemClock
from service.domain.families.rows import (
    AccountRow,
    DeliveryRow,
    FeedbackRow,
    IncidentRow,
    ItemRow,
    MeasurementRow,
    ProbeRow,
    RecoveryRow,
    RequestRow,
    Row,
    TicketRow,
    UsageRow,
    UserRow,
)
from tests.aggregate.conftest import Site
from tests.aggregate.events import Events

BEGAN_US = SystemClock().now_us()
FAMILY_OF = {
    UsageRow: "usage",
    UserRow: "user",
    DeliveryRow: "delivery",
    RequestRow: "request",
    ProbeRow: "probe",
    MeasurementRow: "measurement",
    IncidentRow: "incident",
    AccountRow: "account",
    RecoveryRow: "recovery",
    TicketRow: "ticket",
    FeedbackRow: "feedback",
    ItemRow: "item",
}


def stream(site: Site, seed: int, count: int) -> list[Row]:
    """Events of the last two days, a tenth of them too late, in the future or without a time; a quarter are copies."""
    pick = random.Random(seed)
    events = Events(site)
    # The hour in which the run began: a stream that is made again after the hour has struck is still the same.
    now = (BEGAN_US + site.clock.ahead_us) // HOUR * HOUR
    rows: list[Row] = []
    for _ in range(count):
        if rows and pick.random() < 0.25:
            rows.append(pick.choice(rows))
            continue
        received = now - pick.randrange(HOUR)
        time: int | None = received - pick.randrange(2 * DAY)
        odd = pick.random()
        if odd < 0.03:
            time = received - 7 * DAY - 1
        elif odd < 0.05:
            time = received + 300 * SECOND + 1
        elif odd < 0.1:
            time = None
        elif odd < 0.3:
            # Around the age up to which an event feeds the counters of SLOs.
            time = received - pick.randrange(30 * 60 * SECOND)
        rows.append(_event(pick, events, time, received))
    return rows


def _event(pick: random.Random, events: Events, time: int | None, received: int) -> Row:
    at: dict[str, Any] = {"time_us": time, "received_us": received, "account": pick.choice(["", "a", "b", "c"])}
    user = f"user-{pick.randrange(200)}"
    match pick.randrange(8):
        case 0:
            return events.make(UsageRow, **at, user=user, feature=pick.choice(["export", "search", "login"]))
        case 1:
            return events.make(
                UserRow, **at, user=user, traits={"plan": pick.choice("abc")}, milestone="first_login", status="active"
            )
        case 2:
            latency = pick.randrange(10**9)
            return events.make(DeliveryRow, **at, delivery="d", integration="sap", outcome="delivered", latency_ns=latency)
        case 3:
            latency = pick.randrange(10**9)
            return events.make(
                RequestRow, **at, service="api", status=pick.choice([200, 404]), latency_ns=latency, count=pick.randrange(1, 9)
            )
        case 4:
            return events.make(ProbeRow, **at, component="api", up=pick.random() < 0.9, interval_s=60)
        case 5:
            attributes = {"page": pick.choice(["home", "cart"])}
            return events.make(MeasurementRow, **at, meter="lcp", whole=pick.randrange(5_000), nano=5, attributes=attributes)
        case 6:
            return events.make(IncidentRow, **at, incident=f"i-{pick.randrange(9)}", action="opened", severity="P1")
        case _:
            return _of_customers(pick, events, at, user)


def _of_customers(pick: random.Random, events: Events, at: dict[str, Any], user: str) -> Row:
    """One of the families that say how customers fare."""
    case = f"{pick.randrange(9)}"
    money: dict[str, Any] = {"mrr": pick.choice([None, 0, 4_900]), "mrr_currency": "USD"}
    match pick.randrange(5):
        case 0:
            said: dict[str, Any] = {
                "status": pick.choice(["trial", "active", "churned"]),
                "milestone": pick.choice(["", "go_live"]),
            }
            signals = {"merger": pick.choice(["true", "false"])}
            return events.make(AccountRow, **at, customer=f"a{case}", **said, **money, signals=signals)
        case 1:
            return events.make(RecoveryRow, **at, case=case, action=pick.choice(["at_risk", "recovered"]), channel="email")
        case 2:
            return events.make(TicketRow, **at, ticket=case, action=pick.choice(["opened", "resolved"]), priority="P2")
        case 3:
            themes = pick.sample(["speed", "price", "layout"], 2)
            return events.make(
                FeedbackRow, **at, respondent=user, survey="nps", score=pick.randrange(11), scale=10, themes=themes
            )
        case _:
            return events.make(ItemRow, **at, item=case, kind="risk", status=pick.choice(["open", "closed"]), due="2025-12-24")


def by_family(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows as an append takes them."""
    families: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        families[FAMILY_OF[type(row)]].append(row)
    return families
