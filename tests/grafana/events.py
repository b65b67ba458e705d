"""Events of the families and moments that the pilot week has none of: two months of customers, and what happens right now."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any

Event = dict[str, Any]
DAYS = 66
"""How far the history reaches back: at least one whole calendar month is closed that had customers at its beginning."""
USERS = 6
INTEGRATIONS = ("benevity", "workday")
USD = "USD"
_numbers = count()


def usd(amount: int) -> Mapping[str, Any]:
    """Money, in cents."""
    return {"amount": amount, "currency": USD}


def event(family: str, at: datetime, subject: str = "", account: str = "", **data: Any) -> Event:
    """One event."""
    who = {"subject": subject} if subject else {}
    whose = {"account": account} if account else {}
    return {
        "specversion": "1.0",
        "id": f"more-{next(_numbers)}",
        "source": "/grafana/tests",
        "type": f"io.tidegauge.{family}.v1",
        "time": at.isoformat(timespec="milliseconds"),
        **who,
        **whose,
        "data": data,
    }


def history(now: datetime) -> Iterator[Event]:
    """Customers, their users and their costs since two months ago, by the day."""
    began = now - timedelta(days=DAYS)
    yield from _customers(now, began)
    for day in range(DAYS + 1):
        at = began + timedelta(days=day)
        for number in range(USERS):
            if day % (number + 1) == 0:
                yield event("usage", at, f"user-{number}", "northwind", feature=("dashboard", "csv_export")[number % 2])
        yield event("usage", at, "user-1", "northwind", feature="session", duration_ms=600_000)
        yield event(
            "delivery", at, f"old-{day}", "northwind", integration="workday", outcome="delivered", attempt=2, latency_ms=300
        )
        if day % 7 == 0:
            yield from _costs(at)
            yield from _answers(at, day)
            yield from _cases(at, f"old-{day}")
            yield from _incident(at, f"old-{day}", "P1", resolved=True)
            yield from _ticket(at, f"old-{day}", resolved=True)
    for number in range(USERS):
        yield from _newcomer(began, number)
        yield event("user", now - timedelta(days=1), f"invited-{number}", "northwind", status="provisioned")


def moment(now: datetime) -> Iterator[Event]:
    """What happens right now, of every family; the same calls again are further events."""
    number = next(_numbers)
    at = now - timedelta(seconds=20)
    for integration in INTEGRATIONS:
        name = f"d-{number}-{integration}"
        base: dict[str, Any] = {"integration": integration, "limit_ms": 500}
        yield event("delivery", at, name, "northwind", outcome="delivered", latency_ms=240, **base)
        yield event("delivery", at, f"{name}-slow", "northwind", outcome="delivered", latency_ms=900, attempt=2, **base)
        yield event("delivery", at, f"{name}-dead", outcome="dead_lettered", exhausted=True, attempt=5, **base)
        yield event("delivery", at, f"{name}-dead", outcome="redelivered", automated=False, **base)
    for status in (200, 200, 404, 503):
        yield event(
            "request", at, service="api", route="/orders", method="GET", status=status, latency_ms=120, account="northwind"
        )
    yield event("request", at, service="web", timeout=True, latency_ms=3_000)
    yield event("probe", at, component="web", up=True, interval_s=20, degraded=True)
    yield event("probe", at - timedelta(seconds=20), component="web", up=False, interval_s=20)
    announced = (now - timedelta(days=8)).isoformat()
    yield event(
        "probe", at - timedelta(seconds=60), component="web", up=False, interval_s=20, planned=True, announced_at=announced
    )
    for meter, unit, value in (("cpu.load", "ratio", 0.4), ("storage.bytes", "bytes", 9e9), ("web_vital.lcp", "s", 1.8)):
        yield event("measurement", at, meter=meter, unit=unit, value=value, attributes={"host": "a"})
    yield event("usage", at, "user-0", "northwind", feature="session", phase="start", session=f"s-{number}")
    yield event("usage", at, "user-1", "northwind", feature="session", duration_ms=480_000, session=f"t-{number}")
    yield event("usage", at, "user-2", "northwind", feature="csv_export", ok=number % 2 == 0)


def today(now: datetime) -> Iterator[Event]:
    """What happens once, in the last hours."""
    at = now - timedelta(hours=2)
    yield event("delivery", at, "tracked", "northwind", integration="benevity", outcome="accepted")
    yield from _costs(at)
    yield from _answers(at, 1)
    yield from _cases(at, "new")
    yield from _incident(at, "new", "P1", resolved=False)
    yield from _incident(at, "mended", "P2", resolved=True)
    yield from _ticket(at, "new", resolved=False)
    yield from _ticket(at, "mended", resolved=True)
    # Nobody answers for two hours what has to be answered within half an hour.
    yield event("ticket", at, "ticket-missed", "northwind", action="opened", priority="P0", category="outage")
    for number, (kind, probability) in enumerate((("risk", "high"), ("opportunity", "low"))):
        yield event(
            "item",
            at,
            f"item-{number}",
            "northwind",
            kind=kind,
            status="open",
            title=f"A {kind}",
            probability=probability,
            impact="medium",
            owner="ada",
            priority="high",
            due=(now - timedelta(days=1)).date().isoformat(),
            value=usd(500_000),
        )
    yield event("item", at, "item-0", "northwind", kind="risk", status="mitigating")
    # Dead letters: one that says too little.
    yield event("request", at, latency_ms=1) | {"data": {"service": "api"}}


def _customers(now: datetime, began: datetime) -> Iterator[Event]:
    tiers = {"northwind": "enterprise", "beta": "mid_market", "gamma": "starter", "delta": "starter", "omega": "mid_market"}
    for place, (account, tier) in enumerate(tiers.items()):
        yield event("account", began - timedelta(days=1), account, status="invited", tier=tier)
        yield event(
            "account",
            began,
            account,
            status="active",
            tier=tier,
            milestone="activated",
            mrr=usd(100_000 * (place + 1)),
            usage_fees=usd(1_000),
            licensed_users=20,
            size=200,
            contract_value=usd(2_000_000),
            contract_start=began.date().isoformat(),
            contract_end=(now + timedelta(days=60)).date().isoformat(),
            renewal=(now + timedelta(days=30)).date().isoformat(),
            expansion_potential=usd(50_000 * place),
            phase="rollout",
            progress=0.5,
            traits={"industry": ("banking", "energy")[place % 2], "region": ("eu", "us")[place % 2], "owner": "grace"},
            signals={"merger": place == 1},
        )
    # One left and one came in the month before, which is closed; the same in the one that runs, and two pay another fee.
    before = now.replace(day=1) - timedelta(days=3)
    yield event("account", before, "delta", status="churned", reason="price")
    yield event("account", before, "vega", status="active", tier="starter", mrr=usd(40_000))
    yield event("account", now - timedelta(hours=1), "omega", status="churned", reason="merger")
    yield event("account", now - timedelta(hours=1), "nova", status="active", tier="starter", mrr=usd(70_000))
    yield event("account", now - timedelta(hours=1), "beta", mrr=usd(260_000))
    yield event("account", now - timedelta(hours=1), "gamma", mrr=usd(200_000))


def _newcomer(at: datetime, number: int) -> Iterator[Event]:
    user = f"user-{number}"
    yield event(
        "user", at, user, "northwind", status="provisioned", milestone="signed_up", traits={"role": "member", "region": "eu"}
    )
    for minutes, milestone in ((1, "first_login"), (9, "first_value"), (12, "ftue_completed"), (15, "training_completed")):
        yield event("user", at + timedelta(minutes=minutes), user, "northwind", milestone=milestone)


def _costs(at: datetime) -> Iterator[Event]:
    for meter, value in (
        ("cost.acquisition", 90_000),
        ("cost.goods_sold", 120_000),
        ("cost.operating", 2_000_000),
        ("cash.balance", 9e7),
    ):
        yield event("measurement", at, meter=meter, value=value, currency=USD)


def _answers(at: datetime, number: int) -> Iterator[Event]:
    for user, score in (("user-0", 10), ("user-1", 8), ("user-2", 3)):
        yield event("feedback", at - timedelta(minutes=9), user, "northwind", survey="nps", action="invited")
        yield event(
            "feedback",
            at,
            user,
            "northwind",
            survey="nps",
            score=score,
            sentiment="neutral",
            themes=["speed"],
            category=f"c{number % 2}",
        )
    yield event("feedback", at + timedelta(minutes=5), "user-2", "northwind", survey="nps", action="followed_up")
    for survey in ("csat", "support_csat", "ces"):
        yield event("feedback", at, "user-0", "northwind", survey=survey, score=4, scale=5)


def _cases(at: datetime, name: str) -> Iterator[Event]:
    for place, action in enumerate(("recovered", "lost")):
        case = f"case-{name}-{place}"
        money = {"amount": usd(90_000), "channel": "email"}
        yield event("recovery", at, case, "northwind", action="at_risk", **money)
        yield event("recovery", at + timedelta(minutes=5), case, "northwind", action="nudged", incentive=usd(4_000), **money)
        yield event("recovery", at + timedelta(minutes=20), case, "northwind", action=action, **money)


def _incident(at: datetime, name: str, severity: str, *, resolved: bool) -> Iterator[Event]:
    case = f"incident-{name}"
    said: dict[str, Any] = {
        "severity": severity,
        "title": "Queue stuck",
        "service": "web",
        "kind": "availability",
        "outage": True,
    }
    yield event("incident", at, case, action="opened", accounts=["northwind"], affected_users=12, **said)
    steps: dict[str, dict[str, Any]] = {"detected": {}, "acknowledged": {}, "escalated": {"level": 2}}
    for minutes, (action, more) in enumerate(steps.items(), 2):
        yield event("incident", at + timedelta(minutes=minutes), case, action=action, **more)
    if resolved:
        yield event("incident", at + timedelta(minutes=40), case, action="resolved", cause="configuration")
        yield event("incident", at + timedelta(minutes=60), case, action="postmortem_completed")


def _ticket(at: datetime, name: str, *, resolved: bool) -> Iterator[Event]:
    ticket = f"ticket-{name}"
    yield event("ticket", at, ticket, "northwind", action="opened", priority="P2", category="how_to")
    yield event("ticket", at + timedelta(minutes=10), ticket, "northwind", action="first_response")
    yield event("ticket", at + timedelta(minutes=15), ticket, "northwind", action="escalated", level=2)
    if resolved:
        yield event("ticket", at + timedelta(minutes=50), ticket, "northwind", action="resolved", first_contact=True)
