"""POST /v1/events: from a raw body to an answer that means durable; and GET /v1/schemas."""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.clock import Clock
from service.domain.schemas import schemas
from service.errors import BodyMalformed, InvalidQuery, TooManyEvents
from service.http.auth import Keyring, Principal
from service.http.bodies import BodyReader
from service.http.problems import Kind, Problem
from service.ingest import openapi
from service.ingest.append import Appender
from service.ingest.backlog import LogBacklog
from service.ingest.decode import Batch, Decoder, Form, Stamp
from service.ingest.media import form_of
from service.ingest.ratelimit import RateLimit
from service.settings import Settings
from service.telemetry import Telemetry

SCOPE = "ingest"
BACKFILL = "backfill"
REJECTED_HEADER = "Tidegauge-Rejected"
INLINE_BYTES = 512 * 1024
"""Larger bodies are decoded in a thread: that costs 16 % more CPU, but for 10,000 events (1.6 MB) every other request
would wait 28 ms, and so waits 0.1 ms (5 ms at the 99th percentile). The decoder remembers names in sets alone."""
_DRY_RUN = {"": False, "false": False, "0": False, "true": True, "1": True}


class RawRoute(APIRoute):
    """A route whose endpoint takes the request and gives the answer: nothing is parsed on the way to it."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the endpoint; other methods are FastAPI's to refuse."""
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        response: Response = await self.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Door:
    """What a request passes through, in this order."""

    keyring: Keyring
    rate_limit: RateLimit
    bodies: BodyReader
    decoder: Decoder
    backlog: LogBacklog
    appender: Appender
    clock: Clock
    telemetry: Telemetry
    large: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One large body is decoded at a time."""

    async def post(self, request: Request) -> Response:
        """Take events; answer when the log has them."""
        principal = await self.keyring.authenticate(request.headers.get("authorization"))
        principal.need((SCOPE,))
        self._pace(principal)
        form, attributes = form_of(request.headers)
        dry_run = _dry_run(request)
        if not dry_run:
            self.backlog.check()
        async with self.bodies.body(request) as body:
            stamp = Stamp(principal.tenant, self.clock.now_us(), BACKFILL in principal.scopes)
            batch = await self._decode(body, form, stamp, attributes)
            if dry_run:
                return _answer(200, {"would_accept": batch.accepted, "rejected": batch.rejected}, batch)
            await self.appender.append(batch.rows, batch.packed)
        self._count(batch)
        if batch.rejected and not batch.accepted:
            raise _nothing_valid(batch)
        return _answer(202, {"accepted": batch.accepted, "rejected": batch.rejected}, batch)

    async def _decode(self, body: bytes, form: Form, stamp: Stamp, attributes: Mapping[str, str] | None) -> Batch:
        try:
            if len(body) <= INLINE_BYTES:
                return self.decoder.decode(body, form, stamp, attributes)
            async with self.large:
                return await asyncio.to_thread(self.decoder.decode, body, form, stamp, attributes)
        except BodyMalformed as error:
            raise Problem(Kind.MALFORMED_BODY, str(error)) from None
        except TooManyEvents as error:
            raise Problem(Kind.TOO_LARGE, str(error)) from None

    def _pace(self, principal: Principal) -> None:
        wait_s = self.rate_limit.take(principal.key_id)
        if wait_s:
            detail = "this key sends more requests than it may: send more events in each, or wait"
            raise Problem(Kind.RATE_LIMITED, detail, headers={"Retry-After": str(math.ceil(wait_s))})

    def _count(self, batch: Batch) -> None:
        outcomes = self.telemetry.ingest_events
        if batch.accepted:
            outcomes.labels("accepted").inc(batch.accepted)
        for rejection in batch.rejected:
            outcomes.labels(rejection.reason).inc()
        if batch.unknown_fields:
            self.telemetry.ingest_unknown_fields.inc(batch.unknown_fields)
        if batch.rounded:
            self.telemetry.ingest_rounded.inc(batch.rounded)


def router(
    *,
    keyring: Keyring,
    decoder: Decoder,
    backlog: LogBacklog,
    appender: Appender,
    clock: Clock,
    telemetry: Telemetry,
    settings: Settings,
) -> APIRouter:
    """The routes of the HTTP door."""
    door = Door(
        keyring,
        RateLimit(clock, per_s=settings.key_requests_per_s),
        BodyReader(max_bytes=settings.max_body_bytes, max_held_bytes=settings.max_held_body_bytes),
        decoder,
        backlog,
        appender,
        clock,
        telemetry,
    )
    published = msgspec.json.encode(schemas())

    async def get_schemas(_request: Request) -> Response:
        """The contract as JSON Schema: one schema an event type, with an example each."""
        return Response(published, media_type="application/json")

    made = APIRouter(route_class=RawRoute, tags=["events"])
    made.add_api_route("/v1/events", door.post, methods=["POST"], status_code=202, **openapi.POST_EVENTS)
    made.add_api_route("/v1/schemas", get_schemas, methods=["GET"], **openapi.GET_SCHEMAS)
    return made


def _dry_run(request: Request) -> bool:
    given = request.query_params.get("dry_run", "").lower() if request.scope["query_string"] else ""
    if given not in _DRY_RUN:
        raise InvalidQuery("dry_run", f"{given[:100]!r} is neither true nor false: leave it out to send events for good")
    return _DRY_RUN[given]


def _answer(status: int, content: dict[str, Any], batch: Batch) -> Response:
    headers = {REJECTED_HEADER: str(len(batch.rejected))}
    return Response(msgspec.json.encode(content), status, headers=headers, media_type="application/json")


def _nothing_valid(batch: Batch) -> Problem:
    return Problem(
        Kind.NO_VALID_EVENT,
        "not one event of the request follows the contract: `rejected` says why for each; sending them again would not help",
        headers={REJECTED_HEADER: str(len(batch.rejected))},
        members={"accepted": 0, "rejected": batch.rejected},
    )
