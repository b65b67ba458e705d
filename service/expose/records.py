"""What became of events: incidents, dead letters, the ledger, and one event by its id."""

from datetime import date
from typing import Annotated, Any

import asyncpg
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from service.clock import Clock, to_us
from service.domain.identity import IdHasher
from service.domain.reasons import Reason
from service.errors import InvalidQuery
from service.expose import documents
from service.expose.asking import Asker, read_instant
from service.expose.cursors import read_cursor, write_cursor
from service.expose.ground import Grounds
from service.expose.moments import instant_us, rfc3339
from service.expose.pages import PAGE_ROWS, Big, answer_json, answer_page, check_value
from service.expose.tickets import add_tickets
from service.http.auth import Principal, require
from service.store import dead_letters, incidents, ledger
from service.store.dead_letters import DeadLetter
from service.store.incidents import Incident, Selection
from service.store.installation import Installation
from service.store.ledger import SourceDay
from service.store.outcome import EventName, dead_letter_of, what_became_of
from service.store.progress import watermark_us

SEVERITIES = ("P0", "P1", "P2", "P3")
STATES = ("open", "resolved", "false_positive")
_MOMENTS = ("opened", "detected", "acknowledged", "escalated", "mitigated", "resolved", "postmortem")
_DESCRIBED = ("severity", "service", "title", "kind", "cause", "outage", "affected_users", "action_items")
_INCIDENT_COLUMNS = ("id", "state", *_DESCRIBED, "account", "accounts", *(f"{name}_at" for name in _MOMENTS))
_DEAD_LETTER_COLUMNS = ("source", "id", "time", "reason", "detail", "origin", "received_at", "count", "state", "event")
_LEDGER_COLUMNS = ("source", "day", "appended", "stored", "duplicate", "dead_lettered")

Reader = Annotated[Principal, Depends(require("read"))]


def router(pool: asyncpg.Pool, *, clock: Clock, installation: Installation, counts: ledger.Counts | None = None) -> APIRouter:
    """`/v1/incidents`, `/v1/tickets`, `/v1/dead-letters`, `/v1/ledger` and `/v1/events`, of the key's tenant."""
    made = APIRouter(prefix="/v1", tags=["records"])
    _add_incidents(made, pool, clock)
    add_tickets(made, pool, clock)
    _add_dead_letters(made, pool)
    _add_ledger(made, pool, installation, counts)
    _add_events(made, pool, clock, installation)
    return made


def _add_incidents(made: APIRouter, pool: asyncpg.Pool, clock: Clock) -> None:
    grounds = Grounds()

    @made.get("/incidents", summary="Incidents, the newest opened first", responses=documents.INCIDENTS)
    async def list_incidents(
        request: Request,
        principal: Reader,
        severity: documents.Text = None,
        service: documents.Text = None,
        account: documents.Text = None,
        state: documents.Text = None,
        start: documents.Start = None,
        end: documents.End = None,
        cursor: documents.Cursor = None,
        limit: documents.Limit = PAGE_ROWS,
        format: documents.Format = None,  # the parameter's name
    ) -> Response:
        del format  # documented here, read with the header Accept
        after = read_cursor(cursor, tuple[Big, str])
        severities = severity.split(",") if severity else None
        for each in severities or ():
            check_value("severity", each, SEVERITIES)
        check_value("state", state, STATES)
        async with pool.acquire() as connection:
            ground = await grounds.now(connection, principal.tenant, now_us=clock.now_us())
            asker = Asker(principal.tenant, ground.zone, ground.now_us)
            bounds = {"start_us": read_instant("start", start, asker), "end_us": read_instant("end", end, asker)}
            wanted = Selection(severities=severities, service=service, account=account, state=state, **bounds)
            found = await incidents.page(connection, principal.tenant, wanted, after=after, limit=limit + 1)
        cut = found[:limit]
        last = write_cursor((cut[-1].opened_us, cut[-1].subject)) if len(found) > limit else None
        return answer_page(request, "incidents", _INCIDENT_COLUMNS, [_incident(one) for one in cut], last)


