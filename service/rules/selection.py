"""Which live series a selector means: its metric, its labels, the factor to its base unit; or why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from service.catalog import Kpi
from service.domain.selector import Selector
from service.errors import NotLive
from service.expose.live import dimension_labels, metric_name
from service.rules.promql import newest, series

_BASE: Final[Mapping[str, str]] = {"ms": "s", "s": "s", "days": "s"}
_AS_LONG: Final[Mapping[str, tuple[str, ...]]] = {
    "day": ("1d", "24h"),
    "1d": ("24h", "day"),
    "24h": ("1d", "day"),
    "7d": ("week",),
    "week": ("7d",),
    "28d": ("30d", "month"),
    "30d": ("28d", "month"),
    "month": ("30d", "28d"),
    "90d": ("quarter",),
    "quarter": ("90d",),
}
"""Windows of about the same length: one that moves stands in for a calendar one that is not kept live, and the other way."""

OF_ALERTS: Final = frozenset({"severity", "scope", "kpi", "selector", "beyond", "slo", "hides"})
"""Labels of alerts, which cover those of their series."""


@dataclass(frozen=True, slots=True)
class Selection:
    """One figure on /metrics/kpis: one series of what every instance shows alike."""

    series: str
    by: tuple[str, ...]
    """The labels that are left: tenant, window and a label a dimension."""
    added_up: tuple[str, ...]
    """Labels whose values are added up."""
    covered: tuple[str, ...]
    """Labels of several values that an alert has for itself: they are shown as `of_LABEL`, too."""
    factor: float
    """From the KPI's unit to the series' own."""
    unit: str
    """The series' own unit, a base unit: s, ratio …"""
    window: str

    @property
    def expr(self) -> str:
        """The newest value."""
        return self.ago(0)

    def ago(self, days: int) -> str:
        """The value some days ago."""
        one = newest(f"{self.series} offset {days}d" if days else self.series, self.by)
        for label in self.covered:
            one = f'label_replace({one}, "of_{label}", "$1", "{label}", "(.*)")'
        left = ", ".join(label for label in self.by if label not in self.added_up)
        return f"sum by ({left}) ({one})" if self.added_up else one


def select(kpi: Kpi, selector: Selector, tenant: str, window: str) -> Selection:
    """The series of a tenant's figure in a window that is kept live, or in one as long; raises NotLive."""
    live = kpi.head.live
    if live is None:
        raise NotLive(f"{kpi.id} is not kept live")
    statistic = selector.statistic or ""
    if statistic not in kpi.statistics or statistic == "share_within" or (live.statistics and statistic not in live.statistics):
        own = ": a [[formula]] of it is, and can be named" if statistic == "share_within" else ""
        raise NotLive(f"{kpi.id}.{statistic} is not kept live{own}")
    window = next((each for each in (window, *_AS_LONG.get(window, ())) if each in live.windows), "")
    if not window:
        raise NotLive(f"{kpi.id} is kept live for {', '.join(live.windows)} alone")
    if chosen := [name for name in selector.where if not kpi.splits_by(name)]:
        raise NotLive(f"{kpi.id} is not kept live by {' and '.join(chosen)}: a [[formula]] of it is, and can be named")
    apart = set(kpi.head.apart)
    split = next((by for by in live.by if set(by) - apart == set(selector.where) - apart), None)
    if split is None:
        splits = ", ".join(" and ".join(by) or "the whole" for by in live.by)
        raise NotLive(f"{kpi.id} is not kept live by {' and '.join(selector.where) or 'the whole'}: it is by {splits}")
    name, factor = metric_name(kpi, statistic)
    unit = kpi.statistics[statistic].unit
    shown = tuple(sorted({*split, *apart}))
    labels = dict(zip(shown, dimension_labels(shown), strict=True))
    # Parts share the metric's name with the whole: only what has none of their labels is meant.
    others = {each for by in live.by for each in by} - {*split, *apart}
    matchers: dict[str, tuple[str, ...]] = {"tenant": (tenant,), "window": (window,), "stat": (statistic,)}
    matchers |= {labels[dimension]: values for dimension, values in selector.where.items()}
    matchers |= dict.fromkeys(dimension_labels(tuple(sorted(others))), ("",))
    several = [labels[dimension] for dimension, values in selector.where.items() if len(values) > 1]
    counts = kpi.statistics[statistic].kind == "count"
    added_up = tuple(several) if counts else ()
    covered = tuple(label for label in several if label in OF_ALERTS and not counts)
    return Selection(
        series(name, matchers), ("tenant", "window", *labels.values()), added_up, covered, factor, _BASE.get(unit, unit), window
    )
