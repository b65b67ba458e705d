"""`/v1/config`: what the key's tenant declares, read and changed; and `/v1/goals`, how what it declared as goals stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import asyncpg
import msgspec
import structlog
from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from service.catalog import Catalog
from service.clock import Clock
from service.domain.config.differences import differences
from service.domain.config.document import MAX_CHARACTERS, Form
from service.domain.config.versions import FOR_EVER_US, TenantConfigs
from service.domain.localtime import day_of
from service.domain.programme import week_of
from service.errors import InvalidQuery, StoreUnavailable
from service.expose import goals
from service.expose.answering import headers_of
from service.expose.asking import Asker, read_instant
from service.expose.documents_config import GET_CONFIG, PUT_CONFIG
from service.expose.moments import rfc3339
from service.http.auth import Principal, require
from service.http.bodies import BodyReader
from service.http.problems import Kind, Problem
from service.settings import Settings
from service.store.config import Applied, change_config, load_configs, load_source
from service.store.config_checks import Rules
from service.store.engine import PASSING

ADMIN = "admin"
TOML = "application/toml"
MAX_BYTES = 4 * MAX_CHARACTERS
MAX_HELD_BYTES = 4 * MAX_BYTES
_FORMS: Mapping[str, Form] = {
    TOML: "toml",
    "text/toml": "toml",
    "text/x-toml": "toml",
    "text/plain": "toml",
    "application/json": "json",
}

Reader = Annotated[Principal, Depends(require("read"))]
Admin = Annotated[Principal, Depends(require(ADMIN))]
At = Annotated[str | None, Query(description="The version that counts at this time (RFC 3339, or a date); now by default")]
DryRun = Annotated[bool, Query(description="`true` checks it, says what would change, and stores nothing")]
Format = Annotated[str | None, Query(description="`json` (the default) or `toml`; else the header Accept decides")]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Doors:
    """The answers, apart from the routes that lead to them."""

    pool: asyncpg.Pool
    catalog: Catalog
    clock: Clock
    settings: Settings
    bodies: BodyReader = field(default_factory=lambda: BodyReader(max_bytes=MAX_BYTES, max_held_bytes=MAX_HELD_BYTES))

    async def show(self, request: Request, principal: Principal, at: str | None) -> Response:
        """The version that counts at a time; raises InvalidQuery."""
        now_us = self.clock.now_us()
        async with self.pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            configs = (await load_configs(connection, [principal.tenant]))[principal.tenant]
            at_us = read_instant("at", at, Asker(principal.tenant, configs.timezone, now_us))
            at_us = now_us if at_us is None else at_us
            place = configs.place_at(at_us)
            number = configs.numbers[place]
            headers = headers_of(f'"{configs.version}-{number}"')
            if _wants_toml(request):
                principal.need((ADMIN,))
                source = await load_source(connection, principal.tenant, number)
                return Response(source, media_type=TOML, headers=headers | {"Tidegauge-Config-Version": str(number)})
        body = _body(principal, configs, place) | {"programme_week": _week(configs, place, at_us)}
        return Response(msgspec.json.encode(body), media_type="application/json", headers=headers)

    async def change(self, request: Request, principal: Principal, *, dry_run: bool) -> Response:
        """Store a version, or only check it; raises what change_config does, and problems."""
        form, replaces = _form(request), _replaces(request)
        async with self.bodies.body(request) as body:
            text = _text(body)
        settings = self.settings
        rules = Rules(self.clock.now_us(), self.catalog.shapes(), settings.kafka_topic_prefix, settings.source_topics)
        try:
            async with self.pool.acquire() as connection:
                applied = await change_config(
                    connection, principal.tenant_name, text, rules, form=form, replaces=replaces, dry_run=dry_run
                )
        except PASSING as error:
            raise StoreUnavailable("Postgres is busy with events: try again") from error
        if applied.is_new and not dry_run:
            log.info("config_changed", tenant=principal.tenant_name, version=applied.version, key=principal.key_id)
        headers = {} if dry_run else {"ETag": f'"{applied.version}"'}
        return Response(msgspec.json.encode(_outcome(applied, dry_run=dry_run)), media_type="application/json", headers=headers)


def router(pool: asyncpg.Pool, catalog: Catalog, *, clock: Clock, settings: Settings) -> APIRouter:
    """The routes, of the key's tenant."""
    whole = APIRouter()
    made = APIRouter(prefix="/v1/config", tags=["configuration"])
    doors = Doors(pool, catalog, clock, settings)

    @made.get("", summary="What is declared, with all defaults", responses=GET_CONFIG)
    async def show(request: Request, principal: Reader, at: At = None, format: Format = None) -> Response:
        del format  # documented here, read with the header Accept
        return await doors.show(request, principal, at)

    @made.put("", summary="Declare it anew, from `valid_from` on", **PUT_CONFIG)
    async def change(request: Request, principal: Admin, dry_run: DryRun = False) -> Response:  # noqa: FBT002  # a parameter
        return await doors.change(request, principal, dry_run=dry_run)

    whole.include_router(made)
    whole.include_router(goals.router(pool, catalog, clock=clock))
    return whole


