"""Support and satisfaction: tickets and their limits, credits, and what users answered."""

from grafana_foundation_sdk.models.dashboard import Panel, Threshold

from service.catalog import Catalog
from service.dashboards import kpis, links, views
from service.dashboards.metrics import Graphs
from service.dashboards.page import Page, Row
from service.dashboards.panels import FULL, Said
from service.dashboards.sources import sql
from service.dashboards.tables import Column, table_of
from service.dashboards.thresholds import GREEN, RED, YELLOW
from service.dashboards.units import COUNT, NAMED, SECONDS
from service.dashboards.variables import Choice

WINDOWS = ("28d",)
_LEFT = [Threshold(color=RED), Threshold(value=0.0, color=YELLOW), Threshold(value=3_600.0, color=GREEN)]


def page(catalog: Catalog) -> Page:
    """The dashboard of support and of customer success."""
    of = catalog.kpis
    return Page(
        uid=links.SUPPORT,
        title="Support and satisfaction",
        description="Tickets with what is left of their limits, attainment and credits, and NPS, CSAT and CES with their shares.",
        choice=Choice(WINDOWS, grain="week"),
        since="now-90d",
        rows=[
            Row(
                "Support now",
                kpis.newest(
                    catalog,
                    WINDOWS,
                    "open_tickets",
                    "tickets",
                    "support_sla",
                    "first_response_time.mean",
                    "resolution_time.mean",
                    "first_contact_resolution",
                ),
            ),
            Row(
                "Tickets",
                [
                    _open(),
                    kpis.split(of["tickets"], WINDOWS, "category"),
                    kpis.split(of["tickets"], WINDOWS, "priority"),
                    kpis.split(of["support_sla"], WINDOWS, "tier"),
                    kpis.split(of["support_credits"], WINDOWS, "account"),
                    kpis.history_by(of["tickets"], ("category",)),
                    *kpis.closed(catalog, "support_sla", "ticket_escalation"),
                    _near(),
                    kpis.live(of["open_tickets"], by="priority", window="1h"),
                    kpis.live(of["open_tickets"], "oldest", window="1h"),
                ],
            ),
            Row(
                "Satisfaction",
                [
                    *kpis.newest(catalog, WINDOWS, "nps", "nps.promoters", "nps.passives", "nps.detractors", "csat", "ces"),
                    kpis.history(of["nps"]),
                    kpis.history_by(of["nps"], ("tier",)),
                    kpis.history(of["csat"]),
                    kpis.split(of["survey_response"], WINDOWS, "survey"),
                    kpis.split(of["feedback_themes"], WINDOWS, "theme"),
                    kpis.split(of["feedback_themes"], WINDOWS, "sentiment"),
                    kpis.now(of["detractor_follow_up"], WINDOWS),
                ],
            ),
            kpis.chapter(catalog, "Every KPI of support and satisfaction, by closed windows", {"Support", "Satisfaction"}),
        ],
    )


def _near() -> Panel:
    works = "on (job, instance, process) tidegauge_evaluator_active == 1"
    near = f'max by (tenant) (tidegauge_tickets_near_limit{{tenant="$tenant"}} and {works})'
    # Tenants that have none are not shown: that an evaluator works makes it 0, and where none does nobody knows.
    none = "0 * max(tidegauge_evaluator_active == 1)"
    return Graphs().line(
        "tidegauge_tickets_near_limit", "Open tickets near a limit", COUNT, (f"{near} or on () {none}", "near a limit")
    )


def _open() -> Panel:
    said = Said(
        title="Open tickets",
        description="Tickets that are not resolved, the most urgent first, with what is left until their limits for response and "
        "resolution (below 0: too late, by the wall clock), by the rules of their tier and priority.",
        unit=NAMED,
        width=FULL,
        height=9,
    )
    return table_of(
        said,
        sql(views.OPEN_TICKETS),
        [
            Column("opened", "dateTimeAsIso"),
            Column("account", link=links.address(links.ACCOUNT, customer=links.THIS)),
            Column("age", SECONDS),
            Column("due", "dateTimeAsIso"),
            Column("left", SECONDS, "judged", _LEFT),
            Column("escalation", COUNT),
        ],
    )
