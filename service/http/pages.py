"""The pages for a browser: /docs, with its script and style from this installation and none from elsewhere."""

from collections.abc import Awaitable, Callable
from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse, RedirectResponse, Response

ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}
_CACHED = {"cache-control": "public, max-age=86400"}


def router(title: str) -> APIRouter:
    """`/docs` and what it loads; `/` leads there."""
    made = APIRouter(include_in_schema=False)

    @made.get("/")
    async def root() -> RedirectResponse:
        return RedirectResponse("/docs")

    @made.get("/docs")
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=title,
            swagger_js_url="/docs/swagger-ui-bundle.js",
            swagger_css_url="/docs/swagger-ui.css",
            swagger_favicon_url="/docs/favicon-32x32.png",
            swagger_ui_parameters={"persistAuthorization": True, "tryItOutEnabled": True, "displayRequestDuration": True},
        )

    for name, media_type in ASSETS.items():
        made.add_api_route(f"/docs/{name}", _serve(name, media_type), methods=["GET"])
    return made


def _serve(name: str, media_type: str) -> Callable[[], Awaitable[Response]]:
    async def asset() -> Response:
        return Response(_asset(name), media_type=media_type, headers=_CACHED)

    return asset


@cache
def _asset(name: str) -> bytes:
    return (files("fastapi_swagger.resources") / name).read_bytes()
