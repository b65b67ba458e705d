"""Revenue and recovery: MRR and its movement, churn, economics of a customer, and subscribers won back."""

from grafana_foundation_sdk.models.dashboard import Panel

from service.catalog import Catalog
from service.dashboards import kpis, links
from service.dashboards.page import Page, Row
from service.dashboards.panels import HALF
from service.dashboards.variables import Choice

WINDOWS = ("month",)
MOVES = ("new", "expansion", "reactivation", "contraction", "churned")


def page(catalog: Catalog) -> Page:
    """The dashboard of finance and of whoever wins customers back."""
    of = catalog.kpis
    return Page(
        uid=links.REVENUE,
        title="Revenue and recovery",
        description="Recurring revenue and what moved it, churn, what a customer costs and brings, and recovered subscribers.",
        choice=Choice(WINDOWS, grain="month"),
        since="now-1y",
        rows=[
            Row(
                "Now",
                kpis.newest(catalog, WINDOWS, "mrr", "arr", "arpa", "customer_churn", "revenue_churn", "customer_retention"),
            ),
            Row(
                "Revenue",
                [
                    kpis.history(of["mrr"]),
                    kpis.history_by(of["mrr"], ("tier",)),
                    kpis.history(of["mrr_movement"]),
                    *kpis.newest(catalog, WINDOWS, *(f"mrr_movement.{move}" for move in MOVES), "mrr.usage_fees"),
                ],
            ),
            Row(
                "Economics",
                kpis.newest(catalog, WINDOWS, "cac", "clv", "clv_cac", "cac_payback", "gross_margin", "runway"),
            ),
            Row(
                "Customers",
                [
                    kpis.split(of["customers"], WINDOWS, "status"),
                    kpis.split(of["customers"], WINDOWS, "tier"),
                    *kpis.newest(catalog, WINDOWS, "new_customers", "contract_length", "days_to_renewal"),
                    *kpis.closed(catalog, "customer_churn", "revenue_churn"),
                    kpis.history_by(of["customer_churn"], ("reason",)),
                ],
            ),
            Row("Recovery", _recovery(catalog)),
            kpis.chapter(catalog, "Every KPI of revenue and customers, by closed windows", {"Revenue and customers"}),
        ],
    )


def _recovery(catalog: Catalog) -> list[Panel]:
    of = catalog.kpis
    return [
        *kpis.newest(
            catalog,
            WINDOWS,
            "recovery",
            "recovered_revenue",
            "recovery_incentive",
            "recovery_net",
            "recovery_roi",
            "recovery_time.mean",
        ),
        kpis.split(of["recovery"], WINDOWS, "channel"),
        kpis.split(of["recovery_buckets"], WINDOWS, "rate"),
        kpis.split(of["recovery_buckets"], WINDOWS, "revenue"),
        kpis.now(of["recovery"], WINDOWS, "cases"),
        kpis.history(of["recovery"], width=HALF),
        kpis.history(of["recovered_revenue"], width=HALF),
    ]
