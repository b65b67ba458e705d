"""The link of an alert leads to its runbook, at the API itself."""

from pathlib import Path

import httpx

from service.expose import runbooks
from service.http.app import create_app
from service.rules.links import RUNBOOKS
from service.telemetry import Telemetry
from tests.http.serving import serving

PAGES = Path(__file__).parents[2] / "docs" / "runbooks"


async def test_every_runbook_is_shown_where_alerts_link_to_by_default() -> None:
    app = create_app(title="test", routers=[runbooks.router()], telemetry=Telemetry("test"), keyring=None)
    path = httpx.URL(RUNBOOKS).path
    async with serving(app) as address, httpx.AsyncClient(base_url=address, trust_env=False, timeout=60) as client:
        for page in PAGES.glob("*.md"):
            answer = await client.get(f"{path}/{page.name}")
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
            assert answer.content == page.read_bytes()
        for other in ("Unknown.md", "..%2Falerting.md", "%2e%2e%2foperations.md"):
            missing = await client.get(f"{path}/{other}")
            assert missing.status_code == 404
            assert missing.headers["content-type"] == "application/problem+json"
