"""Panels of KPIs, made from the heads of the catalog: title, definition, unit and suggested target are said once, there."""

from collections.abc import Collection, Iterator, Sequence

from grafana_foundation_sdk.models.dashboard import Panel

from service.catalog import Catalog, Kpi
from service.dashboards import links, statements
from service.dashboards.page import Row
from service.dashboards.panels import QUARTER, SIXTH, THIRD, Said, bars, figure, figures_by_row, lines
from service.dashboards.sources import promql, sql, sql_series
from service.dashboards.thresholds import steps_of
from service.dashboards.units import unit_of
from service.dashboards.variables import GRAINS
from service.expose.live import dimension_labels, metric_name

CHOSEN = "$window"


def said_of(kpi: Kpi, statistic: str, *, of: str = "", width: int = THIRD, height: int = 8) -> Said:
    """What a panel tells of a statistic; `of` says of which window or split it is."""
    shape = kpi.statistics[statistic]
    money = " Money is in minor units of its currency." if "currency" in kpi.head.apart else ""
    definition = f"{kpi.head.definition[:1].upper()}{kpi.head.definition[1:]}."
    return Said(
        title=f"{shape.title} · {of}" if of else shape.title,
        description=f"{definition}{money} KPI `{kpi.id}`{f', statistic `{statistic}`' if statistic else ''}.",
        unit=unit_of(shape.unit),
        width=width,
        height=height,
        steps=steps_of(kpi.usual(statistic)),
        links=[links.to(links.KPI, "More of this KPI", kpi=kpi.id)],
    )


def now(kpi: Kpi, windows: Sequence[str], statistic: str | None = None, *, width: int = SIXTH) -> Panel:
    """The newest value, of the window that is chosen where the KPI is kept for all that can be, else of its own one."""
    wanted = _statistic(kpi, statistic)
    window, of = _window(kpi, windows)
    said = said_of(kpi, wanted, of=of, width=width, height=4)
    if kpi.head.apart:
        return figures_by_row(said, sql(statements.newest_apart(kpi.id, wanted, window, kpi.head.apart)))
    return figure(said, sql(statements.newest(kpi.id, wanted, window)))


def history(kpi: Kpi, statistic: str | None = None, *, width: int = THIRD) -> Panel:
    """Values of closed windows, with the target and the limit that they were judged by."""
    wanted = _statistic(kpi, statistic)
    grain, of = _grain(kpi)
    said = said_of(kpi, wanted, of=of, width=width)
    if kpi.head.apart:
        return lines(said, sql_series(statements.history_apart(kpi.id, wanted, grain, kpi.head.apart)))
    return lines(said, sql_series(statements.history(kpi.id, wanted, grain)))


def newest(catalog: Catalog, windows: Sequence[str], *names: str) -> list[Panel]:
    """A figure each: the newest value of a KPI named `id` or `id.statistic`."""
    return [now(kpi, windows, statistic) for kpi, statistic in _named(catalog, names)]


def closed(catalog: Catalog, *names: str) -> list[Panel]:
    """A graph each: the closed windows of a KPI named `id` or `id.statistic`."""
    return [history(kpi, statistic) for kpi, statistic in _named(catalog, names)]


def history_by(kpi: Kpi, dimensions: Sequence[str], statistic: str | None = None, *, width: int = THIRD) -> Panel:
    """Values of closed windows, a line a value of a dimension or of several."""
    wanted = _statistic(kpi, statistic)
    grain, of = _grain(kpi)
    said = said_of(kpi, wanted, of=" ".join(filter(None, (f"by {' and '.join(dimensions)}", of))), width=width)
    return lines(said, sql_series(statements.history_by(kpi.id, wanted, grain, dimensions, kpi.head.apart)))


