"""Kinds of panels, each with a title, a description, a unit and its queries: nothing is shown that says not what it is."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from grafana_foundation_sdk.builders import bargauge, stat, timeseries, xychart
from grafana_foundation_sdk.builders.common import (
    LineStyle,
    ReduceDataOptions,
    StackingConfig,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import xychart as xy
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardFieldConfigSourceOverrides,
    DashboardLink,
    DynamicConfigValue,
    FieldConfigSource,
    GridPos,
    MatcherConfig,
    Panel,
    Threshold,
)

from service.dashboards import thresholds
from service.dashboards.sources import Sql, postgres, prometheus

FULL, HALF, THIRD, QUARTER, SIXTH = 24, 12, 8, 6, 4


@dataclass(frozen=True, slots=True)
class Said:
    """What a panel tells of itself, and how much room it takes on a grid of 24 columns."""

    title: str
    description: str
    unit: str
    width: int = HALF
    height: int = 8
    steps: Sequence[Threshold] = field(default_factory=lambda: thresholds.steps_of(None))
    links: Sequence[DashboardLink] = ()
    decimals: int | None = None

    def sized(self, width: int, height: int) -> "Said":
        """The same in other room."""
        return replace(self, width=width, height=height)

    def measured_in(self, unit: str, factor: float) -> "Said":
        """The same of values that were multiplied."""
        steps = [Threshold(value=None if step.value is None else step.value * factor, color=step.color) for step in self.steps]
        return replace(self, unit=unit, steps=steps)


def figure(said: Said, queries: Sequence[Dataquery], *, names: bool = False) -> Panel:
    """One number or a few, the newest of each, coloured by steps; `names` shows what each is called."""
    mode = BigValueTextMode.VALUE_AND_NAME if names else BigValueTextMode.VALUE
    made = stat.Panel().graph_mode(BigValueGraphMode.NONE).color_mode(BigValueColorMode.VALUE).text_mode(mode)
    return _dressed(made.reduce_options(_newest()), said, queries)


def figures_by_row(said: Said, queries: Sequence[Dataquery]) -> Panel:
    """A number a row of a table, named by its text."""
    reduced = ReduceDataOptions().values(True).calcs(["lastNotNull"]).fields("")  # noqa: FBT003  # the SDK's own form
    made = stat.Panel().graph_mode(BigValueGraphMode.NONE).color_mode(BigValueColorMode.VALUE)
    return _dressed(made.text_mode(BigValueTextMode.VALUE_AND_NAME).reduce_options(reduced), said, queries)


def lines(said: Said, queries: Sequence[Dataquery], *, stacked: bool = False, bars: bool = False) -> Panel:
    """Values over time; `target` and `limit`, where the query gives them, are dashed lines."""
    made = timeseries.Panel().draw_style(GraphDrawStyle.BARS if bars else GraphDrawStyle.LINE).line_width(1 if bars else 2)
    made.fill_opacity(60 if bars else 20 if stacked else 0).show_points(VisibilityMode.AUTO)
    # A closed day has one point: what is missing between two is said by a gap, not by a line across it.
    made.span_nulls(False)  # noqa: FBT003  # the SDK's own form
    if stacked:
        made.stacking(StackingConfig().mode(StackingMode.NORMAL).group("A"))
    legend = VizLegendOptions().display_mode(LegendDisplayMode.TABLE).placement(LegendPlacement.BOTTOM)
    made.legend(legend.show_legend(True).calcs(["lastNotNull", "min", "max"]))  # noqa: FBT003  # the SDK's own form
    made.tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    panel = _dressed(made, said, queries)
    _config(panel).overrides += [_dashed("target", thresholds.GREEN), _dashed("limit", thresholds.RED)]
    return panel


def bars(said: Said, queries: Sequence[Dataquery]) -> Panel:
    """A horizontal bar a row, named by its text and coloured by steps."""
    reduced = ReduceDataOptions().values(True).calcs([]).fields("")  # noqa: FBT003  # the SDK's own form
    made = bargauge.Panel().orientation(VizOrientation.HORIZONTAL).reduce_options(reduced)
    return _dressed(made, said, queries)


def scatter(said: Said, queries: Sequence[Dataquery], *, x: str, y: str, size: str) -> Panel:
    """A point a row: one column across another, as large as a third."""
    series = xy.XYSeriesConfig(
        x=xy.XychartXYSeriesConfigX(matcher=xy.MatcherConfig(id_val="byName", options=x)),
        y=xy.XychartXYSeriesConfigY(matcher=xy.MatcherConfig(id_val="byName", options=y)),
        size=xy.XychartXYSeriesConfigSize(matcher=xy.MatcherConfig(id_val="byName", options=size)),
    )
    made = xychart.Panel().mapping(xy.SeriesMapping.MANUAL).series([_Made(series)])
    made.legend(VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM).calcs([]))
    return _dressed(made.tooltip(VizTooltipOptions().mode(TooltipDisplayMode.SINGLE)), said, queries)


@dataclass(frozen=True, slots=True)
class _Made(Builder[xy.XYSeriesConfig]):
    """What is built already, where the SDK asks for a builder."""

    made: xy.XYSeriesConfig

    def build(self) -> xy.XYSeriesConfig:
        return self.made


def _newest() -> ReduceDataOptions:
    return ReduceDataOptions().values(False).calcs(["lastNotNull"]).fields("")  # noqa: FBT003  # the SDK's own form


def _dressed(builder: Builder[Panel], said: Said, queries: Sequence[Dataquery]) -> Panel:
    panel = builder.build()
    panel.title, panel.description = said.title, said.description
    panel.targets = list(queries)
    panel.datasource = postgres() if isinstance(queries[0], Sql) else prometheus()
    panel.grid_pos = GridPos(w=said.width, h=said.height)
    panel.links = list(said.links) or None
    defaults = _config(panel).defaults
    defaults.unit, defaults.decimals, defaults.no_value = said.unit, said.decimals, "no value"
    defaults.thresholds = thresholds.config(said.steps)
    if panel.type_val in {"stat", "bargauge"}:
        defaults.color = thresholds.by_thresholds()
    return panel


def dressed(builder: Builder[Panel], said: Said, queries: Sequence[Dataquery]) -> Panel:
    """A panel of another kind, given what every panel has."""
    return _dressed(builder, said, queries)


def override(name: str, **properties: object) -> DashboardFieldConfigSourceOverrides:
    """Settings of one column; a name with `__` stands for Grafana's with a dot."""
    return DashboardFieldConfigSourceOverrides(
        matcher=MatcherConfig(id_val="byName", options=name),
        properties=[DynamicConfigValue(id_val=key.replace("__", "."), value=value) for key, value in properties.items()],
    )


def _dashed(name: str, color: str) -> DashboardFieldConfigSourceOverrides:
    style = LineStyle().fill("dash").dash([8, 6]).build()
    return override(
        name, color={"mode": "fixed", "fixedColor": color}, custom__lineStyle=style, custom__lineWidth=1, custom__drawStyle="line"
    )


def _config(panel: Panel) -> FieldConfigSource:
    if panel.field_config is None:
        panel.field_config = FieldConfigSource()
    return panel.field_config
