"""Errors as answers: application/problem+json (RFC 9457) for everything that goes wrong."""

import http
from collections.abc import Mapping
from enum import Enum
from typing import Any

import asyncpg
import msgspec
from starlette.responses import Response

from service.errors import (
    AlreadyExists,
    InvalidArgument,
    InvalidConfiguration,
    InvalidQuery,
    InvalidText,
    KpiFailed,
    NotFound,
    Overloaded,
    Transient,
    VersionMoved,
)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1
FAILED_RETRY_AFTER_S = 60
"""For an operator's own KPI that failed: with other data it may not, but hardly at once."""
_URN = "urn:problem-type:tidegauge:"


class Kind(Enum):
    """The kinds of problems: status, name (the end of `type`) and title, the same for each of a kind."""

    BAD_REQUEST = (400, "bad-request", "The request cannot be read")
    MALFORMED_BODY = (400, "malformed-body", "The body is not what its media type says")
    INVALID_QUERY = (400, "invalid-query", "A parameter is wrong")
    UNAUTHENTICATED = (401, "unauthenticated", "No valid key")
    FORBIDDEN = (403, "forbidden", "The key lacks a scope")
    NOT_FOUND = (404, "not-found", "There is no such thing")
    METHOD_NOT_ALLOWED = (405, "method-not-allowed", "The method does not exist here")
    REQUEST_TIMEOUT = (408, "request-timeout", "The body did not come in time")
    CONFLICT = (409, "conflict", "It is there already")
    PRECONDITION_FAILED = (412, "precondition-failed", "It is not as it was thought to be")
    TOO_LARGE = (413, "too-large", "The request is too large")
    UNSUPPORTED_MEDIA_TYPE = (415, "unsupported-media-type", "The media type or encoding is not taken")
    INVALID_REQUEST = (422, "invalid-request", "The request does not follow the contract")
    NO_VALID_EVENT = (422, "no-valid-event", "Not one event of the request is valid")
    RATE_LIMITED = (429, "rate-limited", "Too many requests with this key")
    INTERNAL = (500, "internal", "Something went wrong here")
    UNAVAILABLE = (503, "unavailable", "Not possible at the moment: try again")
    KPI_FAILED = (503, "kpi-failed", "The operator's own file of this KPI failed")

    @property
    def status(self) -> int:
        """The HTTP status code."""
        return self.value[0]

    @property
    def urn(self) -> str:
        """The member `type`."""
        return _URN + self.value[1]

    @property
    def title(self) -> str:
        """The member `title`."""
        return self.value[2]


class Problem(Exception):
    """Raised where a request ends in an error; `members` are further members of the answer."""

    def __init__(
        self, kind: Kind, detail: str, *, headers: Mapping[str, str] | None = None, members: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = dict(members or {})

    def response(self, request_id: str) -> Response:
        """The answer."""
        content = {"type": self.kind.urn, "title": self.kind.title, "status": self.kind.status, "detail": self.detail}
        return _answer(self.kind.status, {**content, "request_id": request_id, **self.members}, self.headers)


def unavailable(detail: str, *, retry_after_s: int = RETRY_AFTER_S) -> Problem:
    """The 503 that asks to come back."""
    return Problem(Kind.UNAVAILABLE, detail, headers={"Retry-After": str(retry_after_s)})


DATABASE_AWAY = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)
"""What the driver raises when the database is away (a TimeoutError is an OSError)."""
TOO_LARGE_TO_SORT = asyncpg.ConfigurationLimitExceededError
"""What Postgres says where a statement writes more beside its tables than `temp_file_limit`."""
_KINDS: dict[type[Exception], Kind] = {
    InvalidQuery: Kind.INVALID_QUERY,
    InvalidText: Kind.INVALID_QUERY,
    InvalidArgument: Kind.INVALID_REQUEST,
    InvalidConfiguration: Kind.INVALID_REQUEST,
    NotFound: Kind.NOT_FOUND,
    AlreadyExists: Kind.CONFLICT,
    VersionMoved: Kind.PRECONDITION_FAILED,
}

_TOO_MUCH = (
    "the answer has to sort more than Postgres may write to disk for one question: split by fewer dimensions, choose accounts, "
    "features or groups by a filter, or ask for a shorter window"
)


def of(error: Exception) -> Problem | None:
    """The problem that an error of the tree (or of the database's driver) is; None: nothing that a caller can mend."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, Overloaded):
        return unavailable(str(error), retry_after_s=error.retry_after_s)
    if isinstance(error, KpiFailed):
        members = {"kpi": error.kpi, "file": error.file}
        return Problem(Kind.KPI_FAILED, str(error), headers={"Retry-After": str(FAILED_RETRY_AFTER_S)}, members=members)
    if isinstance(error, Transient):
        return unavailable(str(error))
    if isinstance(error, DATABASE_AWAY):
        return unavailable("Postgres does not answer at the moment: try again")
    if isinstance(error, TOO_LARGE_TO_SORT):
        return Problem(Kind.INVALID_QUERY, f"{_TOO_MUCH} (Postgres says {error})")
    kind = next((_KINDS[cls] for cls in type(error).__mro__ if cls in _KINDS), None)
    if kind is None:
        return None
    return Problem(kind, _detail(error), members=_members(error))


def _detail(error: Exception) -> str:
    if isinstance(error, InvalidConfiguration):
        return f"{len(error.mistakes)} to mend, nothing is stored: see `mistakes`"
    return str(error)


def _members(error: Exception) -> dict[str, Any]:
    """What an error says beside its sentence."""
    match error:
        case InvalidQuery():
            return {"parameter": error.parameter}
        case InvalidConfiguration():
            return {
                "mistakes": [{"path": each.path, "line": each.line or None, "message": each.message} for each in error.mistakes]
            }
        case VersionMoved():
            return {"version": error.newest}
    return {}


def of_status(status: int, detail: str, request_id: str, headers: Mapping[str, str] | None = None) -> Response:
    """The answer for a status that the framework came to (404, 405 …)."""
    for kind in (Kind.NOT_FOUND, Kind.METHOD_NOT_ALLOWED, Kind.TOO_LARGE, Kind.BAD_REQUEST):
        if kind.status == status:
            return Problem(kind, detail, headers=headers).response(request_id)
    title = http.HTTPStatus(status).phrase
    content = {"type": "about:blank", "title": title, "status": status, "detail": detail, "request_id": request_id}
    return _answer(status, content, headers or {})


def _answer(status: int, content: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    return Response(msgspec.json.encode(content), status, headers=dict(headers), media_type=MEDIA_TYPE)
