"""The relations of SLOs that are about time: seconds of components, minutes of sources, for each SLO by what it chooses.

They are made of the relations of `availability` and `freshness`: each SLO and window is a window of its own there (`wins`, which
stands in the place of the asked ones inside), and beside it stands what the SLO chooses.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from service.catalog.accounts import GROUPS, column_of
from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.catalog.relations_seconds import considered, group_columns, mask, parts_of, same, split_columns, stated
from service.catalog.relations_sources import fresh_minutes

_OF_PROBES: Final = ("component", "monitor", "region")
_CHOICES: Final = "s.components, s.monitors, s.regions, s.accounts, s.sources"
_OWN_ACCOUNTS: Final = "(w.accounts is null or account = any(w.accounts) or account = '')"
_WHOLE: Final = "w.monitors is null and w.regions is null"
"""Whether all monitors of a component are read, so that a quorum of them can agree."""


@dataclass(frozen=True, slots=True)
class _OfSlos(Asked):
    """What is asked of accounts, and beside it what each SLO chooses of probes."""

    whole: Asked
    """The question: it numbers the parameters."""

    def values(self, dimension: str) -> str:
        """The values that a filter allows: of accounts the question's, else the SLO's, all where it names none."""
        return f"coalesce(w.{dimension}s, array[{dimension}])" if dimension in _OF_PROBES else self.whole.values(dimension)

    @property
    def more(self) -> tuple[str, ...]:
        """Conditions of each row of probes beside the filters."""
        return (_OWN_ACCOUNTS,)


def _of_slos(asked: Asked) -> _OfSlos:
    return _OfSlos(
        by=tuple(name for name in asked.by if name != "slo"),
        filtered=tuple(sorted({*asked.filtered, *_OF_PROBES} - {"slo"})),
        whole=asked,
    )


def slo_time(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`slo_time(tenant, win, slo, span, dims, good, total)`: over the windows."""
    return _counted(Asked.of(by, filtered), "select *, '' as span from wins", "true")


def budget_time(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """The same over each SLO's own window and the last 24 hours."""
    return _counted(Asked.of(by, filtered), "select *, until_at as end_at from budget_wins", "w.span in (s.over, '24h')")


def _counted(asked: Asked, windows: str, chosen: str) -> str:
    parts = [f"(\n{_seconds(asked, windows, chosen)}\n)"]
    if not asked.by_accounts:
        parts.append(f"(\n{_minutes(asked, windows, chosen)}\n)")
    return "\nunion all\n".join(parts)


def _windows(windows: str, kind: str, chosen: str) -> str:
    return (
        f"select w.tenant, row_number() over ()::int as win, w.win as of_win, w.span, s.slo, w.start_at, w.end_at, w.until_at,"
        f" {_CHOICES}\n  from ({windows}) w\n"
        f"  join slos s on s.tenant = w.tenant and s.win = w.win and s.kind = '{kind}' and {chosen}\n"
        "  where w.until_at > w.start_at"
    )


def _seconds(asked: Asked, windows: str, chosen: str) -> str:
    """Seconds up, and up or down, as `availability` counts them for the components that an SLO chooses."""
    own = _of_slos(asked)
    groups, columns = group_columns(own), split_columns(own)
    parts = {"wins": _windows(windows, "availability", chosen), **_groups(asked), **parts_of(own)}
    parts |= {"considered": _considered(own), "stated": stated(own, _WHOLE)}
    shown = {name: f"g.{column}" for name, column in columns.items()} | {"slo": "w.slo"}
    sums = ", ".join(f"coalesce(sum(bit_count(t.{name} & {mask('t', 'w')})), 0) as {name}" for name in ("up", "down"))
    return (
        "with "
        + ",\n".join(f"{name} as (\n  {body}\n)" for name, body in parts.items())
        + "\nselect tenant, win, slo, span, dims, up as good, up + down as total from (\n"
        f"  select w.tenant, w.of_win as win, w.slo, w.span, {asked.dims(shown)} as dims, {sums}\n"
        f"  from (select distinct {', '.join(groups)} from considered) g join wins w on w.tenant = g.tenant and w.win = g.win\n"
        f"  left join together t on {same('t', 'g', groups)}\n"
        "  group by w.tenant, w.win, w.of_win, w.slo, w.span, dims\n) u"
    )


def _considered(own: _OfSlos) -> str:
    """Those probed, and those declared that the SLO chooses; without a choice the critical ones."""
    return considered(own, is_whole=_WHOLE, components="w.components", is_chosen="w.components is not null")


def _groups(asked: Asked) -> dict[str, str]:
    """What is known of accounts at the end of each asked window, for the windows inside."""
    if not asked.groups:
        return {}
    values = ", ".join(f"g.{column_of(asked, name)}" for name in asked.groups)
    return {GROUPS: f"select w.tenant, w.win, {values} from {GROUPS} g join wins w on w.tenant = g.tenant and w.of_win = g.win"}


def _minutes(asked: Asked, windows: str, chosen: str) -> str:
    """Minutes fresh, and all, as `freshness` counts them for the sources that an SLO chooses."""
    only = "f.key = any(coalesce(w.sources, array[f.key]))"
    return (
        f"with wins as (\n  {_windows(windows, 'freshness', chosen)}\n), fresh as (\n  {fresh_minutes(Asked((), ()), only)}\n)\n"
        f"select w.tenant, w.of_win as win, w.slo, w.span, {asked.dims({'slo': 'w.slo'})} as dims, f.fresh as good,\n"
        "  f.minutes as total\nfrom wins w join fresh f on f.tenant = w.tenant and f.win = w.win"
    )


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {"slo_time": slo_time, "budget_time": budget_time}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "slo_time": ("wins", "declared", "slos"),
    "budget_time": ("budget_wins", "declared", "slos"),
}
