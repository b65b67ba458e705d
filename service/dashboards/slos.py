"""Error budgets and burn rates: from Prometheus's counters as they move, and from Postgres where a late event repairs the past.

Formulas: Google, The Site Reliability Workbook, "Alerting on SLOs": burn rate = share of errors ÷ share that may err.
"""

from grafana_foundation_sdk.models.dashboard import Panel

from service.catalog import Catalog, Kpi
from service.dashboards import kpis, views
from service.dashboards.page import Row
from service.dashboards.panels import FULL, HALF, Said, lines
from service.dashboards.sources import promql, sql
from service.dashboards.tables import Column, table_of
from service.dashboards.thresholds import steps_of
from service.dashboards.units import COUNT, DAYS, NAMED, SHARE, unit_of

_OF_TENANT = '{tenant="$tenant"}'
_ALLOWED = f"(1 - max by (slo) (tidegauge_slo_objective_ratio{_OF_TENANT}))"


def budgets(catalog: Catalog) -> Row:
    """What is left of every SLO's budget, and how fast it goes."""
    left, burn, compliance = (catalog.kpis[name] for name in ("error_budget", "burn_rate", "slo"))
    graphs = [_burn(burn, "5m", "1h"), _burn(burn, "30m", "6h"), kpis.history_by(left, ("slo",), width=HALF)]
    return Row("Error budgets", [_table(left, burn), *graphs, kpis.history_by(compliance, ("slo",), width=HALF)])


def errors(window: str) -> str:
    """The share of errors in a window by SLO, as alerts have it: recorded of the counters of all instances as one.

    Of each by itself an instance that has just started would take its first minutes for the whole window.
    """
    return f"max by (slo) (tenant_slo:tidegauge_slo_errors:ratio_rate{window}{_OF_TENANT})"


def _burn(burn: Kpi, *windows: str) -> Panel:
    said = Said(
        title=f"Burn rate · {' and '.join(windows)}",
        description="Share of errors ÷ the share that the objective allows: at 1 the budget lasts just as long as the SLO's "
        "window; "
        "both windows of a pair above 14.4 (5m and 1h) or 6 (30m and 6h) page somebody. From the live counters: events older "
        "than a quarter of an hour repair the budget beside, and page nobody.",
        unit=unit_of(burn.head.unit),
        width=HALF,
        decimals=2,
        steps=steps_of(burn.head.suggestion),
    )
    return lines(said, promql(*((f"({errors(window)}) / {_ALLOWED}", f"{{{{slo}}}} {window}") for window in windows)))


def _table(left: Kpi, burn: Kpi) -> Panel:
    burns = steps_of(burn.head.suggestion)
    said = Said(
        title="SLOs",
        description="Every declared SLO over its own window: objective, what was reached, what is left of the error budget "
        "(below 0: "
        "overspent), and in how many days the rest is gone at the burn of the last 24 hours (none: it does not burn).",
        unit=NAMED,
        width=FULL,
        height=7,
    )
    return table_of(
        said,
        sql(views.SLOS),
        [
            Column("objective", SHARE),
            Column("compliance", SHARE),
            Column("good", COUNT),
            Column("total", COUNT),
            Column("budget left", SHARE, "judged", steps_of(left.head.suggestion)),
            Column("days to exhaustion", DAYS),
            Column("burn 1h", unit_of(burn.head.unit), "judged", burns),
            Column("burn 6h", unit_of(burn.head.unit), "judged", burns),
            Column("burn 3d", unit_of(burn.head.unit), "judged", burns),
        ],
    )
