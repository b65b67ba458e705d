"""What a tenant is told of without asking for it: low adoption, silent sources, figures that get worse week after week.

From the row *alerts* of the catalog of KPIs; its other rows are in `everybody.py`, for they need no configuration.
"""

from collections.abc import Collection
from itertools import pairwise
from typing import Final

from service.domain.config.quality import OTHERS
from service.domain.selector import Selector, parse_selector
from service.rules.figures import Tenant
from service.rules.model import Alerting
from service.rules.promql import matcher, newest, number, unlike, value_text
from service.store.names import OTHER

ADOPTION_SHARE: Final = 0.8
"""Of a feature's target: below it its adoption is told of."""
ADOPTION_WINDOW: Final = "28d"
SILENT_FOR: Final = "5m"
WORSE_WEEKS: Final = 3
LONG_FOR: Final = "1h"


def adoption_of(tenant: Tenant, feature: str, target: float) -> Alerting:
    """A feature whose adoption is far below its `adoption_target`."""
    figure = tenant.figure(Selector("feature_adoption", None, {"feature": (feature,)}), ADOPTION_WINDOW)
    bound = round(ADOPTION_SHARE * target, 12)
    beyond = f"< {value_text(bound, 'ratio')}"
    expr = f"{figure.found.expr} < {number(bound)}"
    limit = f"target {value_text(target, 'ratio')}, to be told of below {ADOPTION_SHARE:.0%} of it"
    return tenant.alert("FeatureAdoptionLow", figure, expr, level="warning", beyond=beyond, limit=limit, for_=LONG_FOR)


def silence_of(tenant: Tenant, source: str, limit_s: float) -> Alerting:
    """A source that sent nothing for longer than its `[freshness]` allows."""
    figure = tenant.figure(Selector("freshness", "age", {"source": (source,)}), "1h")
    beyond = f"> {value_text(limit_s, 's')}"
    expr = f"{figure.found.expr} > {number(limit_s)}"
    limit = f"its newest event may be {value_text(limit_s, 's')} old"
    return tenant.alert("SourceSilent", figure, expr, level="warning", beyond=beyond, limit=limit, for_=SILENT_FOR)


def silence_of_others(tenant: Tenant, declared: Collection[str], limit_s: float) -> Alerting:
    """The same of each source that `[freshness."*"]` stands for: all that sent something of late and are not `declared`."""
    figure = tenant.figure(Selector("freshness", "age", {"source": (OTHERS,)}), "1h")
    shown = figure.found.series.replace(matcher("source", (OTHERS,)), unlike("source", (OTHER, *sorted(declared))))
    beyond = f"> {value_text(limit_s, 's')}"
    expr = f"{newest(shown, figure.found.by)} > {number(limit_s)}"
    limit = f"its newest event may be {value_text(limit_s, 's')} old, as that of any source without a limit of its own"
    named = "freshness.age of the source {{ $labels.source }}"
    return tenant.alert("SourceSilent", figure, expr, level="warning", beyond=beyond, limit=limit, for_=SILENT_FOR, named=named)


def worsening_of(tenant: Tenant, selector: Selector) -> Alerting | None:
    """A figure that was worse in each of three weeks than in the one before; None where no way is worse, or no week is live."""
    kpi = tenant.kpi(selector.kpi)
    statistic = kpi.statistics.get(selector.statistic or "")
    if statistic is None or statistic.better == "neither" or kpi.head.live is None or "7d" not in kpi.head.live.windows:
        return None
    figure = tenant.figure(selector, "7d")
    op, beyond = ("<", "lower") if statistic.better == "higher" else (">", "higher")
    weeks = [figure.found.ago(7 * week) for week in range(WORSE_WEEKS + 1)]
    expr = "\nand ".join(f"{later} {op} {earlier}" for later, earlier in pairwise(weeks))
    return tenant.alert(
        "KpiWorseThreeWeeks",
        figure,
        expr,
        level="information",
        beyond=f"{beyond} three weeks in a row",
        limit="each of the last three weeks should not be worse than the one before",
        for_=LONG_FOR,
    )


def judged(tenant: Tenant) -> list[Selector]:
    """What scorecards and targets speak of, each once: figures that somebody looks at."""
    rows = (parse_selector(row) for card in tenant.config.scorecards.values() for row in card.rows)
    found = {each.key: each for each in (*rows, *(target.selector for target in tenant.config.targets))}
    return list(found.values())
