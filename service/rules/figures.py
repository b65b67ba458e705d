"""What alerts on a tenant's figures have in common: the tenant, its KPIs, labels and words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from service.catalog import Catalog, Kpi
from service.domain.config import TenantConfig
from service.domain.config.alerts import Level
from service.domain.selector import Selector
from service.errors import NotLive
from service.rules.links import Dashboard, Links, annotated
from service.rules.model import Alerting
from service.rules.promql import literal, value_template
from service.rules.selection import Selection, select

KEEP: Final[Mapping[Level, str]] = {"critical": "5m", "warning": "15m", "information": "1h"}
"""How long an alert stays after its figure is well again."""
_DASHBOARDS: Final[Mapping[str, Dashboard]] = {
    "Adoption and engagement": "adoption",
    "Delivery SLA": "delivery",
    "Service level": "service-level",
    "Incidents": "incidents",
    "Support": "support",
    "Satisfaction": "support",
    "Revenue and customers": "revenue",
    "Scores": "accounts",
}
"""Where the KPIs of a chapter are shown."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a tenant in a window."""

    kpi: Kpi
    selector: Selector
    found: Selection

    def shown_on(self) -> Dashboard:
        """The dashboard that has it."""
        return _DASHBOARDS.get(self.kpi.head.family, "overview")


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant with what it declares and the KPIs that it has."""

    name: str
    config: TenantConfig
    catalog: Catalog
    links: Links

    def kpi(self, kpi: str) -> Kpi:
        """A KPI; raises NotLive where the catalog has lost it."""
        found = self.catalog.kpis.get(kpi)
        if found is None:
            raise NotLive(f"there is no KPI {kpi} any more")
        return found

    def figure(self, selector: Selector, window: str) -> Figure:
        """A figure that is kept live; raises NotLive."""
        kpi = self.kpi(selector.kpi)
        return Figure(kpi, selector, select(kpi, selector, self.name, window))

    def alert(
        self,
        name: str,
        figure: Figure,
        expr: str,
        *,
        level: Level,
        beyond: str,
        limit: str,
        for_: str = "",
        named: str = "",
    ) -> Alerting:
        """An alert on a figure; `beyond` says what it is when it fires, `limit` what it should be.

        `named` is the template that names it for people; "": its selector.
        """
        text, window, beyond = literal(str(figure.selector)), figure.found.window, literal(beyond)
        shown = named or text
        labels = {
            "tenant": self.name,
            "severity": level,
            "scope": "kpi",
            "kpi": figure.kpi.id,
            "selector": text,
            "window": window,
            "beyond": beyond,
        }
        notes = annotated(
            name,
            f"{self.name}: {shown} over {window} is {beyond}",
            f"{figure.kpi.head.title}, {shown}, window {window}: {value_template(figure.found.unit)}; {literal(limit)}.",
            self.links,
            tenant=self.name,
            dashboard=figure.shown_on(),
        )
        return Alerting(name, expr, labels, notes, for_=for_, keep_firing_for=KEEP[level])
