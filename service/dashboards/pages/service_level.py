"""Service level: what requests and probes say, live and by closed windows, and what is left of the error budgets."""

from service.catalog import Catalog
from service.dashboards import kpis, links
from service.dashboards.page import Page, Row
from service.dashboards.slos import budgets
from service.dashboards.variables import Choice

WINDOWS = ("24h", "1h", "7d")


def page(catalog: Catalog) -> Page:
    """The dashboard for whoever is on call."""
    of = catalog.kpis
    return Page(
        uid=links.SERVICE_LEVEL,
        title="Service level",
        description="Availability, errors, latency and freshness against their targets, live and over time, with the error "
        "budgets.",
        choice=Choice(WINDOWS),
        since="now-7d",
        rows=[
            Row(
                "Now",
                [
                    kpis.now(of["availability"], WINDOWS),
                    kpis.now(of["error_rate"], WINDOWS),
                    kpis.now(of["api_success"], WINDOWS),
                    kpis.now(of["request_latency"], WINDOWS, "p95"),
                    kpis.now(of["requests"], WINDOWS),
                    kpis.now(of["freshness"], WINDOWS),
                ],
            ),
            Row(
                "Rolling windows, as they moved",
                [
                    kpis.live(of["availability"]),
                    kpis.live(of["error_rate"], window="5m"),
                    kpis.live(of["request_latency"], "p95", window="5m"),
                    kpis.live(of["requests"], "per_minute", by="service", window="5m"),
                    kpis.live(of["error_rate"], by="service", window="5m"),
                    kpis.live(of["request_latency"], "p95", by="service", window="5m"),
                    kpis.live(of["availability"], by="component"),
                    kpis.live(of["freshness"], by="source"),
                    kpis.live(of["timeliness"], "p95", window="1h"),
                ],
            ),
            budgets(catalog),
            Row(
                "Errors and time lost",
                [
                    *(kpis.history(of["error_rate"], statistic) for statistic in ("4xx", "5xx", "timeout")),
                    kpis.history_by(of["downtime"], ("component",)),
                    kpis.history(of["planned_downtime"]),
                    kpis.history_by(of["data_quality"], ("source",)),
                ],
            ),
            kpis.chapter(catalog, "Every KPI of the service level, by closed windows", {"Service level"}),
        ],
    )