def _body(principal: Principal, configs: TenantConfigs, place: int) -> dict[str, Any]:
    """One version and those that are to follow it; webhooks are shown in full to those alone who may change them."""
    config = configs.versions[place].model_dump(mode="json", by_alias=True)
    if ADMIN not in principal.scopes:
        for report in config["report"]:
            report["webhook"] = report["webhook"] and "hidden: its address may be a secret"
    return {
        "tenant": principal.tenant_name,
        "version": configs.numbers[place],
        "newest_version": configs.version,
        "valid_from": _instant(configs.valid_from_us[place]),
        "planned": [
            {"version": number, "valid_from": _instant(begins_us)}
            for number, begins_us in zip(configs.numbers[place + 1 :], configs.valid_from_us[place + 1 :], strict=True)
        ],
        "config": config,
    }


def _week(configs: TenantConfigs, place: int, at_us: int) -> dict[str, int] | None:
    """Which week of the programme it is at a time."""
    programme = configs.versions[place].programme
    week = week_of(programme, day_of(at_us, configs.timezone)) if programme is not None else None
    return None if programme is None or week is None else {"week": week, "of": programme.weeks}


def _outcome(applied: Applied, *, dry_run: bool) -> dict[str, Any]:
    changes = differences(applied.before, applied.config)
    return {
        "version": applied.version,
        "valid_from": _instant(applied.valid_from_us),
        "stored": applied.is_new and not dry_run,
        "changes": [{"key": each.path, "before": each.before, "after": each.after} for each in changes],
        "warnings": applied.warnings,
    }


def _instant(begins_us: int) -> str | None:
    return None if begins_us == FOR_EVER_US else rfc3339(begins_us)


def _wants_toml(request: Request) -> bool:
    """Whether the file is asked for as it was handed in; raises InvalidQuery."""
    form = request.query_params.get("format")
    if form not in {None, "json", "toml"}:
        raise InvalidQuery("format", f"{form!r} is no format: write json or toml")
    return form == "toml" or (form is None and TOML in request.headers.get("accept", "").lower())


def _form(request: Request) -> Form:
    media_type, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    form = _FORMS.get(media_type.strip())
    charset = parameters.strip().removeprefix("charset=").strip('"')
    if form is None or charset not in {"", "utf-8", "utf8", "us-ascii"}:
        detail = f"Content-Type {media_type[:100]!r} is not taken: send the file as {TOML}, or JSON, in UTF-8"
        raise Problem(Kind.UNSUPPORTED_MEDIA_TYPE, detail)
    return form


def _replaces(request: Request) -> int | None:
    """The newest version that the request knows of; None: it does not say. Raises a problem for another form of it."""
    match, none_match = request.headers.get("if-match"), request.headers.get("if-none-match")
    if none_match is not None:
        if none_match.strip() == "*":
            return 0
        raise Problem(Kind.BAD_REQUEST, "If-None-Match is * here: only if nothing is declared yet")
    if match is None or match.strip() == "*":
        return None
    number = match.strip().removeprefix("W/").strip('"').partition("-")[0]
    if not number.isdecimal() or len(number) > 9:  # noqa: PLR2004  # digits of an integer of Postgres
        raise Problem(Kind.PRECONDITION_FAILED, f"If-Match {match[:100]!r} is no version: send the ETag of GET /v1/config")
    return int(number)


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise Problem(Kind.MALFORMED_BODY, f"line {line} is no UTF-8: send the file in that encoding") from None