def split(kpi: Kpi, windows: Sequence[str], dimension: str, statistic: str | None = None, *, width: int = QUARTER) -> Panel:
    """The newest values, a bar a value of a dimension."""
    wanted = _statistic(kpi, statistic)
    window, of = _window(kpi, windows)
    said = said_of(kpi, wanted, of=" ".join(filter(None, (f"by {dimension}", of))), width=width)
    return bars(said, sql(statements.newest_by(kpi.id, wanted, window, dimension, kpi.head.apart)))


def live(kpi: Kpi, statistic: str | None = None, *, by: str = "", window: str = CHOSEN, width: int = THIRD) -> Panel:
    """The rolling window as Prometheus has seen it move, with its target and limit; a line a value of a dimension."""
    wanted = _statistic(kpi, statistic)
    chosen = f"by {by}" if by else ""
    of = " ".join(filter(None, (chosen, "" if window == CHOSEN else window)))
    name, factor = metric_name(kpi, wanted)
    said = said_of(kpi, wanted, of=of, width=width)
    unit = {"ms": "s", "days": "s"}.get(kpi.statistics[wanted].unit)
    if unit and factor != 1.0:
        said = said.measured_in(unit, factor)
    selector = _selector(kpi, wanted, window, by)
    if by:
        # What is never added up is no line together either: the greatest of ms and of bytes says nothing.
        labels = [_label(each) for each in (by, *kpi.head.apart)]
        legend = " ".join(f"{{{{{label}}}}}" for label in labels)
        return lines(said, promql((f"max by ({', '.join(labels)}) ({name}{{{selector}}})", legend)))
    judged = f'{{kpi="{kpi.id}",{selector}}}'
    return lines(
        said,
        promql(
            (f"max by (tenant) ({name}{{{selector}}})", said.title),
            (f"max by (tenant) (tidegauge_kpi_target{judged})", "target"),
        ),
    )


def chapter(catalog: Catalog, title: str, families: Collection[str]) -> Row:
    """A folded row with the history of every KPI of some chapters of the catalog."""
    ours = [kpi for kpi in catalog.kpis.values() if kpi.head.family in families]
    made = []
    for kpi in ours:
        by = kpi.head.live.by if kpi.head.live else ()
        if () in by:
            made.append(history(kpi))
        elif by:
            # Nothing is added up across these: the first split stands for the whole.
            made.append(history_by(kpi, by[0]))
    return Row(title, made, folded=True)


def _named(catalog: Catalog, names: Sequence[str]) -> Iterator[tuple[Kpi, str | None]]:
    for name in names:
        kpi, _, statistic = name.partition(".")
        yield catalog.kpis[kpi], statistic or None


def _statistic(kpi: Kpi, statistic: str | None) -> str:
    return kpi.head.default_statistic if statistic is None else statistic


def _window(kpi: Kpi, windows: Sequence[str]) -> tuple[str, str]:
    """The window as a statement names it, and what the title says of it."""
    kept = kpi.head.live.windows if kpi.head.live else ()
    if set(windows) <= set(kept):
        return statements.WINDOW, ""
    own = kpi.head.default_window if kpi.head.default_window in kept else kept[0]
    return statements.quoted(own), own


def _grain(kpi: Kpi) -> tuple[str, str]:
    """Likewise of closed windows."""
    taken = [grain for grain in GRAINS if kpi.takes(grain)]
    return (statements.GRAIN, "") if len(taken) == len(GRAINS) else (statements.quoted(taken[0]), f"by {taken[0]}")


def _selector(kpi: Kpi, statistic: str, window: str, by: str) -> str:
    """Labels of one split: those of the others are not there."""
    others = {name for split_by in (kpi.head.live.by if kpi.head.live else ()) for name in split_by} - {by}
    said = ['tenant="$tenant"', f'window="{window}"', f'stat="{statistic}"']
    return ",".join([*said, *(f'{_label(name)}=""' for name in sorted(others)), *([f'{_label(by)}!=""'] if by else [])])


def _label(dimension: str) -> str:
    [label] = dimension_labels((dimension,))
    return label
