"""Executive overview: the scorecard, and how the business and its promises stand."""

from grafana_foundation_sdk.models.dashboard import Panel

from service.catalog import Catalog
from service.dashboards import kpis, links, views
from service.dashboards.page import Page, Row
from service.dashboards.panels import HALF, Said
from service.dashboards.sources import sql
from service.dashboards.tables import Column, table_of
from service.dashboards.units import NAMED
from service.dashboards.variables import Choice

WINDOWS = ("7d",)


def page(catalog: Catalog) -> Page:
    """The dashboard that everybody starts from."""
    of = catalog.kpis
    return Page(
        uid=links.OVERVIEW,
        title="Executive overview",
        description="The scorecard with its states, revenue, users, satisfaction and availability, and where to look further.",
        choice=Choice(WINDOWS),
        since="now-90d",
        rows=[
            Row(
                "Where we stand",
                kpis.newest(
                    catalog,
                    WINDOWS,
                    "mrr",
                    "mau",
                    "nps",
                    "availability",
                    "delivery_on_time",
                    "health",
                    "customers",
                    "revenue_churn",
                    "wau",
                    "error_rate",
                    "support_sla",
                    "open_incidents",
                ),
            ),
            Row(
                "Scorecard",
                [
                    _scorecard(),
                    _judged(),
                    kpis.live(of["error_rate"], window="1h"),
                    kpis.live(of["availability"], window="24h"),
                    kpis.live(of["request_latency"], "p95", window="1h"),
                ],
            ),
            Row(
                "Over time",
                kpis.closed(catalog, "mrr", "dau", "nps", "availability", "delivery_on_time", "customers"),
            ),
        ],
    )


_OWN_UNIT = "Values are in the KPI's own unit: ratios 0–1, latencies in ms, lifecycles in s, money in minor units."
_STATES = "green: meets the target; yellow: the limit only; red: neither; none: not judged."


def _scorecard() -> Panel:
    said = Said(
        title="Scorecards",
        description=f"The rows of the declared scorecards in the chosen window. {_STATES} Each in the unit beside it.",
        unit=NAMED,
        width=HALF,
        height=10,
    )
    return table_of(said, sql(views.SCORECARD), [Column("status", look="status", width=90), *_numbers()])


def _judged() -> Panel:
    said = Said(
        title="Every KPI that has a target",
        description=f"The newest value of each KPI that the tenant declared a target for, the worst first. {_STATES} {_OWN_UNIT}",
        unit=NAMED,
        width=HALF,
        height=10,
    )
    opened = Column("KPI", link=links.address(links.KPI, kpi=links.THIS))
    return table_of(said, sql(views.JUDGED), [opened, Column("status", look="status", width=90), *_numbers()])


def _numbers() -> list[Column]:
    return [Column(name, "none") for name in ("value", "target", "limit")]
