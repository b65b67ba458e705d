"""One account: its scores, its use, its tickets and incidents."""

from grafana_foundation_sdk.models.dashboard import Panel

from service.catalog import Catalog
from service.dashboards import links, statements, views
from service.dashboards.kpis import said_of
from service.dashboards.page import Page, Row
from service.dashboards.panels import FULL, HALF, THIRD, Said, figure, lines
from service.dashboards.sources import sql, sql_series
from service.dashboards.tables import Column, table_of
from service.dashboards.units import COUNT, NAMED, SECONDS, SHARE
from service.dashboards.variables import Choice

SCORES = ("health", "churn_risk")
USERS = ("dau", "wau", "mau")
_WINDOWS = {"dau": "1d", "wau": "7d", "mau": "28d", "health": "30d", "churn_risk": "30d"}


def page(catalog: Catalog) -> Page:
    """The dashboard that a row of the accounts leads to."""
    return Page(
        uid=links.ACCOUNT,
        title="One account",
        description="A customer's contract and scores, how its users work, and what is open for it.",
        choice=Choice(),
        since="now-90d",
        rows=[
            Row("The customer", [_profile(), *(_now(catalog, kpi) for kpi in (*SCORES, *USERS))]),
            Row("Over time", [_uses(), *(_history(catalog, kpi) for kpi in ("dau", "health", "churn_risk"))]),
            Row("What is open", [_tickets(), _items(), _incidents()]),
        ],
    )


def _profile() -> Panel:
    said = Said(
        title="Profile",
        description="The newest that is known of the customer. Money in minor units of its currency.",
        unit=NAMED,
        width=FULL,
        height=4,
    )
    return table_of(
        said,
        sql(views.PROFILE),
        [Column("MRR", COUNT), Column("contract value", COUNT), Column("licensed", COUNT), Column("progress", SHARE)],
    )


def _now(catalog: Catalog, kpi: str) -> Panel:
    said = said_of(catalog.kpis[kpi], "", of=_WINDOWS[kpi], width=4, height=4)
    return figure(said, sql(statements.of_account(kpi, _WINDOWS[kpi])))


def _history(catalog: Catalog, kpi: str) -> Panel:
    taken = "day" if catalog.kpis[kpi].takes("day") else "week"
    return lines(
        said_of(catalog.kpis[kpi], "", of=f"by {taken}", width=THIRD), sql_series(statements.history_of_account(kpi, taken))
    )


def _uses() -> Panel:
    said = Said(
        title="Uses by feature",
        description="How often the account's users used each feature on the local day (the sum of quantities).",
        unit=COUNT,
        width=FULL,
    )
    return lines(said, sql_series(views.USES_OF_ACCOUNT), bars=True)


def _tickets() -> Panel:
    said = Said(
        "Tickets", "Tickets of the account, the newest first, with what is left of the limits of open ones.", NAMED, width=HALF
    )
    seconds = ("left", "response", "resolution")
    return table_of(
        said, sql(views.TICKETS_OF_ACCOUNT), [Column("opened", "dateTimeAsIso"), *(Column(name, SECONDS) for name in seconds)]
    )


def _items() -> Panel:
    said = Said(
        "Tracked items", "Risks, actions, opportunities and others of the account that are not closed.", NAMED, width=HALF
    )
    return table_of(said, sql(views.ITEMS_OF_ACCOUNT), [Column("colour", look="status"), Column("value", COUNT)])


def _incidents() -> Panel:
    said = Said(
        title="Incidents",
        description="Incidents that began in the chosen span of time and name the account, and those of the whole platform.",
        unit=NAMED,
        width=FULL,
    )
    times = ("began", "resolved")
    return table_of(
        said,
        sql(views.INCIDENTS_OF_ACCOUNT),
        [*(Column(name, "dateTimeAsIso") for name in times), Column("to resolve", SECONDS)],
    )
