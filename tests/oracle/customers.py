"""What events of customers say: accounts, cases of recovery, tickets, feedback and tracked things."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from service.clock import DAY, SECOND
from service.domain.families import feedback, recovery, ticket
from service.domain.families.item import STATUSES
from tests.oracle.bodies import FEATURES, Body, maybe

CUSTOMER_WEIGHTS = {"account": 15, "recovery": 10, "ticket": 12, "feedback": 10, "item": 10}
ACCOUNTS = ("acme", "beta", "core", "solo")
STAGES = ("prospect", "invited", "onboarding", "trial", "active", "active", "at_risk", "churned")
PRIORITIES = ("P0", "P1", "P2", "P3")
GRADES = ("low", "medium", "high")


def _money(pick: random.Random) -> dict[str, Any]:
    return {"amount": pick.choice((0, 1, 4_900, 1_250_000, 10**12)), "currency": pick.choice(("USD", "USD", "EUR"))}


def _date(pick: random.Random, at_us: int) -> str:
    return f"{datetime.fromtimestamp(at_us // SECOND, UTC).date()}" if pick.random() < 0.7 else "2026-12-31"


def _account(pick: random.Random, at_us: int) -> Body:
    data = {
        **maybe(pick, 0.5, status=pick.choice(STAGES)),
        **maybe(pick, 0.2, reason=pick.choice(("budget", "merger"))),
        **maybe(pick, 0.4, milestone=pick.choice(("kickoff", "go_live", "go_live", "first_value"))),
        **maybe(pick, 0.3, tier=pick.choice(("enterprise", "mid_market", "starter"))),
        **maybe(pick, 0.4, licensed_users=pick.choice((0, 3, 120))),
        **maybe(pick, 0.4, mrr=_money(pick)),
        **maybe(pick, 0.3, usage_fees=_money(pick)),
        **maybe(pick, 0.3, contract_value=_money(pick)),
        **maybe(pick, 0.2, contract_start=_date(pick, at_us - 90 * DAY)),
        **maybe(pick, 0.2, contract_end=_date(pick, at_us + 90 * DAY)),
        **maybe(pick, 0.2, renewal=_date(pick, at_us + 60 * DAY)),
        **maybe(pick, 0.2, expansion_potential=_money(pick)),
        **maybe(pick, 0.3, phase=pick.choice(("design", "rollout"))),
        **maybe(pick, 0.3, progress=pick.choice((0, 0.35, 1, 0.000000001))),
        **maybe(pick, 0.3, signals={pick.choice(("champion_left", "expansion_discussion")): pick.random() < 0.5}),
        **maybe(pick, 0.3, traits={"industry": pick.choice(("retail", "bank")), "region": pick.choice(("eu", "us"))}),
        **maybe(pick, 0.2, size=pick.choice((10, 4_000))),
    }
    return pick.choice(ACCOUNTS), data or {"status": "active"}


def _recovery(pick: random.Random, at_us: int) -> Body:  # bodies are made alike
    return f"case-{pick.randrange(9)}", {
        "action": pick.choice(recovery.ACTIONS),
        **maybe(pick, 0.6, amount=_money(pick)),
        **maybe(pick, 0.4, incentive=_money(pick)),
        **maybe(pick, 0.5, channel=pick.choice(("email", "call"))),
        **maybe(pick, 0.5, automated=pick.random() < 0.5),
    }


def _ticket(pick: random.Random, at_us: int) -> Body:
    action = pick.choice(ticket.ACTIONS)
    return f"T-{pick.randrange(9)}", {
        "action": action,
        **({"priority": pick.choice(PRIORITIES)} if action in ticket.WITH_PRIORITY else maybe(pick, 0.2, priority="P3")),
        **maybe(pick, 0.4, category=pick.choice(("billing", "login"))),
        **maybe(pick, 0.3, level=pick.choice((1, 2, 3))),
        **maybe(pick, 0.3, first_contact=pick.random() < 0.5),
        **maybe(pick, 0.3, blocking=pick.random() < 0.5),
        **maybe(pick, 0.2, reason="duplicate"),
    }


def _feedback(pick: random.Random, at_us: int) -> Body:
    action, survey = pick.choice((None, *feedback.ACTIONS)), pick.choice((feedback.NPS, "csat", "effort"))
    is_answer = action in {None, feedback.RESPONDED}
    return f"u{pick.randrange(8)}", {
        "survey": survey,
        **({"action": action} if action else {}),
        **({"score": pick.randrange(11) if survey == feedback.NPS else pick.randrange(1, 6)} if is_answer else {}),
        **(maybe(pick, 0.3, scale=7) if is_answer and survey != feedback.NPS else {}),
        **maybe(pick, 0.5, wave=pick.choice(("2025-Q4", "2026-Q1"))),
        **maybe(pick, 0.4, about=pick.choice(FEATURES)),
        **maybe(pick, 0.3, category=pick.choice(("usability", "price"))),
        **maybe(pick, 0.3, sentiment=pick.choice(("positive", "neutral", "negative"))),
        **maybe(pick, 0.3, themes=pick.sample(("speed", "layout", "help"), k=2)),
    }


def _item(pick: random.Random, at_us: int) -> Body:
    return f"item-{pick.randrange(9)}", {
        "kind": pick.choice(("risk", "action", "blocker")),
        "status": pick.choice(STATUSES),
        **maybe(pick, 0.4, title=pick.choice(("Sponsor leaves", "Late data"))),
        **maybe(pick, 0.4, probability=pick.choice(GRADES)),
        **maybe(pick, 0.4, impact=pick.choice(GRADES)),
        **maybe(pick, 0.3, priority="next"),
        **maybe(pick, 0.4, due=_date(pick, at_us + 14 * DAY)),
        **maybe(pick, 0.4, value=_money(pick)),
        **maybe(pick, 0.4, owner=pick.choice(("ann", "bob"))),
    }


CUSTOMER_BODIES: dict[str, Callable[[random.Random, int], Body]] = {
    "account": _account,
    "recovery": _recovery,
    "ticket": _ticket,
    "feedback": _feedback,
    "item": _item,
}
