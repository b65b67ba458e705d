"""What Prometheus's Alertmanager and PagerDuty tell of incidents fills the KPIs of their times, with nobody's help."""

from datetime import timedelta

import pytest
from pydantic import SecretStr

from service.settings import Settings
from tests.ingest.webhooks import ENDED, STARTED, alert, message, paged, signature
from tests.operations.running import running

SECRET = "told-to-the-tests"  # noqa: S105


@pytest.mark.parametrize("again", [1, 2])
async def test_hooks_fill_the_times_to_detect_acknowledge_and_resolve(database_url: str, again: int) -> None:
    settings = Settings(flush_interval_s=0.01, pagerduty_secrets=SecretStr(f"acme:{SECRET}"))
    life = {"incident.triggered": 0, "incident.acknowledged": 2, "incident.resolved": 8}
    paging = [paged(kind, number=at, at=STARTED + timedelta(minutes=at)) for kind, at in life.items()]
    async with running(database_url, settings) as site:
        key = {"authorization": f"Bearer {site.keys['write']}", "content-type": "application/json"}
        for _ in range(again):
            for body in (message(alert(severity="P2")), message(alert("resolved", severity="P2"))):
                assert (await site.client.post("/v1/hooks/alertmanager", content=body, headers=key)).status_code == 202
            for body in paging:
                signed = key | {"X-PagerDuty-Signature": signature(body, SECRET)}
                assert (await site.client.post("/v1/hooks/pagerduty", content=body, headers=signed)).status_code == 202
        assert (await site.consumed()).mistakes == ()
        answers = {kpi: await site.get(f"/v1/kpis/{kpi}", window="24h", by="severity") for kpi in ("mttd", "mtta", "mttr")}
        opened = await site.get("/v1/kpis/incidents", window="24h")
    found = {(kpi, row["dims"]["severity"]): row["value"] for kpi, each in answers.items() for row in each["rows"]}
    assert opened["value"] == 2
    assert found["mtta", "P1"] == 2 * 60
    assert found["mttr", "P1"] == 8 * 60
    assert found["mttr", "P2"] == (ENDED - STARTED).total_seconds()
    assert found["mttd", "P1"] == found["mttd", "P2"] == 0
