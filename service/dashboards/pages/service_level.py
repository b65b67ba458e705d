"""Service level: what requests and probes say, live and by closed windows, and what is left of the error budgets."""

from grafana_foundation_sdk.models.dashboard import Panel

from service.catalog import Catalog
from service.dashboards import kpis, links, views
from service.dashboards.page import Page, Row
from service.dashboards.panels import FULL, HALF, Said, lines
from service.dashboards.slos import budgets
from service.dashboards.sources import sql, sql_series
from service.dashboards.tables import Column, table_of
from service.dashboards.units import COUNT, NAMED, SECONDS
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
                kpis.newest(
                    catalog, WINDOWS, "availability", "error_rate", "api_success", "request_latency.p95", "requests", "freshness"
                ),
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
            Row("Events", [_sources(), _ledger(), _dead_letters()]),
            kpis.chapter(catalog, "Every KPI of the service level, by closed windows", {"Service level"}),
        ],
    )


def _sources() -> Panel:
    said = Said(
        title="Event sources",
        description="Who sends events, and how old the newest one of each is: those that are later than their declared limit "
        "first.",
        unit=NAMED,
        width=FULL,
    )
    seconds = ("age", "limit")
    columns = [Column("newest", "dateTimeAsIso"), *(Column(name, SECONDS) for name in seconds), Column("stored", COUNT)]
    return table_of(said, sql(views.SOURCES), columns)


def _ledger() -> Panel:
    said = Said(
        title="What became of the events",
        description="Events by the UTC day of their receipt: stored, copies of stored ones, and refused ones, which lie in "
        "the dead letters.",
        unit=COUNT,
        width=HALF,
    )
    return lines(said, sql_series(views.LEDGER), stacked=True, bars=True)


def _dead_letters() -> Panel:
    said = Said(
        title="Dead letters",
        description="Refused events of the chosen span by reason: how many letters there are, and how often the same was "
        "refused.",
        unit=NAMED,
        width=HALF,
    )
    return table_of(
        said,
        sql(views.DEAD_LETTERS),
        [*(Column(name, COUNT) for name in ("letters", "refused")), Column("newest", "dateTimeAsIso")],
    )
