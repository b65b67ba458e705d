"""A page: rows of panels laid out on Grafana's grid, with the variables that they name, links and annotations."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    AnnotationContainer,
    Dashboard,
    DashboardCursorSync,
    DashboardDashboardTemplating,
    DashboardDashboardTime,
    GridPos,
    Panel,
    RowPanel,
)

from service.dashboards import links
from service.dashboards.annotations import incidents
from service.dashboards.sources import POSTGRES_UID
from service.dashboards.variables import NAMES, Choice, variable

COLUMNS = 24
TAG = "tidegauge"
_VARIABLE = re.compile(r"\$\{?([a-z][a-z_]*)")


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading; a folded one asks for nothing until it is opened."""

    title: str
    panels: Sequence[Panel]
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """One dashboard, before it is laid out."""

    uid: str
    title: str
    description: str
    rows: Sequence[Row]
    choice: Choice = field(default_factory=Choice)
    since: str = "now-28d"
    refresh: str = "1m"

    def dashboard(self) -> Dashboard:
        """What Grafana reads."""
        panels = _laid_out(self.rows)
        named = set(_VARIABLE.findall(text_of(panels)))
        of_tenant = POSTGRES_UID in text_of(panels)
        if of_tenant:
            # A role reads one tenant: its name tells a reader whose figures these are, and Prometheus which ones are meant.
            named.add("tenant")
        return Dashboard(
            uid=self.uid,
            title=self.title,
            description=self.description,
            tags=[TAG],
            editable=False,
            graph_tooltip=DashboardCursorSync.CROSSHAIR,
            time=DashboardDashboardTime(from_val=self.since, to="now"),
            refresh=self.refresh,
            panels=panels,
            templating=DashboardDashboardTemplating(list_val=[variable(name, self.choice) for name in _with_needed(named)]),
            annotations=AnnotationContainer(list_val=[incidents()] if of_tenant else []),
            links=[links.to_all(TAG)],
        )


def text_of(made: object) -> str:
    """As it is written to its file: the same text for the same panels."""
    return json.dumps(made, cls=JSONEncoder, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _with_needed(named: set[str]) -> list[str]:
    """The variables that are named, and those that their own queries name, in the order in which they are shown."""
    needed = set(named)
    for name in reversed(NAMES):
        if name in needed:
            needed |= set(_VARIABLE.findall(text_of(variable(name, Choice()))))
    return [name for name in NAMES if name in needed]


def _laid_out(rows: Sequence[Row]) -> list[Panel | RowPanel]:
    """Every panel at its place: rows below each other, lines filled from the left."""
    made: list[Panel | RowPanel] = []
    ids = iter(range(1, 10_000))
    y = 0
    for row in rows:
        head = RowPanel(title=row.title, collapsed=row.folded, id_val=next(ids), grid_pos=GridPos(x=0, y=y, w=COLUMNS, h=1))
        made.append(head)
        y += 1
        placed = list(_placed(row.panels, y, ids))
        bottom = max((_place(panel).y + _place(panel).h for panel in placed), default=y)
        if row.folded:
            # A folded row takes one line; what is in it is placed below it, and moves the others down when it is opened.
            head.panels = placed
        else:
            made += placed
            y = bottom
    return made


def _placed(panels: Sequence[Panel], y: int, ids: Iterator[int]) -> Iterator[Panel]:
    x, height = 0, 0
    for panel in panels:
        place = _place(panel)
        if x + place.w > COLUMNS:
            x, y, height = 0, y + height, 0
        panel.id_val = next(ids)
        place.x, place.y = x, y
        x, height = x + place.w, max(height, place.h)
        yield panel


def _place(panel: Panel) -> GridPos:
    return cast(GridPos, panel.grid_pos)
