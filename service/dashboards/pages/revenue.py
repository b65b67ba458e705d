"""Revenue and recovery: MRR and its movement, churn, economics of a customer, and subscribers won back."""

from service.catalog import Catalog
from service.dashboards import kpis, links
from service.dashboards.page import Page, Row
from service.dashboards.panels import HALF
from service.dashboards.variables import Choice

WINDOWS = ("month",)
RECOVERY = ("28d",)
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
                [
                    kpis.now(of[name], WINDOWS)
                    for name in ("mrr", "arr", "arpa", "customer_churn", "revenue_churn", "customer_retention")
                ],
            ),
            Row(
                "Revenue",
                [
                    kpis.history(of["mrr"]),
                    kpis.history_by(of["mrr"], "tier"),
                    kpis.history(of["mrr_movement"]),
                    *(kpis.now(of["mrr_movement"], WINDOWS, move) for move in MOVES),
                    kpis.now(of["mrr"], WINDOWS, "usage_fees"),
                ],
            ),
            Row(
                "Economics",
                [kpis.now(of[name], WINDOWS) for name in ("cac", "clv", "clv_cac", "cac_payback", "gross_margin", "runway")],
            ),
            Row(
                "Customers",
                [
                    kpis.split(of["customers"], WINDOWS, "status"),
                    kpis.split(of["customers"], WINDOWS, "tier"),
                    kpis.now(of["new_customers"], WINDOWS),
                    kpis.now(of["contract_length"], WINDOWS),
                    kpis.now(of["days_to_renewal"], WINDOWS),
                    kpis.history(of["customer_churn"]),
                    kpis.history(of["revenue_churn"]),
                    kpis.history_by(of["customer_churn"], "reason"),
                ],
            ),
            Row(
                "Recovery",
                [
                    kpis.now(of["recovery"], RECOVERY),
                    kpis.now(of["recovered_revenue"], RECOVERY),
                    kpis.now(of["recovery_incentive"], RECOVERY),
                    kpis.now(of["recovery_net"], RECOVERY),
                    kpis.now(of["recovery_roi"], RECOVERY),
                    kpis.now(of["recovery_time"], RECOVERY, "mean"),
                    kpis.split(of["recovery"], RECOVERY, "channel"),
                    kpis.split(of["recovery_buckets"], RECOVERY, "rate"),
                    kpis.split(of["recovery_buckets"], RECOVERY, "revenue"),
                    kpis.now(of["recovery"], RECOVERY, "cases"),
                    kpis.history(of["recovery"], width=HALF),
                    kpis.history(of["recovered_revenue"], width=HALF),
                ],
            ),
            kpis.chapter(catalog, "Every KPI of revenue and customers, by closed windows", {"Revenue and customers"}),
        ],
    )
