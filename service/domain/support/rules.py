"""Which limits a ticket has: the table of tiers and priorities (kpis.md, *Support*), and the rules that a tenant adds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from service.clock import DAY
from service.domain.config.support import SlaRule
from service.domain.support.limits import Limit

Measure = Literal["response", "mitigation", "resolution"]
"""What is limited: until the first response, until a workaround stands, until it is resolved."""
Opened = Literal["", "in_hours", "out_of_hours"]
PRIORITIES: Final = ("P0", "P1", "P2", "P3")


@dataclass(frozen=True, slots=True)
class Rule:
    """One limit and the tickets that it is for; "" and None: whichever."""

    measure: Measure
    limit: Limit
    opened: Opened = ""
    """Only for tickets that were opened while support worked, or while it did not."""
    tier: str = ""
    priority: str = ""
    category: str = ""
    account: str = ""
    within_days_of_go_live: int | None = None
    """Only for tickets that were opened in the so many times 24 hours from the account's go-live on."""

    def is_for(self, ticket: "Described", *, in_hours: bool) -> bool:
        """Whether a ticket has this limit."""
        named = ((self.tier, ticket.tier), (self.priority, ticket.priority), (self.category, ticket.category))
        if any(wanted and wanted != has for wanted, has in (*named, (self.account, ticket.account))):
            return False
        if self.opened and (self.opened == "in_hours") != in_hours:
            return False
        return self.within_days_of_go_live is None or _within(ticket, self.within_days_of_go_live)


@dataclass(frozen=True, slots=True)
class Described:
    """What decides on a ticket's limits."""

    opened_us: int
    priority: str = ""
    category: str = ""
    account: str = ""
    tier: str = ""
    """The account's at the opening."""
    go_live_us: int | None = None
    """The account's."""


def _row(tier: str, measure: Measure, written: str) -> Iterable[Rule]:
    """A cell a priority, from P0 on; `A else B` is A when opened in support hours and B otherwise, `-` is no limit."""
    for priority, cell in zip(PRIORITIES, written.split(" / "), strict=True):
        inside, _, outside = cell.partition(" else ")
        if outside:
            yield Rule(measure, Limit(inside), "in_hours", tier, priority)
            yield Rule(measure, Limit(outside), "out_of_hours", tier, priority)
        elif cell != "-":
            yield Rule(measure, Limit(cell), "", tier, priority)


DEFAULTS: Final[tuple[Rule, ...]] = (
    *_row("enterprise", "response", "30m / 2bh else 4h / 4bh / 8bh"),
    *_row("enterprise", "mitigation", "4h / - / - / -"),
    *_row("enterprise", "resolution", "24h / 24h / 48h / 5bd"),
    *_row("mid_market", "response", "1h else 4h / 4bh / 8bh / 1bd"),
    *_row("mid_market", "mitigation", "8h / - / - / -"),
    *_row("mid_market", "resolution", "- / 2bd / 3bd / 7bd"),
    *_row("starter", "response", "4bh / 8bh / 1bd / 2bd"),
    *_row("starter", "resolution", "2bd / 3bd / 5bd / 10bd"),
)
"""The limits of each tier; a ticket whose account had no tier at the opening has none of them."""


def rules_of(declared: Iterable[SlaRule]) -> tuple[Rule, ...]:
    """The rules of `[[sla]]`, and the defaults that they stand beside."""
    written: list[tuple[Measure, str | None, SlaRule]] = []
    for rule in declared:
        written += [("response", rule.response, rule), ("resolution", rule.resolution, rule)]
    return DEFAULTS + tuple(
        Rule(
            measure,
            Limit(text),
            tier=rule.tier or "",
            priority=rule.priority or "",
            category=rule.category or "",
            account=rule.account or "",
            within_days_of_go_live=rule.within_days_of_go_live,
        )
        for measure, text, rule in written
        if text is not None
    )


def limits_of(ticket: Described, rules: Sequence[Rule], *, in_hours: bool) -> dict[Measure, list[Limit]]:
    """The limits that a ticket has, by what they limit; of several the stricter counts, which its due times tell."""
    found: dict[Measure, list[Limit]] = {}
    for rule in rules:
        if rule.is_for(ticket, in_hours=in_hours):
            found.setdefault(rule.measure, []).append(rule.limit)
    return found


def _within(ticket: Described, days: int) -> bool:
    return ticket.go_live_us is not None and 0 <= ticket.opened_us - ticket.go_live_us < days * DAY