def _add_dead_letters(made: APIRouter, pool: asyncpg.Pool) -> None:
    @made.get("/dead-letters", summary="Events that were refused, the newest first", responses=documents.DEAD_LETTERS)
    async def list_dead_letters(
        request: Request,
        principal: Reader,
        reason: documents.Text = None,
        source: documents.Text = None,
        state: documents.Text = None,
        cursor: documents.Cursor = None,
        limit: documents.Limit = PAGE_ROWS,
        format: documents.Format = None,  # the parameter's name
    ) -> Response:
        del format  # documented here, read with the header Accept
        check_value("reason", reason, tuple(Reason))
        check_value("state", state, dead_letters.STATES)
        position = read_cursor(cursor, dead_letters.Position)
        async with pool.acquire() as connection:
            found = await dead_letters.page(
                connection,
                principal.tenant,
                reason=Reason(reason) if reason else None,
                source=source,
                state=state,
                after=position,
                limit=limit + 1,
            )
        cut = found[:limit]
        last = write_cursor(dead_letters.Position.behind(cut[-1])) if len(found) > limit else None
        return answer_page(request, "dead_letters", _DEAD_LETTER_COLUMNS, [_dead_letter(one) for one in cut], last)


def _add_ledger(made: APIRouter, pool: asyncpg.Pool, installation: Installation, counts: ledger.Counts | None) -> None:
    @made.get(
        "/ledger",
        summary="Events consumed by source and UTC day of receipt, by outcome; and what is pending",
        responses=documents.LEDGER,
    )
    async def read_ledger(
        request: Request,
        principal: Reader,
        source: documents.Text = None,
        cursor: documents.Cursor = None,
        limit: documents.Limit = PAGE_ROWS,
        format: documents.Format = None,  # the parameter's name
    ) -> Response:
        del format  # documented here, read with the header Accept
        after = read_cursor(cursor, tuple[date, str])
        async with pool.acquire() as connection:
            found = await ledger.of_tenant(connection, principal.tenant, source=source, after=after, limit=limit + 1)
            whole = await ledger.check(connection, counts)
            reached = await watermark_us(connection, installation.generation)
        cut = found[:limit]
        last = write_cursor((cut[-1].day, cut[-1].source)) if len(found) > limit else None
        # Which counts do not add up is the operator's to see (`tidegauge check`): they are those of all tenants.
        standing = {"installation": {"pending": whole.pending, "balanced": not whole.mistakes}, "watermark": rfc3339(reached)}
        return answer_page(request, "rows", _LEDGER_COLUMNS, [_consumed(one) for one in cut], last, **standing)


def _add_events(made: APIRouter, pool: asyncpg.Pool, clock: Clock, installation: Installation) -> None:
    hasher = IdHasher(installation.hash_key)

    @made.get("/events", summary="What became of one event", responses=documents.EVENT)
    async def one_event(
        principal: Reader, source: documents.Source, event_id: documents.EventId, time: documents.Time = None
    ) -> Response:
        asked = EventName(principal.tenant, source, event_id, time)
        async with pool.acquire() as connection:
            watermark = await watermark_us(connection, installation.generation)
            try:
                time_us = instant_us("time", time)
            except InvalidQuery:
                # Such a time was refused as well as it came: the dead letter is all that can be there.
                outcome = await dead_letter_of(connection, asked)
                if outcome is None:
                    raise
            else:
                id_hash = hasher.of(asked.tenant, source, event_id, time_us)
                outcome = await what_became_of(
                    connection, installation, asked, id_hash=id_hash, time_us=time_us, now_us=clock.now_us()
                )
        body: dict[str, Any] = {"source": source, "id": event_id, "time": time, "state": outcome.became}
        if outcome.reason is not None:
            body |= {"reason": outcome.reason, "detail": outcome.detail}
        return answer_json(body | {"watermark": rfc3339(watermark)})


def _incident(one: Incident) -> dict[str, Any]:
    state = "false_positive" if one.false_positive else "open" if one.resolved_us is None else "resolved"
    return (
        {"id": one.subject, "state": state}
        | {name: getattr(one, name) for name in _DESCRIBED}
        | {"account": one.account or None, "accounts": one.accounts}
        | {f"{name}_at": rfc3339(getattr(one, f"{name}_us")) for name in _MOMENTS}
    )


def _consumed(one: SourceDay) -> dict[str, Any]:
    counts = {"stored": one.stored, "duplicate": one.duplicate, "dead_lettered": one.dead_lettered}
    return {"source": one.source, "day": one.day, "appended": sum(counts.values())} | counts


def _dead_letter(one: DeadLetter) -> dict[str, Any]:
    return {
        "source": one.source,
        "id": one.id,
        "time": one.time or None,
        "reason": one.reason,
        "detail": one.detail,
        "origin": one.origin,
        "received_at": rfc3339(to_us(one.received_at)),
        "count": one.count,
        "state": one.state,
        "event": one.raw.decode(errors="replace"),
    }
