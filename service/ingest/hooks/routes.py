"""`POST /v1/hooks/alertmanager` and `/pagerduty`: what tools say of incidents, durable when it is answered.

Alertmanager tries again after 5xx alone, so whatever may pass by itself is a 503 here, also where events are refused with 429.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service.clock import Clock
from service.errors import BodyMalformed, InvalidQuery
from service.http.auth import Keyring, Principal
from service.http.bodies import BodyReader
from service.http.openapi import problem_response
from service.http.problems import Kind, Problem, unavailable
from service.ingest.append import Appender
from service.ingest.backlog import LogBacklog
from service.ingest.decode import Decoder, Form, Stamp
from service.ingest.hooks import alertmanager, pagerduty
from service.ingest.hooks.steps import Severity, Step, event_of
from service.telemetry import Telemetry

SCOPE = "ingest"
MAX_BODY_BYTES = 5_000_000
MAX_HELD_BYTES = 50_000_000
_SEVERITIES = frozenset({"P0", "P1", "P2", "P3"})
_ANSWER: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "Every step that is not listed in `rejected` is durable; `ignored`: messages that change no figure",
        "content": {"application/json": {"schema": {"type": "object"}, "example": {"accepted": 2, "rejected": [], "ignored": 0}}},
    },
    400: problem_response("The body is no message of this tool"),
    403: problem_response("The key lacks the scope, or the signature is not right"),
    503: problem_response("Not possible at the moment: the sender tries again"),
}

Take = Callable[[Request], Awaitable[Response]]
Read = TypeVar("Read")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HookDoor:
    """What a message passes through."""

    keyring: Keyring
    bodies: BodyReader
    decoder: Decoder
    backlog: LogBacklog
    appender: Appender
    clock: Clock
    telemetry: Telemetry
    secrets: Mapping[str, tuple[str, ...]]
    """PagerDuty's signing secrets by tenant."""

    async def alertmanager(self, request: Request) -> Response:
        """Alerts of Alertmanager (webhook version 4): firing opens and detects an incident, resolved resolves it."""
        principal = await self._principal(request)
        severities = _severities(request)
        async with self.bodies.body(request) as body:
            message = _read(alertmanager.read, body)
            if message.truncated_alerts:
                log.warning("hook_truncated", tenant=principal.tenant_name, alerts=message.truncated_alerts)
            return await self._take(principal, alertmanager.steps(message, severities))

    async def pagerduty(self, request: Request) -> Response:
        """Events of PagerDuty (webhooks version 3), signed with the subscription's secret."""
        principal = await self._principal(request)
        severities = _severities(request)
        async with self.bodies.body(request) as body:
            self._check_signature(principal, request, body)
            event = _read(pagerduty.read, body)
            try:
                told = list(pagerduty.steps(event, severities))
            except BodyMalformed as error:
                raise Problem(Kind.MALFORMED_BODY, str(error)) from None
            return await self._take(principal, told, ignored=int(not told))

    async def _principal(self, request: Request) -> Principal:
        principal = await self.keyring.authenticate(request.headers.get("authorization"))
        principal.need((SCOPE,))
        self.backlog.check()
        return principal

    def _check_signature(self, principal: Principal, request: Request, body: bytes) -> None:
        secrets = self.secrets.get(principal.tenant_name, ())
        if not secrets:
            raise Problem(
                Kind.FORBIDDEN,
                f"no signing secret is known: set TIDEGAUGE_PAGERDUTY_SECRETS={principal.tenant_name}:SECRET",
            )
        if not pagerduty.is_signed(body, request.headers.get(pagerduty.SIGNATURE_HEADER, ""), secrets):
            raise Problem(Kind.FORBIDDEN, "the header X-PagerDuty-Signature has no signature of this body by a known secret")

    async def _take(self, principal: Principal, told: Iterable[Step], *, ignored: int = 0) -> Response:
        stamp = Stamp(principal.tenant, self.clock.now_us(), backfill=False, origin="hook")
        body = msgspec.json.encode([event_of(step) for step in told])
        batch = self.decoder.decode(body, Form.ARRAY, stamp)
        if batch.accepted or batch.rejected:
            await self.appender.append(batch.rows, batch.packed)
        if batch.accepted:
            self.telemetry.ingest_events.labels("accepted").inc(batch.accepted)
        for rejection in batch.rejected:
            self.telemetry.ingest_events.labels(rejection.reason).inc()
        answer = {"accepted": batch.accepted, "rejected": batch.rejected, "ignored": ignored}
        return Response(msgspec.json.encode(answer), 202, media_type="application/json")


def router(door: HookDoor) -> APIRouter:
    """The routes."""
    made = APIRouter(prefix="/v1/hooks", tags=["hooks"])
    for name, take in (("alertmanager", door.alertmanager), ("pagerduty", door.pagerduty)):
        made.add_api_route(f"/{name}", _patient(take), methods=["POST"], status_code=202, summary=take.__doc__, responses=_ANSWER)
    return made


def secrets_of(listed: str) -> dict[str, tuple[str, ...]]:
    """PagerDuty's signing secrets by tenant, of the setting's `TENANT:SECRET,TENANT:SECRET`."""
    found: dict[str, tuple[str, ...]] = {}
    for each in filter(None, (part.strip() for part in listed.split(","))):
        tenant, _, secret = each.partition(":")
        found[tenant] = (*found.get(tenant, ()), secret)
    return found


def _patient(take: Take) -> Take:
    """The same, with a 503 for what would be another 4xx though it passes by itself: a body that came too slowly."""

    async def answer(request: Request) -> Response:
        try:
            return await take(request)
        except Problem as problem:
            if problem.kind in {Kind.REQUEST_TIMEOUT, Kind.RATE_LIMITED}:
                raise unavailable(problem.detail) from problem
            raise

    return answer


def _read(read: Callable[[bytes], Read], body: bytes) -> Read:
    try:
        return read(body)
    except BodyMalformed as error:
        raise Problem(Kind.MALFORMED_BODY, str(error)) from None


def _severities(request: Request) -> dict[str, Severity]:
    """`?critical=P0&warning=P2`: what a tool's words stand for; raises InvalidQuery."""
    given = {}
    for word, severity in request.query_params.items():
        if severity.upper() not in _SEVERITIES:
            raise InvalidQuery(word[:100], f"{severity[:20]!r} is no severity: give P0, P1, P2 or P3, as in ?{word[:100]}=P1")
        given[word.lower()] = severity.upper()
    return given
