"""Accounts: health, churn risk and what is at stake; every row leads to the customer."""

from grafana_foundation_sdk.models.dashboard import Panel

from service.catalog import Catalog
from service.dashboards import kpis, links, views
from service.dashboards.page import Page, Row
from service.dashboards.panels import FULL, HALF, QUARTER, Said, bars, scatter
from service.dashboards.sources import sql
from service.dashboards.tables import Column, table_of
from service.dashboards.thresholds import steps_of
from service.dashboards.units import COUNT, DAYS, NAMED
from service.dashboards.variables import Choice

WINDOWS = ("30d",)
BANDS = ("green", "yellow", "orange", "red")


def page(catalog: Catalog) -> Page:
    """The dashboard of customer success."""
    return Page(
        uid=links.ACCOUNTS,
        title="Accounts",
        description="Customers by health and churn risk, what may be lost and won, and what is tracked of them.",
        choice=Choice(WINDOWS),
        since="now-90d",
        rows=[
            Row(
                "Now",
                kpis.newest(catalog, WINDOWS, "health", "churn_risk", *(f"churn_risk.{band}" for band in BANDS)),
            ),
            Row("Customers", [_list(catalog)]),
            Row(
                "What is at stake",
                [_stakes(), _bands("health"), _bands("churn risk"), _by("tier"), _by("industry"), _by("region"), _by("status")],
            ),
            Row("What is tracked", [_items()]),
            kpis.chapter(catalog, "Scores of all customers, by closed windows", {"Scores"}),
        ],
    )


def _list(catalog: Catalog) -> Panel:
    said = Said(
        title="Customers",
        description="The chosen accounts as they stand now, those at the highest risk first. Money in minor units of its "
        "currency; health and "
        "churn risk in points (docs/kpis: `health`, `churn_risk`). A click on an account opens it.",
        unit=NAMED,
        width=FULL,
        height=12,
    )
    health, risk = catalog.kpis["health"].head.suggestion, catalog.kpis["churn_risk"].head.suggestion
    return table_of(
        said,
        sql(views.CUSTOMERS),
        [
            Column("account", link=links.address(links.ACCOUNT, customer=links.THIS)),
            Column("health", COUNT, "judged", steps_of(health)),
            Column("churn risk", COUNT, "judged", steps_of(risk)),
            Column("health band", look="status"),
            Column("churn band", look="status"),
            Column("MRR", COUNT),
            Column("expansion", COUNT),
            Column("contract value", COUNT),
            Column("days to renewal", DAYS),
            Column("licensed", COUNT),
            Column("tickets", COUNT),
        ],
    )


def _stakes() -> Panel:
    said = Said(
        title="Churn risk × expansion",
        description="Every chosen account by its churn risk (points) and its expansion potential (minor units); the larger "
        "the point, the higher "
        "the value of its contract. To the right is what may be lost, above what may be won.",
        unit=COUNT,
        width=HALF,
        height=10,
    )
    return scatter(said, sql(views.STAKES), x="churn risk", y="expansion", size="contract value")


def _bands(score: str) -> Panel:
    said = Said(
        title=f"Customers by band of {score}",
        description=f"How many of the chosen accounts are in each band of {score}.",
        unit=COUNT,
        width=QUARTER,
        height=10,
    )
    return bars(said, sql(views.BANDS[score]))


def _by(segment: str) -> Panel:
    said = Said(
        title=f"Customers by {segment}",
        description=f"How many of the chosen accounts there are by {segment}, as it is now.",
        unit=COUNT,
        width=QUARTER,
    )
    return bars(said, sql(views.SEGMENTS[segment]))


def _items() -> Panel:
    said = Said(
        title="Risks, actions, opportunities",
        description="Tracked items of the chosen accounts, and of all, that are not closed: those that are overdue first.",
        unit=NAMED,
        width=FULL,
    )
    return table_of(
        said, sql(views.ITEMS), [Column("colour", look="status"), Column("value", COUNT), Column("due", "dateTimeAsIso")]
    )
