"""The API as it is built: no door that the documentation speaks of is missing."""

from tests.operations.running import Running

DOORS = (
    "/v1/events",
    "/v1/schemas",
    "/v1/hooks/alertmanager",
    "/v1/hooks/pagerduty",
    "/v1/kpis",
    "/v1/kpis/{kpi}",
    "/v1/kpis/{kpi}/series",
    "/v1/scorecards/{name}",
    "/v1/accounts",
    "/v1/tickets",
    "/v1/items",
    "/v1/incidents",
    "/v1/dead-letters",
    "/v1/ledger",
    "/v1/goals",
    "/v1/config",
    "/v1/reports",
    "/v1/reports/{name}",
    "/v1/reports/{name}/copies/{number}",
    "/metrics",
    "/metrics/kpis",
    "/healthz",
    "/readyz",
)


async def test_every_door_is_open(site: Running) -> None:
    answer = await site.client.get("/openapi.json")
    paths = answer.json()["paths"].keys()
    assert [door for door in DOORS if door not in paths] == []
