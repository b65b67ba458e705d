"""Infrastructure: what any meter measured, by name and over time."""

from grafana_foundation_sdk.models.dashboard import Panel

from service.catalog import Catalog
from service.dashboards import kpis, links, views
from service.dashboards.page import Page, Row
from service.dashboards.panels import FULL, HALF, Said, lines
from service.dashboards.sources import sql, sql_series
from service.dashboards.tables import Column, table_of
from service.dashboards.units import COUNT, NAMED
from service.dashboards.variables import Choice

WINDOWS = ("24h", "1h", "7d")
_OWN_UNIT = "Values are in the unit that the measurements name; nothing is added across units or currencies."


def page(catalog: Catalog) -> Page:
    """The dashboard of everything that is measured beside requests and probes."""
    meter = catalog.kpis["meter"]
    return Page(
        uid=links.INFRASTRUCTURE,
        title="Infrastructure",
        description="Meters: web vitals, load times, CPU, memory, storage, costs, cycle times; whatever is measured.",
        choice=Choice(WINDOWS),
        since="now-7d",
        rows=[
            Row("Now", [_meters()]),
            Row(
                "Rolling windows, as they moved",
                [kpis.live(meter, statistic, by="meter") for statistic in ("mean", "p95", "newest")],
            ),
            Row("Over time", [_over_time("mean"), _over_time("max")]),
        ],
    )


def _meters() -> Panel:
    said = Said(
        title="Meters",
        description=f"Every meter in the window that is chosen: how many values, their mean, percentiles, least and "
        f"greatest, the newest, "
        f"and its change over the window. {_OWN_UNIT}",
        unit=NAMED,
        width=FULL,
        height=12,
    )
    numbers = ("mean", "p50", "p95", "p99", "min", "max", "newest", "change")
    return table_of(said, sql(views.METERS), [Column("values", COUNT), *(Column(name, "short") for name in numbers)])


def _over_time(statistic: str) -> Panel:
    said = Said(
        title=f"Meters by quarters of an hour: {statistic}",
        description=f"The {statistic} of what each meter measured in a quarter of an hour. {_OWN_UNIT}",
        unit="short",
        width=HALF,
        height=10,
    )
    return lines(said, sql_series(views.METERS_OVER_TIME[statistic]))
