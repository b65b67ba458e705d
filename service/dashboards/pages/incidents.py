"""Incidents: what is open, how fast it is found and mended, and what comes of it."""

from grafana_foundation_sdk.models.dashboard import Panel

from service.catalog import Catalog
from service.dashboards import kpis, links, views
from service.dashboards.page import Page, Row
from service.dashboards.panels import FULL, Said
from service.dashboards.sources import sql
from service.dashboards.tables import Column, table_of
from service.dashboards.units import COUNT, NAMED, SECONDS
from service.dashboards.variables import Choice

WINDOWS = ("28d",)


def page(catalog: Catalog) -> Page:
    """The dashboard of whoever runs the service and writes the post-mortems."""
    of = catalog.kpis
    return Page(
        uid=links.INCIDENTS,
        title="Incidents",
        description="Incidents by severity, the times to detect, acknowledge and resolve, and the downtime inside them.",
        choice=Choice(WINDOWS, grain="week"),
        since="now-90d",
        rows=[
            Row(
                "Now",
                kpis.newest(catalog, WINDOWS, "open_incidents", "incidents", "mttd.mean", "mtta.mean", "mttr.mean", "mtbf"),
            ),
            Row(
                "Incidents",
                [
                    _list(),
                    kpis.split(of["incidents"], WINDOWS, "severity"),
                    kpis.split(of["mttr"], WINDOWS, "severity", "mean"),
                    kpis.split(of["incidents_within_target"], WINDOWS, "severity"),
                    kpis.split(of["incident_escalation"], WINDOWS, "severity"),
                    kpis.live(of["open_incidents"], by="severity", window="1h"),
                    kpis.history_by(of["incidents"], ("severity",)),
                    kpis.history_by(of["mttr"], ("severity",), "mean"),
                    *kpis.closed(catalog, "incident_downtime", "incident_downtime.outside", "affected_users"),
                ],
            ),
            kpis.chapter(catalog, "Every KPI of incidents, by closed windows", {"Incidents"}),
        ],
    )


def _list() -> Panel:
    said = Said(
        title="Incidents in the span",
        description="Incidents that began in the chosen span of time, the newest first; times count from detection, else "
        "from the beginning. "
        "False positives are marked, and count in no figure.",
        unit=NAMED,
        width=FULL,
        height=9,
    )
    seconds = ("to detect", "to acknowledge", "to resolve")
    times = ("began", "resolved")
    columns = [
        *(Column(name, "dateTimeAsIso") for name in times),
        *(Column(name, SECONDS) for name in seconds),
        Column("users", COUNT),
    ]
    return table_of(said, sql(views.INCIDENTS), columns)
