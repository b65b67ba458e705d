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
from service.catalog.relations_seconds import counted_seconds, group_columns, parts_of, same, split_columns, written
from service.catalog.relations_sources import fresh_minutes

_OF_PROBES: Final = ("component", "monitor", "region")
_OWN_ACCOUNTS: Final = "(w.accounts is null or account = any(w.accounts) or account = '')"


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

    @property
    def marks(self) -> tuple[str, ...]:
        """Whether all monitors of a component are read, so that a quorum can agree; whether components are named."""
        return ("is_whole", "is_chosen")


def _of_slos(asked: Asked) -> _OfSlos:
    return _OfSlos(
        by=tuple(name for name in asked.by if name != "slo"),
        filtered=tuple(sorted({*asked.filtered, *_OF_PROBES} - {"slo"})),
        whole=asked,
    )


def slo_time(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`slo_time(tenant, win, slo, span, dims, good, total)`: over the windows."""
    return _counted(Asked.of(by, filtered), "slos")


def budget_time(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """The same over each SLO's own window and the last 24 hours."""
    return _counted(Asked.of(by, filtered), "budget_slos")


def _counted(asked: Asked, slos: str) -> str:
    parts = [f"(\n{_seconds(asked, slos)}\n)"]
    if not asked.by_accounts:
        parts.append(f"(\n{_minutes(asked, slos)}\n)")
    return "\nunion all\n".join(parts)


def _windows(slos: str, kind: str) -> str:
    return (
        "select tenant, row_number() over ()::int as win, win as of_win, span, slo, start_at, end_at, until_at, components,"
        " monitors, regions, accounts, sources, monitors is null and regions is null as is_whole,"
        f" components is not null as is_chosen\n  from {slos} where kind = '{kind}' and until_at > start_at"
    )


def _seconds(asked: Asked, slos: str) -> str:
    """Seconds up, and up or down, as `availability` counts them for the components that an SLO chooses."""
    own = _of_slos(asked)
    groups, columns = group_columns(own), split_columns(own)
    parts = {"wins": _windows(slos, "availability"), **_groups(asked), **parts_of(own)}
    shown = {name: f"t.{column}" for name, column in columns.items()} | {"slo": "w.slo"}
    counted = f"select {', '.join(groups)}, {counted_seconds()} from together t group by {', '.join(groups)}"
    return (
        f"{written(parts)}\n"
        f"select w.tenant, w.of_win as win, w.slo, w.span, {asked.dims(shown)} as dims, t.up as good, t.up + t.down as total\n"
        f"from (\n{counted}\n) t join wins w on {same('w', 't', ['tenant', 'win'])}"
    )


def _groups(asked: Asked) -> dict[str, str]:
    """What is known of accounts at the end of each asked window, for the windows inside."""
    if not asked.groups:
        return {}
    values = ", ".join(f"g.{column_of(asked, name)}" for name in asked.groups)
    return {GROUPS: f"select w.tenant, w.win, {values} from {GROUPS} g join wins w on w.tenant = g.tenant and w.of_win = g.win"}


def _minutes(asked: Asked, slos: str) -> str:
    """Minutes fresh, and all, as `freshness` counts them for the sources that an SLO chooses."""
    only = "f.key = any(coalesce(w.sources, array(select jsonb_object_keys(d.config -> 'freshness'))))"
    return (
        f"with wins as (\n  {_windows(slos, 'freshness')}\n), fresh as (\n  {fresh_minutes(Asked((), ()), only)}\n)\n"
        f"select w.tenant, w.of_win as win, w.slo, w.span, {asked.dims({'slo': 'w.slo'})} as dims, f.fresh as good,\n"
        "  f.minutes as total\nfrom wins w join fresh f on f.tenant = w.tenant and f.win = w.win"
    )


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {"slo_time": slo_time, "budget_time": budget_time}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "slo_time": ("wins", "declared", "slos"),
    "budget_time": ("wins", "declared", "budget_slos"),
}
