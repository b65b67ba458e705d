"""One KPI of any kind, a tenant's own formulas included: newest values, history and splits."""

from grafana_foundation_sdk.models.dashboard import Panel

from service.catalog import Catalog
from service.dashboards import links, views
from service.dashboards.page import Page, Row
from service.dashboards.panels import FULL, Said, lines
from service.dashboards.sources import sql, sql_series
from service.dashboards.tables import Column, table_of
from service.dashboards.units import NAMED
from service.dashboards.variables import Choice

_UNITS = "In the KPI's own unit: ratios 0–1, latencies in ms, lifecycles in s, money in minor units."


def page(catalog: Catalog) -> Page:  # noqa: ARG001  # a page like the others
    """The dashboard that every panel of a KPI leads to."""
    return Page(
        uid=links.KPI,
        title="One KPI",
        description="Any KPI that is kept: every window and split of it as of now, and its closed windows with target and limit.",
        choice=Choice(),
        since="now-90d",
        rows=[Row("History", [_history(), _history_by_split()]), Row("Now", [_newest()])],
    )


def _history() -> Panel:
    said = Said("Closed windows", f"The whole, with the target and the limit that each window was judged by. {_UNITS}", "none")
    return lines(said, sql_series(views.KPI_HISTORY))


def _history_by_split() -> Panel:
    said = Said("Closed windows by split", f"Every split that is kept, a line each. {_UNITS}", "none")
    return lines(said, sql_series(views.KPI_HISTORY_BY_SPLIT))


def _newest() -> Panel:
    said = Said("Every window and split", f"The newest values with how they were judged. {_UNITS}", NAMED, width=FULL, height=12)
    return table_of(
        said,
        sql(views.KPI_NEWEST),
        [Column("value", "none"), Column("target", "none"), Column("limit", "none"), Column("status", look="status", width=90)],
    )
