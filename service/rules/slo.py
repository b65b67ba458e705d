"""Burn rates: recordings of SLOs' error ratios for all tenants, and each SLO's multi-window alerts.

The thresholds, https://sre.google/workbook/alerting-on-slos/ (6: Multiwindow, Multi-Burn-Rate Alerts): an alert stands for the
share of the error budget that its long window may use up: burn rate = share x SLO window / alert window. Over 30 days 2 % in an
hour is 14.4, 5 % in 6 hours 6, 10 % in a day 3, 10 % in 3 days 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from service.domain.config.alerts import KPI_OF, Level, Slo
from service.rules.grown import SECONDS, grown
from service.rules.links import Dashboard, Links, annotated
from service.rules.model import Alerting, Group, Recording
from service.rules.promql import literal, number, quoted

WINDOWS: Final[Mapping[str, float]] = {each: SECONDS[each] / 3_600 for each in ("5m", "30m", "1h", "2h", "6h", "1d", "3d")}
"""Windows that are recorded, and their hours."""
SLO_HOURS: Final[Mapping[str, float]] = {"28d": 672, "30d": 720, "month": 30.4375 * 24, "quarter": 91.3125 * 24}
"""Hours of SLOs' windows; of calendar ones the mean."""
GREATEST_RATIO: Final = 0.9
"""Where 14.4 times the budget is more than everything, nine failures of ten are enough."""
READ_LATE: Final = "5m"
"""How far an instance's look at the counters may lie behind another's."""
LEAST_EVENTS: Final = 100
"""Events of the long window below which nobody is told, where the SLO declares no `min_events`."""
_LEAST_TIME: Final[Mapping[str, int]] = {"availability": 300, "freshness": 5}
"""The same of kinds that count seconds or minutes: five minutes, or the first bad second of a new SLO would page."""
_DASHBOARDS: Final[Mapping[str, Dashboard]] = {"delivery_on_time": "delivery"}
_ERRORS: Final = "tenant_slo:tidegauge_slo_errors:ratio_rate"
_EVENTS: Final = "tenant_slo:tidegauge_slo_events:increase"
_AGE: Final = "tenant_slo:tidegauge_slo_age:seconds"


@dataclass(frozen=True, slots=True)
class Burn:
    """One alert on the burn rate: the long window says that it matters, the short one that it still goes on."""

    long: str
    short: str
    share: float
    """Of the error budget, used up in the long window."""
    level: Level

    @property
    def alert(self) -> str:
        """Its name."""
        return "ErrorBudgetBurnsFast" if self.level == "critical" else "ErrorBudgetBurnsSlowly"

    @property
    def keep_firing_for(self) -> str:
        """How long it stays; the short window has let go by then."""
        return "1m" if self.level == "critical" else "15m"


BURNS: Final = (
    Burn("1h", "5m", 0.02, "critical"),
    Burn("6h", "30m", 0.05, "critical"),
    Burn("1d", "2h", 0.10, "warning"),
    Burn("3d", "6h", 0.10, "warning"),
)


def recordings() -> Group:
    """The counters of all SLOs as one whoever shows them, and by window their error ratios and numbers of events.

    The greatest of an instance's counters is the newest look at them, so the greatest of both are of one look. Taken before any
    rate, or an instance that has just begun would take its first minutes for the whole window. For READ_LATE no look is
    forgotten, or the counters would seem to begin anew when the instance that looked last goes.
    """
    events, good = (f"tidegauge_slo_{which}_total" for which in ("events", "good_events"))
    rules = [Recording(f"tenant_slo:{name}:max", _newest(name)) for name in (events, good)]
    events, good = (rule.record for rule in rules)
    rules.append(Recording(_AGE, f"time() - {_newest('tidegauge_slo_events_created')}"))
    for window in WINDOWS:
        share = f"{grown(good, _AGE, window)}\n/ ({grown(events, _AGE, window)} > 0)"
        rules.append(Recording(f"{_ERRORS}{window}", f"clamp_min(1 - {share}, 0)"))
    long = dict.fromkeys(burn.long for burn in BURNS)
    rules += [Recording(f"{_EVENTS}{window}", grown(events, _AGE, window)) for window in long]
    return Group("tidegauge-slo", tuple(rules))


def burn_alerts(tenant: str, slo: Slo, links: Links) -> list[Alerting]:
    """The four alerts of an SLO."""
    return [_alert(tenant, slo, burn, links) for burn in BURNS]


def burn_rate(slo: Slo, burn: Burn) -> float:
    """How many times faster than evenly the budget is used up when the alert fires."""
    return burn.share * SLO_HOURS[slo.window] / WINDOWS[burn.long]


def threshold(slo: Slo, burn: Burn) -> float:
    """The error ratio above which the alert fires."""
    return min(round(burn_rate(slo, burn) * (1 - slo.objective), 12), GREATEST_RATIO)


def least_events(slo: Slo) -> int:
    """Events of the long window below which nobody is told."""
    return slo.min_events or _LEAST_TIME.get(slo.kind, LEAST_EVENTS)


def above_text(slo: Slo, burn: Burn) -> str:
    """The threshold for people."""
    return f"{threshold(slo, burn) * 100:.4g}%"


def _used(slo: Slo, burn: Burn) -> float:
    """The share of the error budget that an error ratio at the threshold uses up in the long window."""
    return threshold(slo, burn) / (1 - slo.objective) * WINDOWS[burn.long] / SLO_HOURS[slo.window]


def _newest(name: str) -> str:
    return f"max by (tenant, slo) (max_over_time({name}[{READ_LATE}]))"


def _alert(tenant: str, slo: Slo, burn: Burn, links: Links) -> Alerting:
    of = f"{{tenant={quoted(tenant)},slo={quoted(slo.name)}}}"
    above, least = number(threshold(slo, burn)), least_events(slo)
    lines = [
        f"{_ERRORS}{burn.long}{of} > {above}",
        f"and {_ERRORS}{burn.short}{of} > {above}",
        f"and {_EVENTS}{burn.long}{of} >= {least}",
    ]
    labels = {
        "tenant": tenant,
        "severity": burn.level,
        "scope": "slo",
        "kpi": KPI_OF[slo.kind],
        "slo": literal(slo.name),
        "burn_window": burn.long,
    }
    summary = f"{tenant}: the error budget of {literal(slo.name)} burns {'fast' if burn.level == 'critical' else 'slowly'}"
    description = (
        f"{{{{ $value | humanizePercentage }}}} of the last {burn.long} was not good; the limit is {above_text(slo, burn)}. "
        f"Should it go on like this, {_used(slo, burn):.0%} of the error budget go in {burn.long}. "
        f"Objective of {literal(slo.name)}: {slo.objective * 100:.10g}% over {slo.window}."
    )
    made = annotated(burn.alert, summary, description, links, tenant=tenant, dashboard=_DASHBOARDS.get(slo.kind, "service-level"))
    return Alerting(burn.alert, "\n".join(lines), labels, made, keep_firing_for=burn.keep_firing_for)
