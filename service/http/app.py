"""The application around routes: problems for every error, request ids, route metrics, OpenAPI with its keys."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from service import __version__
from service.errors import TidegaugeError
from service.http import pages, problems
from service.http.auth import Keyring
from service.http.envelope import REQUEST_ID, Envelope
from service.http.openapi import document
from service.http.problems import Kind, Problem
from service.telemetry import Telemetry

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

log = structlog.get_logger()

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    *,
    title: str,
    routers: Sequence[APIRouter],
    telemetry: Telemetry,
    keyring: Keyring | None = None,
    description: str = "",
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """An application of these routes.

    `keyring` is what `require` asks; a lifespan that builds it later sets `app.state.keyring` itself.
    """
    app = FastAPI(
        title=title,
        description=description,
        version=__version__,
        lifespan=lifespan,
        middleware=[Middleware(Envelope, telemetry=telemetry)],
        exception_handlers={
            HTTPException: _of_the_framework,
            RequestValidationError: _of_validation,
            Problem: _of_the_tree,
            TidegaugeError: _of_the_tree,
            **dict.fromkeys((*problems.DATABASE_AWAY, problems.TOO_LARGE_TO_SORT), _of_the_tree),
        },
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False},
    )
    app.state.keyring = keyring
    for router in routers:
        # The routes themselves, not `include_router`: that matches every request twice (measured: 20 µs).
        app.router.routes.extend(router.routes)
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    app.router.routes.extend(pages.router(title).routes)
    return app


async def _of_the_tree(request: Request, error: Exception) -> Response:
    problem = problems.of(error)
    if problem is None:
        raise error
    if problem.kind is Kind.UNAVAILABLE:
        log.warning("not possible at the moment", error=repr(error))
    return problem.response(request.scope[REQUEST_ID])


async def _of_the_framework(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    headers = dict(error.headers or {})
    detail = str(error.detail)
    if error.status_code == Kind.METHOD_NOT_ALLOWED.status:
        allowed = _methods_of(request)
        headers["Allow"] = ", ".join(allowed)
        detail = f"{request.method} {request.url.path} does not exist: use {' or '.join(allowed)}"
    elif error.status_code == Kind.NOT_FOUND.status:
        detail = f"there is nothing at {request.url.path}: /docs lists what there is"
    return problems.of_status(error.status_code, detail, request.scope[REQUEST_ID], headers)


async def _of_validation(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    mistakes: list[dict[str, Any]] = [
        {"parameter": ".".join(str(part) for part in item["loc"][1:]), "detail": item["msg"]} for item in error.errors()
    ]
    detail = "; ".join(f"{mistake['parameter']}: {mistake['detail']}" for mistake in mistakes)
    return Problem(Kind.INVALID_REQUEST, detail, members={"errors": mistakes}).response(request.scope[REQUEST_ID])


def _methods_of(request: Request) -> list[str]:
    """All methods of a path: two routers may share it, and the framework names only the first one's."""
    return [
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.router.routes)
    ]
