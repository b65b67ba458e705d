"""Adoption: active users, who stays, what is used by whom, and how far newcomers come."""

from grafana_foundation_sdk.models.dashboard import Panel

from service.catalog import Catalog
from service.dashboards import kpis, links, views
from service.dashboards.page import Page, Row
from service.dashboards.panels import HALF, THIRD, Said, lines
from service.dashboards.sources import sql, sql_series
from service.dashboards.tables import Column, heat_table, table_of
from service.dashboards.units import COUNT, NAMED, SHARE
from service.dashboards.variables import Choice

WINDOWS = ("7d", "28d")


def page(catalog: Catalog) -> Page:
    """The dashboard of product."""
    of = catalog.kpis
    return Page(
        uid=links.ADOPTION,
        title="Adoption",
        description="Active users by day, week and month, retention of cohorts, features by weekday, and the funnel.",
        choice=Choice(WINDOWS),
        rows=[
            Row(
                "Now",
                kpis.newest(catalog, WINDOWS, "dau", "wau", "mau", "stickiness_weekly", "period_retention", "concurrent_users"),
            ),
            Row(
                "Active users",
                [
                    _active(),
                    kpis.split(of["wau"], WINDOWS, "account"),
                    kpis.live(of["concurrent_users"], window="5m", width=THIRD - 2),
                    *kpis.newest(
                        catalog,
                        WINDOWS,
                        "new_users",
                        "returning_users",
                        "resurrected_users",
                        "dormant_users",
                        "user_activation",
                        "time_to_first_value.mean",
                    ),
                ],
            ),
            Row(
                "Who stays",
                [_triangle(), kpis.history(of["retention"], "d1", width=HALF), kpis.history(of["retention"], "d7", width=HALF)],
            ),
            Row(
                "What is used",
                [
                    _heat_map(catalog),
                    kpis.split(of["feature_adoption"], WINDOWS, "feature"),
                    kpis.split(of["feature_uses"], WINDOWS, "feature"),
                ],
            ),
            Row("How far they come", [_funnel(catalog), kpis.history(of["account_activation"], width=HALF)]),
            kpis.chapter(catalog, "Every KPI of adoption and engagement, by closed windows", {"Adoption and engagement"}),
        ],
    )


def _active() -> Panel:
    said = Said(
        title="Active users by day, week and month",
        description="Distinct users who were active on the local day (DAU), and in closed calendar weeks (WAU) and months "
        "(MAU), each at its "
        "beginning: exact, from sets of users, late events included.",
        unit=COUNT,
        width=HALF,
    )
    return lines(said, sql_series(views.ACTIVE_USERS))


def _triangle() -> Panel:
    said = Said(
        title="Retention triangle",
        description="Of the users whose first activity ever was on a local day (the row), the share that was active so many "
        "days later (the column).",
        unit=SHARE,
        width=24,
        height=9,
    )
    return heat_table(said, sql(views.RETENTION), names=("cohort",), sums=("users",))


def _heat_map(catalog: Catalog) -> Panel:
    definition = catalog.kpis["feature_heatmap"].head.definition
    said = Said("Features by weekday", f"{definition[:1].upper()}{definition[1:]}.", COUNT, width=HALF, height=8)
    return heat_table(said, sql(views.HEAT_MAP), names=("feature",))


def _funnel(catalog: Catalog) -> Panel:
    definition = catalog.kpis["funnel"].head.definition
    said = Said("Funnel", f"{definition[:1].upper()}{definition[1:]}.", NAMED, width=HALF, height=8)
    return table_of(
        said,
        sql(views.FUNNEL),
        [Column("reached", COUNT), Column("of base", SHARE), Column("of first", SHARE), Column("drop", SHARE)],
    )
