"""Error budgets and burn rates: from Prometheus's counters as they move, and from Postgres where a late event repairs the past.

Formulas: Google, The Site Reliability Workbook, "Alerting on SLOs": burn rate = share of errors ÷ share that may err.
"""

from grafana_foundation_sdk.models.dashboard import Panel, Threshold

from service.dashboards import views
from service.dashboards.page import Row
from service.dashboards.panels import FULL, HALF, Said, lines
from service.dashboards.sources import promql, sql
from service.dashboards.tables import Column, table_of
from service.dashboards.thresholds import GREEN, RED, YELLOW
from service.dashboards.units import COUNT, NAMED, SHARE

_OF_TENANT = '{tenant="$tenant"}'
_ALLOWED = f"(1 - max by (slo) (tidegauge_slo_objective_ratio{_OF_TENANT}))"
_LEFT = [Threshold(color=RED), Threshold(value=0.0, color=YELLOW), Threshold(value=0.25, color=GREEN)]
_BURNS = [Threshold(color=GREEN), Threshold(value=1.0, color=YELLOW), Threshold(value=6.0, color=RED)]


def budgets() -> Row:
    """What is left of every SLO's budget, and how fast it goes."""
    return Row("Error budgets", [_table(), _burn("5m", "1h"), _burn("30m", "6h")])


def errors(window: str) -> str:
    """The share of errors in a window by SLO: all instances show the same counters, so the largest is the one."""
    good, total = (
        f"max by (slo) (increase(tidegauge_slo_{name}_total{_OF_TENANT}[{window}]))" for name in ("good_events", "events")
    )
    return f"1 - {good} / {total}"


def _burn(*windows: str) -> Panel:
    said = Said(
        title=f"Burn rate · {' and '.join(windows)}",
        description="Share of errors ÷ the share that the objective allows: at 1 the budget lasts just as long as the SLO's "
        "window; "
        "both windows of a pair above 14.4 (5m and 1h) or 6 (30m and 6h) page somebody. From the live counters: events older "
        "than a quarter of an hour repair the budget beside, and page nobody.",
        unit="none",
        width=HALF,
        decimals=2,
        steps=_BURNS,
    )
    return lines(said, promql(*((f"({errors(window)}) / {_ALLOWED}", f"{{{{slo}}}} {window}") for window in windows)))


def _table() -> Panel:
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
            Column("budget left", SHARE, "judged", _LEFT),
            Column("days to exhaustion", "d"),
            Column("burn 1h", "none", "judged", _BURNS),
            Column("burn 6h", "none", "judged", _BURNS),
            Column("burn 3d", "none", "judged", _BURNS),
        ],
    )
