"""What became of events: incidents, dead letters, the ledger, and one event by its id."""

from datetime import date
from typing import Annotated, Any

import asyncpg
import msgspec
from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from service.clock import Clock, to_us
from service.domain.identity import IdHasher
from service.domain.reasons import Reason
from service.errors import InvalidQuery
from service.expose.cursors import read_cursor, write_cursor
from service.expose.moments import instant_us, rfc3339
from service.http.auth import Principal, require
from service.store import dead_letters, incidents, ledger
from service.store.dead_letters import DeadLetter
from service.store.incidents import Incident, Selection
from service.store.installation import Installation
from service.store.ledger import SourceDay
from service.store.outcome import what_became_of
from service.store.progress import watermark_us

PAGE_ROWS = 100
MAX_PAGE_ROWS = 1_000
STATES = ("open", "resolved", "false_positive")

Reader = Annotated[Principal, Depends(require("read"))]
Rows = Annotated[int, Query(ge=1, le=MAX_PAGE_ROWS, description="Most rows of the answer; `next` leads on")]


def router(pool: asyncpg.Pool, *, clock: Clock, installation: Installation) -> APIRouter:
    """`/v1/incidents`, `/v1/dead-letters`, `/v1/ledger` and `/v1/events`, of the key's tenant."""
    made = APIRouter(prefix="/v1", tags=["records"])
    hasher = IdHasher(installation.hash_key)

    @made.get("/incidents", summary="Incidents, the newest opened first")
    async def list_incidents(
        principal: Reader,
        severity: str | None = None,
        service: str | None = None,
        account: str | None = None,
        state: str | None = None,
        start: str | None = None,
        end: str | None = None,
        cursor: str | None = None,
        limit: Rows = PAGE_ROWS,
    ) -> Response:
        if state is not None and state not in STATES:
            raise InvalidQuery("state", f"{state!r} is none of {', '.join(STATES)}")
        wanted = Selection(
            severities=severity.split(",") if severity else None,
            service=service,
            account=account,
            state=state,
            start_us=instant_us("start", start),
            end_us=instant_us("end", end),
        )
        after = read_cursor(cursor, tuple[int, str])
        async with pool.acquire() as connection:
            found = await incidents.page(connection, principal.tenant, wanted, after=after, limit=limit)
        last = (found[-1].opened_us, found[-1].subject) if len(found) == limit else None
        return _page("incidents", [_incident(one) for one in found], last)

    @made.get("/dead-letters", summary="Events that were refused, as they came, the newest first")
    async def list_dead_letters(
        principal: Reader,
        reason: str | None = None,
        source: str | None = None,
        state: str | None = None,
        cursor: str | None = None,
        limit: Rows = PAGE_ROWS,
    ) -> Response:
        if reason is not None and reason not in list(Reason):
            raise InvalidQuery("reason", f"{reason!r} is none of {', '.join(Reason)}")
        if state is not None and state not in dead_letters.STATES:
            raise InvalidQuery("state", f"{state!r} is none of {', '.join(dead_letters.STATES)}")
        position = read_cursor(cursor, dead_letters.Position)
        async with pool.acquire() as connection:
            found = await dead_letters.page(
                connection,
                principal.tenant,
                reason=Reason(reason) if reason else None,
                source=source,
                state=state,
                after=position,
                limit=limit,
            )
        last = dead_letters.Position(found[-1].received_at, found[-1].id_hash, found[-1].reason) if len(found) == limit else None
        return _page("dead_letters", [_dead_letter(one) for one in found], last)

    @made.get("/ledger", summary="Events consumed by source and day, by outcome; and what is pending")
    async def read_ledger(
        principal: Reader, source: str | None = None, cursor: str | None = None, limit: Rows = PAGE_ROWS
    ) -> Response:
        position = read_cursor(cursor, tuple[str, str])
        after = (date.fromisoformat(position[0]), position[1]) if position else None
        async with pool.acquire() as connection:
            found = await ledger.of_tenant(connection, principal.tenant, source=source, after=after, limit=limit)
            whole = await ledger.check(connection)
            reached = await watermark_us(connection, installation.generation)
        last = (found[-1].day, found[-1].source) if len(found) == limit else None
        return _json(
            {
                "rows": [_consumed(one) for one in found],
                "next": write_cursor(last) if last is not None else None,
                "installation": {"pending": whole.pending, "balanced": not whole.mistakes, "mistakes": list(whole.mistakes)},
                "watermark": rfc3339(reached),
            }
        )

    @made.get("/events", summary="What became of one event")
    async def one_event(
        principal: Reader,
        source: Annotated[str, Query(min_length=1, max_length=512)],
        event_id: Annotated[str, Query(alias="id", min_length=1, max_length=256)],
        time: Annotated[str | None, Query(description="As the event says it; left out if the event names none")] = None,
    ) -> Response:
        time_us = instant_us("time", time)
        async with pool.acquire() as connection:
            found = await what_became_of(
                connection,
                installation,
                tenant=principal.tenant,
                source=source,
                id_hash=hasher.of(principal.tenant, source, event_id, time_us),
                time_us=time_us,
                now_us=clock.now_us(),
            )
            watermark = await watermark_us(connection, installation.generation)
        body: dict[str, Any] = {"source": source, "id": event_id, "time": time, "state": found.became}
        if found.reason is not None:
            body |= {"reason": found.reason, "detail": found.detail}
        return _json(body | {"watermark": rfc3339(watermark)})

    return made


def _json(body: object) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json")


def _page(name: str, rows: list[dict[str, Any]], last: object | None) -> Response:
    return _json({name: rows, "next": write_cursor(last) if last is not None else None})


def _incident(one: Incident) -> dict[str, Any]:
    moments = ("opened", "detected", "acknowledged", "escalated", "mitigated", "resolved", "postmortem")
    described = ("severity", "service", "title", "kind", "cause", "outage", "affected_users", "action_items")
    state = "false_positive" if one.false_positive else "open" if one.resolved_us is None else "resolved"
    return (
        {"id": one.subject, "state": state}
        | {name: getattr(one, name) for name in described}
        | {"account": one.account or None, "accounts": one.accounts}
        | {f"{name}_at": rfc3339(getattr(one, f"{name}_us")) for name in moments}
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
