"""Who asks, and whether they may: API keys with scopes, cached so that a door needs no Postgres for each request."""

import asyncio
import base64
import binascii
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import asyncpg
import structlog
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import Request

from service.clock import SECOND, Clock
from service.errors import StoreUnavailable
from service.http.openapi import BEARER
from service.http.problems import DATABASE_AWAY, Kind, Problem
from service.store.keys import find_key, hash_of, looks_like_a_key

MAX_KNOWN = 10_000
MAX_UNKNOWN = 1_000
UNKNOWN_US = SECOND
"""How long a key that there is not is remembered as such: one that is made now works a second later."""
GRACE_US = 3_600 * SECOND
"""How long a known key goes on working when Postgres does not answer."""
PAUSE_US = SECOND
"""Between questions to a Postgres that did not answer."""
LOOK_UP_TIMEOUT_S = 2.0
FIRST_LOOK_UP_TIMEOUT_S = 10.0
"""For a key that is not known here, which only Postgres can tell of: a machine that is busy for seconds refuses nobody."""
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="tidegauge", Basic realm="tidegauge", charset="UTF-8"'}

Value = TypeVar("Value")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Principal:
    """The key that a request came with, and what it may."""

    key_id: str
    tenant: int
    tenant_name: str
    scopes: frozenset[str]

    def need(self, scopes: Iterable[str]) -> None:
        """Raises the 403 problem that names the first scope that lacks."""
        for scope in scopes:
            if scope not in self.scopes:
                has = ", ".join(sorted(self.scopes))
                raise Problem(
                    Kind.FORBIDDEN,
                    f"this needs the scope `{scope}`, and the key {self.key_id} has {has}: use another key, or make one with it",
                    members={"scope": scope},
                )


@dataclass(slots=True)
class _Entry:
    principal: Principal
    checked_us: int


class Keyring:
    """The keys that were asked for lately, each no older than `refresh_s` as long as Postgres answers."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock, *, refresh_s: float) -> None:
        self._pool = pool
        self._clock = clock
        self._refresh_us = int(refresh_s * SECOND)
        self._known: OrderedDict[bytes, _Entry] = OrderedDict()
        self._unknown: OrderedDict[bytes, int] = OrderedDict()
        self._questions: dict[bytes, asyncio.Task[Principal | None]] = {}
        self._silent_since_us: int | None = None

    async def authenticate(self, authorization_header: str | None) -> Principal:
        """Who the header `Authorization` speaks for.

        Raises the 401 problem for no key or one that does not (or no longer) exist, and
        StoreUnavailable for one that is not known here while Postgres does not answer.
        """
        secret = _secret(authorization_header)
        if not looks_like_a_key(secret):
            raise _unauthenticated("that is no key: it begins with tg_ and is given out by `tidegauge keys create`")
        principal = await self._principal(hash_of(secret))
        if principal is None:
            raise _unauthenticated("no such key, or it was revoked: ask for another one")
        return principal

    async def _principal(self, key_hash: bytes) -> Principal | None:
        now_us = self._clock.now_us()
        entry = self._known.get(key_hash)
        if entry is None:
            if now_us - self._unknown.get(key_hash, -UNKNOWN_US) < UNKNOWN_US:
                return None
            return await asyncio.shield(self._ask(key_hash))
        self._known.move_to_end(key_hash)
        age_us = now_us - entry.checked_us
        if 0 <= age_us < self._refresh_us // 2:
            return entry.principal
        question = self._ask(key_hash)
        # Asked for ahead of time, so that hardly any request waits; and a silent Postgres is not waited for twice.
        if 0 <= age_us < (self._refresh_us if self._silent_since_us is None else GRACE_US):
            return entry.principal
        try:
            return await asyncio.shield(question)
        except StoreUnavailable:
            if age_us >= GRACE_US:
                raise
            return entry.principal

    def _ask(self, key_hash: bytes) -> "asyncio.Task[Principal | None]":
        """One question at a time for each key; whoever needs the answer waits for the same one."""
        question = self._questions.get(key_hash)
        if question is None:
            question = self._questions[key_hash] = asyncio.create_task(self._look_up(key_hash))
            question.add_done_callback(lambda done: self._answered(key_hash, done))
        return question

    async def _look_up(self, key_hash: bytes) -> Principal | None:
        now_us = self._clock.now_us()
        if self._silent_since_us is not None and 0 <= now_us - self._silent_since_us < PAUSE_US:
            raise StoreUnavailable("keys cannot be checked: Postgres does not answer at the moment")
        try:
            patience_s = LOOK_UP_TIMEOUT_S if key_hash in self._known else FIRST_LOOK_UP_TIMEOUT_S
            async with asyncio.timeout(patience_s), self._pool.acquire() as connection:
                key = await find_key(connection, key_hash)
        except DATABASE_AWAY as error:
            self._silent_since_us = self._clock.now_us()
            log.warning("keys cannot be checked", error=repr(error))
            raise StoreUnavailable("keys cannot be checked: Postgres does not answer at the moment") from error
        self._silent_since_us = None
        if key is None:
            self._known.pop(key_hash, None)
            _put(self._unknown, key_hash, now_us, MAX_UNKNOWN)
            return None
        principal = Principal(key.id, key.tenant, key.tenant_name, key.scopes)
        self._unknown.pop(key_hash, None)
        _put(self._known, key_hash, _Entry(principal, now_us), MAX_KNOWN)
        return principal

    def _answered(self, key_hash: bytes, question: "asyncio.Task[Principal | None]") -> None:
        del self._questions[key_hash]
        if not question.cancelled():
            question.exception()  # taken note of: a question asked ahead of time has nobody who waits for it


class Require(SecurityBase):
    """A dependency that gives the Principal, if it has these scopes."""

    def __init__(self, scopes: tuple[str, ...]) -> None:
        self.model = HTTPBearer(description="An API key")
        self.scheme_name = BEARER
        self._scopes = scopes

    async def __call__(self, request: Request) -> Principal:
        """The request's principal; raises the problems 401 and 403."""
        keyring: Keyring = request.app.state.keyring
        principal = await keyring.authenticate(request.headers.get("authorization"))
        principal.need(self._scopes)
        return principal


def require(*scopes: str) -> Require:
    """For `Annotated[Principal, Depends(require("read"))]`."""
    return Require(scopes)


def _secret(header: str | None) -> str:
    if not header:
        raise _unauthenticated("the header Authorization is missing: send `Authorization: Bearer KEY`")
    scheme, _, value = header.strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip()
        case "basic":
            try:
                user, _, _ = base64.b64decode(value.strip(), validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                raise _unauthenticated("the header Authorization is no valid Basic: send the key as the user name") from None
            return user
        case _:
            raise _unauthenticated("the header Authorization is neither Bearer nor Basic: send `Authorization: Bearer KEY`")


def _unauthenticated(detail: str) -> Problem:
    return Problem(Kind.UNAUTHENTICATED, detail, headers=_CHALLENGE)


def _put(cache: OrderedDict[bytes, Value], key: bytes, value: Value, most: int) -> None:
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > most:
        cache.popitem(last=False)
