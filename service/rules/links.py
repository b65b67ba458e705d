"""Where an alert leads: its runbook, and the dashboard that shows what it is about."""

from dataclasses import dataclass
from typing import Final, Literal

RUNBOOKS: Final = "http://127.0.0.1:8080/runbooks"
GRAFANA: Final = "http://127.0.0.1:3000"

Dashboard = Literal[
    "overview",
    "adoption",
    "delivery",
    "service-level",
    "incidents",
    "accounts",
    "support",
    "revenue",
    "infrastructure",
    "itself",
]
"""What follows `tidegauge-` in a dashboard's uid."""


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses under which people find runbooks and dashboards."""

    runbooks: str = RUNBOOKS
    grafana: str = GRAFANA

    def runbook(self, alert: str) -> str:
        """The page of an alert."""
        return f"{self.runbooks.rstrip('/')}/{alert}.md"

    def dashboard(self, dashboard: Dashboard, tenant: str) -> str:
        """A dashboard; `tenant` is shown in it ("": none), a name or a template of one."""
        shown = f"?var-tenant={tenant}" if tenant else ""
        return f"{self.grafana.rstrip('/')}/d/tidegauge-{dashboard}{shown}"


def annotated(alert: str, summary: str, description: str, links: Links, *, tenant: str, dashboard: Dashboard) -> dict[str, str]:
    """The annotations of an alert."""
    return {
        "summary": summary,
        "description": description,
        "runbook_url": links.runbook(alert),
        "dashboard_url": links.dashboard(dashboard, tenant),
    }
