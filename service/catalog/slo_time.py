"""What SLOs that are about time come to over a stretch of it: how far their counters grow."""

from collections.abc import Mapping, Sequence
from typing import Final

from service.catalog.declared import Declared
from service.catalog.kpi import Head, Kpi
from service.catalog.question import Question
from service.catalog.runner import run
from service.catalog.windows import Window
from service.domain.slo import Tally
from service.store.engine import Connection

OF_TIME: Final = frozenset({"availability", "freshness"})
"""Kinds of SLOs that count seconds or minutes."""
_TALLIES: Final = Kpi(
    Head(
        id="slo_time",
        title="SLOs about time",
        definition="seconds up ÷ up and down, minutes fresh ÷ minutes",
        family="Service level",
        unit="ratio",
        kind="ratio",
        better="higher",
        dimensions=("slo",),
    ),
    "select tenant, win, dims, '' as statistic, sum(good) as numerator, sum(total) as denominator from slo_time group by 1, 2, 3",
    file=__file__,
)
"""No KPI of the catalog: `slo` shows the same beside those of events."""


async def tallies(
    connection: Connection, windows: Sequence[Window], declared: Mapping[int, Declared]
) -> dict[tuple[object, str], Tally]:
    """Good and all seconds (minutes) of every SLO about time, by the window's key and the SLO's name."""
    values = await run(connection, _TALLIES, windows, Question(by=("slo",)), declared=declared)
    return {(each.window, each.dims["slo"]): Tally(int(each.numerator or 0), int(each.denominator or 0)) for each in values}
