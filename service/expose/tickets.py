"""Support tickets: `/v1/tickets`, with the limits of each, what is left of them, and how far it has to be escalated."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import asyncpg
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from service.clock import SECOND, Clock
from service.domain.config import TenantConfig
from service.domain.support.escalation import Step, level, steps_of
from service.domain.support.hours import SupportCalendar, SupportHours, hours_over
from service.domain.support.judging import Due, Facts, State, judge
from service.domain.support.rules import PRIORITIES, Described, Rule, rules_of
from service.expose import documents, documents_support
from service.expose.asking import Asker, read_instant
from service.expose.cursors import read_cursor, write_cursor
from service.expose.ground import Ground, Grounds
from service.expose.moments import rfc3339
from service.expose.pages import PAGE_ROWS, Big, answer_page, check_value, read_values
from service.expose.tables import wants_csv
from service.http.auth import Principal, require
from service.store import tickets
from service.store.engine import Connection
from service.store.tickets import Ticket, TicketSelection

STATES: Final = ("open", "resolved")
NEAR: Final = 0.75
"""The share of a limit from which its end is near: where an open ticket is escalated first (kpis.md, *Support*)."""
MAX_LOOKS: Final = 20
"""Pages that are looked through for tickets by how they stand: an answer may hold fewer than asked for, with a cursor."""
Limits = Iterable[Mapping[str, Any]]
DUES: Final[Mapping[str, Callable[[Limits], bool]]] = {
    "missed": lambda limits: any(each["state"] == State.MISSED.value for each in limits),
    "near": lambda limits: any(each["state"] == State.RUNNING.value and each["used"] >= NEAR for each in limits),
}
"""How tickets can be asked for by their limits: one of them was missed; one is running and nearly used up."""
TIERS: Final = ("enterprise", "mid_market", "starter")
_MOMENTS: Final = ("opened", "first_response", "escalated", "mitigated", "resolved")
_DESCRIBED: Final = ("priority", "category", "tier", "blocking", "first_contact", "excluded", "reason")
_MEASURES: Final = ("response", "mitigation", "resolution")
_OF_LIMIT: Final = ("limit", "due_at", "state", "left_s", "left_business_s")
_COLUMNS: Final = (
    *("id", "state", "account", *_DESCRIBED, "escalated_to", *(f"{name}_at" for name in _MOMENTS)),
    *("age_s", "misses", "escalation"),
    *(f"{measure}_{name}" for measure in _MEASURES for name in _OF_LIMIT),
)

Reader = Annotated[Principal, Depends(require("read"))]


@dataclass(frozen=True, slots=True)
class Desk:
    """What tickets are judged by: the rules of a tenant as they are now."""

    rules: Sequence[Rule]
    steps: Sequence[Step]
    hours: SupportHours
    now_us: int

    @classmethod
    def of(cls, config: TenantConfig, found: Sequence[Ticket], now_us: int) -> "Desk":
        """For these tickets; support hours reach back to the earliest of them."""
        hours = hours_over(SupportCalendar.of(config), [one.opened_us for one in found])
        return cls(rules_of(config.sla_rules), steps_of(config.escalations), hours, now_us)


def add_tickets(made: APIRouter, pool: asyncpg.Pool, clock: Clock) -> None:
    """Add `/tickets` to the routes of records."""
    grounds = Grounds()

    @made.get("/tickets", summary="Support tickets, the newest opened first", responses=documents_support.TICKETS)
    async def list_tickets(
        request: Request,
        principal: Reader,
        priority: documents.Text = None,
        category: documents.Text = None,
        account: documents.Text = None,
        tier: documents.Text = None,
        state: documents.Text = None,
        due: documents.Text = None,
        start: documents.Start = None,
        end: documents.End = None,
        cursor: documents.Cursor = None,
        limit: documents.Limit = PAGE_ROWS,
        format: documents.Format = None,  # the parameter's name
    ) -> Response:
        del format  # documented here, read with the header Accept
        after = read_cursor(cursor, tuple[Big, str])
        priorities, tiers = read_values("priority", priority, PRIORITIES), read_values("tier", tier, TIERS)
        check_value("state", state, STATES)
        dues = frozenset(read_values("due", due, tuple(DUES)) or ())
        async with pool.acquire() as connection:
            ground = await grounds.now(connection, principal.tenant, now_us=clock.now_us())
            asker = Asker(principal.tenant, ground.zone, ground.now_us)
            bounds = (read_instant("start", start, asker), read_instant("end", end, asker))
            chosen = (priorities, read_values("category", category), read_values("account", account), tiers, state, *bounds)
            selection = TicketSelection(*chosen)
            rows, last = await _listed(connection, ground, selection, dues, after=after, limit=limit)
        lines = [_flat(row) for row in rows] if wants_csv(request) else rows
        return answer_page(request, "tickets", _COLUMNS, lines, None if last is None else write_cursor(last))


async def _listed(
    connection: Connection,
    ground: Ground,
    wanted: TicketSelection,
    dues: Collection[str],
    *,
    after: tuple[int, str] | None,
    limit: int,
) -> tuple[list[dict[str, Any]], tuple[int, str] | None]:
    """At most `limit` tickets, and behind which one to go on; by how they stand with their limits, page by page."""
    rows: list[dict[str, Any]] = []
    for _ in range(MAX_LOOKS if dues else 1):
        found = await tickets.page(connection, ground.tenant, wanted, after=after, limit=limit + 1)
        desk = Desk.of(ground.configs.at(ground.now_us), found[:limit], ground.now_us)
        for place, one in enumerate(found[:limit], 1):
            after, body = (one.opened_us, one.subject), ticket_body(one, desk)
            if not dues or any(DUES[each](body["limits"].values()) for each in dues):
                rows.append(body)
            if len(rows) == limit:
                return rows, after if place < len(found) else None
        if len(found) <= limit:
            return rows, None
    return rows, after


def ticket_body(one: Ticket, desk: Desk) -> dict[str, Any]:
    """A ticket with its limits as they stand; `escalation` is the level that an open one has to have reached."""
    dues = dues_of(one, desk)
    is_open = one.resolved_us is None
    age_us = max(0, (desk.now_us if one.resolved_us is None else one.resolved_us) - one.opened_us - one.idle_us)
    is_watched = is_open and not one.excluded
    return (
        {"id": one.subject, "state": "open" if is_open else "resolved", "account": one.account or None}
        | {name: getattr(one, name) for name in _DESCRIBED}
        | {"escalated_to": one.level}
        | {f"{name}_at": rfc3339(getattr(one, f"{name}_us")) for name in _MOMENTS}
        | {"age_s": _seconds(age_us), "limits": {due.measure: _limit(due) for due in dues}}
        | {"misses": len({due.measure == "response" for due in dues if due.state is State.MISSED})}
        | {"escalation": level(dues, desk.steps, priority=one.priority or "", age_us=age_us) if is_watched else None}
    )


def dues_of(one: Ticket, desk: Desk) -> list[Due]:
    """The limits of a ticket as they stand."""
    described = Described(
        one.opened_us, one.priority or "", one.category or "", one.account, one.tier or "", go_live_us=one.go_live_us
    )
    gaps = tuple(zip(one.gap_from_us, one.gap_to_us, strict=True))
    moments = (one.first_response_us, one.mitigated_us, one.resolved_us)
    return judge(Facts(described, *moments, gaps=gaps, excluded=one.excluded), desk.rules, desk.hours, desk.now_us)


def _limit(due: Due) -> dict[str, Any]:
    runs = due.done_us is None
    return {
        "limit": due.limit.text,
        "due_at": rfc3339(due.due_us),
        "done_at": rfc3339(due.done_us),
        "state": due.state.value,
        "used": float(due.used),
        "left_s": _seconds(due.left_us) if runs else None,
        "left_business_s": _seconds(due.left_business_us) if runs else None,
    }


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A line of a table: each limit's columns beside the ticket's."""
    limits = row["limits"].items()
    return {**row, **{f"{measure}_{name}": of[name] for measure, of in limits for name in _OF_LIMIT}}


def _seconds(us: int) -> float:
    return us / SECOND
