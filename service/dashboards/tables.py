"""Tables: columns with units, colours and links of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import TableCellBackgroundDisplayMode, TableColoredBackgroundCellOptions
from grafana_foundation_sdk.models.dashboard import DashboardFieldConfigSourceOverrides, Panel, Threshold

from service.dashboards import thresholds
from service.dashboards.panels import Said, dressed, override
from service.dashboards.units import COUNT, NAMED, SHARE

Look = Literal["plain", "status", "heat", "judged"]
"""plain; status: a word with its colour; heat: the darker the more; judged: coloured by steps."""


@dataclass(frozen=True, slots=True)
class Column:
    """How one column of an answer looks."""

    name: str
    unit: str = ""
    look: Look = "plain"
    steps: Sequence[Threshold] = ()
    link: str = ""
    """The address that a cell leads to."""
    title: str = ""
    """What its head says; "": its name."""
    width: int = 0


def table_of(said: Said, queries: Sequence[Dataquery], columns: Sequence[Column] = ()) -> Panel:
    """Rows as they come, each column as it is said to look; what is not named is plain."""
    panel = dressed(table.Panel().filterable(True), said, queries)  # noqa: FBT003  # the SDK's own form
    if panel.field_config is not None:
        panel.field_config.overrides = [_looks(column) for column in columns]
    return panel


def heat_table(said: Said, queries: Sequence[Dataquery], *, names: Sequence[str], sums: Sequence[str] = ()) -> Panel:
    """A table whose every cell is a value of the panel's unit, the darker the more.

    `names` are columns of words and `sums` counts beside the cells: neither is coloured.
    """
    panel = dressed(table.Panel().cell_options(_background()), said, queries)
    if panel.field_config is not None:
        panel.field_config.defaults.color = thresholds.darker()
        if said.unit == SHARE:
            # Else the darkest is the largest number of the table, which may be a sum.
            panel.field_config.defaults.min_val, panel.field_config.defaults.max_val = 0, 1
        panel.field_config.overrides = [
            override(name, custom__cellOptions={"type": "auto"}, unit=unit)
            for columns, unit in ((names, NAMED), (sums, COUNT))
            for name in columns
        ]
    return panel


def _looks(column: Column) -> DashboardFieldConfigSourceOverrides:
    said: dict[str, object] = {}
    if column.unit:
        said["unit"] = column.unit
    if column.title:
        said["displayName"] = column.title
    if column.width:
        said["custom__width"] = column.width
    if column.link:
        said["links"] = [{"title": f"Open {column.title or column.name}", "url": column.link}]
    match column.look:
        case "plain":
            pass
        case "status":
            said |= {"mappings": thresholds.statuses(), "custom__cellOptions": _background()}
        case "heat":
            said |= {"color": thresholds.darker(), "custom__cellOptions": _background()}
        case "judged":
            said |= {
                "thresholds": thresholds.config(column.steps),
                "color": thresholds.by_thresholds(),
                "custom__cellOptions": _background(),
            }
        case _:
            assert_never(column.look)
    return override(column.name, **said)


def _background() -> TableColoredBackgroundCellOptions:
    return TableColoredBackgroundCellOptions(mode=TableCellBackgroundDisplayMode.BASIC)
