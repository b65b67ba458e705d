"""The documentation opens in a browser that reaches nothing but this service."""

import re

import httpx

from service.http.app import create_app
from service.telemetry import Telemetry
from tests.http.serving import serving


async def test_the_docs_load_everything_from_here() -> None:
    app = create_app(title="tidegauge", routers=[], telemetry=Telemetry("test"))
    async with (
        serving(app) as address,
        httpx.AsyncClient(base_url=address, trust_env=False, timeout=60, follow_redirects=True) as client,
    ):
        page = await client.get("/")
        assert page.url.path == "/docs"
        loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert len(loaded) == 3
        for path in loaded:
            assert path.startswith("/")
            answer = await client.get(path)
            assert answer.is_success
            assert len(answer.content) > 100
        assert (await client.get("/openapi.json")).json()["info"]["title"] == "tidegauge"
