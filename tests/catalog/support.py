"""Tickets as lists of steps, and what plain Python makes of them."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import asyncpg

from service.clock import DAY, HOUR, MINUTE
from service.domain.families.ticket import ACTIONS
from service.domain.support.judging import Facts, Gap
from service.domain.support.rules import PRIORITIES, Described

ACCOUNTS = ("acme", "beta", "core", "solo")
TIERS = ("enterprise", "mid_market", "starter")
Step = tuple[int, Mapping[str, Any]]
"""When, and the fields that it set; `account` is the event's own."""
Dated = Mapping[str, Sequence[tuple[int, str]]]
"""Values of an account by their date."""


@dataclass(frozen=True)
class Ticket:
    """One ticket: its steps in the order in which they happened, those of one instant as the actions are listed."""

    subject: str
    steps: Sequence[Step]

    def all(self, action: str) -> list[int]:
        return [at for at, fields in self.steps if fields["action"] == action]

    def first(self, action: str) -> int | None:
        return min(self.all(action), default=None)

    def newest(self, name: str) -> Any:
        told = [fields[name] for _, fields in self.steps if name in fields]
        return told[-1] if told else None

    @property
    def opened(self) -> int:
        first = self.first("opened")
        return self.steps[0][0] if first is None else first

    @property
    def account(self) -> str:
        return self.newest("account") or ""

    def moves(self, before: int = 2**62) -> list[tuple[int, str]]:
        return [(at, f["action"]) for at, f in self.steps if f["action"] in ("resolved", "reopened") and at < before]

    @property
    def resolved(self) -> int | None:
        moves = self.moves()
        return moves[-1][0] if moves and moves[-1][1] == "resolved" else None

    @property
    def gaps(self) -> tuple[Gap, ...]:
        between = [(a[0], b[0]) for a, b in pairwise(self.moves()) if (a[1], b[1]) == ("resolved", "reopened")]
        return tuple((max(start, self.opened), end) for start, end in between if end > self.opened)

    @property
    def excluded(self) -> bool:
        said = [f["action"] for _, f in self.steps if f["action"] in ("excluded", "included")]
        return bool(said) and said[-1] == "excluded"

    def is_open(self, end: int) -> bool:
        moves = self.moves(end)
        return self.opened < end and (not moves or moves[-1][1] == "reopened")

    def age(self, now: int) -> int:
        return now - self.opened - sum(min(to, now) - since for since, to in self.gaps if since < now)

    def tier(self, tiers: Dated) -> str:
        told = [value for at, value in sorted(tiers.get(self.account, ())) if at <= self.opened]
        return told[-1] if told else ""

    def facts(self, tiers: Dated, live: Mapping[str, int]) -> Facts:
        """What the rules of support are asked with."""
        described = Described(
            self.opened,
            self.newest("priority") or "",
            self.newest("category") or "",
            self.account,
            self.tier(tiers),
            live.get(self.account),
        )
        moments = (self.first("first_response"), self.first("mitigated"), self.resolved)
        return Facts(described, *moments, gaps=self.gaps, excluded=self.excluded)

    def dims(self, by: Sequence[str], filters: Mapping[str, Sequence[str]], tiers: Dated) -> list[tuple[str, ...]]:
        """The rows of a split that it shows in."""
        values = {name: self.newest(name) or "" for name in ("priority", "category")}
        values |= {"account": self.account, "tier": self.tier(tiers)}
        if any(values[name] not in allowed for name, allowed in filters.items()) or ("account" in by and not self.account):
            return []
        return [tuple(values[name] for name in by)]


def random_tickets(seed: int, start: int, *, count: int = 60, span: int = 30 * DAY) -> list[Ticket]:
    """Tickets of a month: most begin with `opened`, some are reopened, excluded, of another priority later, of no account."""
    dice = random.Random(seed)
    return [_random_ticket(dice, f"T-{number}", start + dice.randrange(span)) for number in range(count)]


def _random_ticket(dice: random.Random, subject: str, at: int) -> Ticket:
    steps: list[Step] = []
    actions = ["opened"] if dice.random() < 0.9 else []
    actions += dice.choices(ACTIONS, weights=[0.5, 4, 1, 1.5, 1, 1, 5, 3, 0.3, 0.3], k=dice.randrange(1, 8))
    for action in actions:
        fields: dict[str, Any] = {"action": action}
        if action in ("opened", "priority_changed"):
            fields["priority"] = dice.choice(PRIORITIES)
        if dice.random() < 0.4:
            fields["category"] = dice.choice(("billing", "login"))
        if dice.random() < (0.9 if action == "opened" else 0.3):
            fields["account"] = dice.choice(ACCOUNTS)
        if dice.random() < 0.3:
            fields["first_contact"] = dice.random() < 0.5
        steps.append((at, fields))
        at += dice.choice((0, MINUTE, 20 * MINUTE, HOUR + 1, 3 * HOUR, 7 * HOUR, DAY, 3 * DAY, 9 * DAY))
    once = {(when, fields["action"]): (when, fields) for when, fields in steps}
    return Ticket(subject, sorted(once.values(), key=lambda step: (step[0], ACTIONS.index(step[1]["action"]))))


async def store_tickets(connection: asyncpg.Connection, tenant: int, tickets: Sequence[Ticket], dice: random.Random) -> None:
    """Write their steps in any order; a step that names an account is an event of it."""
    rows = [
        (tenant, "ticket", ticket.subject, at, "/s", f"{ticket.subject}-{number}", fields.get("account", ""), _body(fields))
        for ticket in tickets
        for number, (at, fields) in enumerate(ticket.steps)
    ]
    dice.shuffle(rows)
    columns = ("tenant", "family", "subject", "time_us", "source", "id", "account", "fields")
    await connection.copy_records_to_table("step", records=rows, columns=columns)


def _body(fields: Mapping[str, Any]) -> str:
    return json.dumps({name: value for name, value in fields.items() if name != "account"})


async def store_values(connection: asyncpg.Connection, tenant: int, field: str, values: Dated) -> None:
    """Write dated values of accounts."""
    rows = [
        (tenant, "account", field, account, account, at, "/s", f"{account}-{number}", value)
        for account, dated in values.items()
        for number, (at, value) in enumerate(dated)
    ]
    columns = ("tenant", "kind", "field", "who", "account", "time_us", "source", "id", "value")
    await connection.copy_records_to_table("state_history", records=rows, columns=columns)
