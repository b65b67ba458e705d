"""Panels of the processes' own metrics, described by what a metric says of itself."""

from collections.abc import Sequence

from grafana_foundation_sdk.models.dashboard import Panel, Threshold

from service.dashboards.panels import SIXTH, THIRD, Said, figure, lines
from service.dashboards.sources import promql
from service.dashboards.thresholds import steps_of
from service.dashboards.units import COUNT, SECONDS
from service.telemetry import Telemetry

CHOSEN = '{instance=~"$instance"}'
_EVENTS_A_SECOND = "suffix: events/s"


class Graphs:
    """Makes the panels, with what the process says of each metric."""

    def __init__(self) -> None:
        self._said = {family.name: family.documentation for family in Telemetry("dashboards").registry.collect()}

    def line(self, metric: str, title: str, unit: str, *expressions: tuple[str, str], stacked: bool = False) -> Panel:
        """Expressions over time."""
        return lines(self._of(metric, title, unit, THIRD, 8), promql(*expressions), stacked=stacked)

    def figure(self, metric: str, title: str, unit: str, expression: str, steps: Sequence[Threshold]) -> Panel:
        """The newest of one expression."""
        return figure(self._of(metric, title, unit, SIXTH, 4, steps), promql((expression, title)))

    def rate(self, metric: str, title: str, label: str, unit: str = _EVENTS_A_SECOND) -> Panel:
        """How many a second of a counter, by a label."""
        expression = f"sum by ({label}) (rate({metric}_total{CHOSEN}[$__rate_interval]))"
        return self.line(metric, title, unit, (expression, f"{{{{{label}}}}}"), stacked=True)

    def quantiles(self, metric: str, title: str, unit: str = SECONDS, by: str = "") -> Panel:
        """Median and 95th percentile of a histogram, over all instances."""
        labels, legend = (f"le, {by}", f" {{{{{by}}}}}") if by else ("le", "")
        buckets = f"sum by ({labels}) (rate({metric}_bucket{CHOSEN}[$__rate_interval]))"
        return self.line(
            metric, title, unit, *((f"histogram_quantile({q}, {buckets})", f"p{round(q * 100)}{legend}") for q in (0.5, 0.95))
        )

    def failures(self, metric: str, title: str, label: str) -> Panel:
        """What failed in an hour; a counter that nothing has raised yet is not there, and means 0."""
        expression = f"sum by ({label}) (increase({metric}_total{CHOSEN}[1h])) or on () vector(0)"
        return self.line(metric, title, COUNT, (expression, f"{{{{{label}}}}}"), stacked=True)

    def _of(self, metric: str, title: str, unit: str, width: int, height: int, steps: Sequence[Threshold] = ()) -> Said:
        said = f"{self._said[metric]}. Metric `{metric}`."
        return Said(title, said, unit, width, height, steps or steps_of(None))
