"""Delivery SLA: on-time shares by integration, latency, failures and retries, error budgets and their burn."""

from grafana_foundation_sdk.models.dashboard import Panel

from service.catalog import Catalog
from service.dashboards import kpis, links, views
from service.dashboards.page import Page, Row
from service.dashboards.panels import FULL, HALF, Said, lines
from service.dashboards.slos import budgets
from service.dashboards.sources import sql, sql_series
from service.dashboards.tables import Column, table_of
from service.dashboards.thresholds import steps_of
from service.dashboards.units import COUNT, NAMED, SHARE
from service.dashboards.variables import Choice

WINDOWS = ("24h", "1h", "7d")


def page(catalog: Catalog) -> Page:
    """The dashboard for whoever promised deliveries in time."""
    of = catalog.kpis
    return Page(
        uid=links.DELIVERY,
        title="Delivery SLA",
        description="Deliveries by integration against their limits, with what is left of the error budgets and how fast it "
        "burns.",
        choice=Choice(WINDOWS),
        since="now-7d",
        rows=[
            Row(
                "Now",
                kpis.newest(
                    catalog,
                    WINDOWS,
                    "delivery_on_time",
                    "delivery_success",
                    "delivery_latency.p95",
                    "deliveries",
                    "delivery_failed",
                    "delivery_overdue",
                ),
            ),
            Row(
                "By integration",
                [
                    _integrations(catalog),
                    kpis.live(of["delivery_on_time"], by="integration"),
                    kpis.live(of["delivery_latency"], "p95", by="integration"),
                    kpis.live(of["deliveries"], "per_minute", by="integration", window="5m"),
                    _volume(),
                    kpis.history_by(of["delivery_on_time"], ("integration",), width=HALF),
                ],
            ),
            budgets(catalog),
            kpis.chapter(catalog, "Every KPI of deliveries, by closed windows", {"Delivery SLA"}),
        ],
    )


def _integrations(catalog: Catalog) -> Panel:
    of = catalog.kpis
    said = Said(
        title="Integrations",
        description="Every integration in the window that is chosen, those that miss their target first: on-time share, "
        "deliveries, latency and "
        "what went wrong. Definitions: docs/kpis.",
        unit=NAMED,
        width=FULL,
        height=9,
    )
    shares = ("failed", "retried", "dead-lettered", "exhausted")
    return table_of(
        said,
        sql(views.INTEGRATIONS),
        [
            Column("on time", SHARE, "judged", steps_of(of["delivery_on_time"].head.suggestion)),
            Column("status", look="status", width=90),
            Column("deliveries", COUNT),
            Column("target", SHARE),
            Column("latency p50", "ms"),
            Column("latency p95", "ms"),
            *(Column(name, SHARE) for name in shares),
        ],
    )


def _volume() -> Panel:
    said = Said(
        title="Deliveries by integration",
        description="Finals of deliveries by quarters of an hour, excluded ones left out.",
        unit=COUNT,
        width=HALF,
    )
    return lines(said, sql_series(views.DELIVERIES_OVER_TIME), stacked=True, bars=True)
