"""Reading a report's figures: selectors and splits of one tenant, for its window and others, from one snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise

from service.catalog import Catalog, Kpi, Question, Value, Window
from service.catalog.choices import choices_of, question_of
from service.catalog.together import Desk
from service.domain.localtime import EPOCH, day_of, start_of_day_us
from service.domain.selector import Selector, parse_selector
from service.domain.targets import Judgement, judge
from service.errors import NotFound
from service.expose.answers import unit_of
from service.expose.ground import Ground
from service.reports.numbers import readable
from service.store.snapshots import Snapshot


@dataclass(frozen=True, slots=True)
class Named:
    """One statistic of one KPI, and the part of it that is meant."""

    kpi: Kpi
    statistic: str
    selector: Selector

    @property
    def title(self) -> str:
        """What people call it."""
        return self.kpi.statistics[self.statistic].title

    def text(self, value: Value) -> str:
        """A value of it as people read it."""
        return readable(value.value, unit_of(self.kpi, value))


@dataclass(frozen=True, slots=True)
class Reader:
    """The figures of one tenant as of one snapshot; of one account where `account` names it."""

    snapshot: Snapshot
    desk: Desk
    catalog: Catalog
    ground: Ground
    window: Window
    account: str = ""

    def named(self, text: str) -> Named:
        """What a selector names; raises NotFound."""
        selector = parse_selector(text)
        kpi = self.catalog.kpis.get(selector.kpi)
        if kpi is None:
            raise NotFound(f"the report names {selector.kpi}, which is no KPI of this version")
        return Named(kpi, selector.statistic or kpi.head.default_statistic, selector)

    async def values(self, named: Named, windows: Sequence[Window]) -> list[Value]:
        """One value a window."""
        found = await self._run(named, windows, ())
        # Where units are kept apart and there are several, the row of the whole says that they are not added up.
        plain = [[value for value in found if value.window == place] for place in range(len(windows))]
        return [next((value for value in each if not value.dims), each[0]) for each in plain]

    async def rows(self, named: Named, by: str, windows: Sequence[Window]) -> dict[str, dict[int, Value]]:
        """Values by those of a dimension (and the unit, where there are several) and the place of the window."""
        rows: dict[str, dict[int, Value]] = {}
        for value in await self._run(named, windows, (by,)):
            if by not in value.dims:  # says that the window is finer than what is kept
                continue
            apart = " ".join(value.dims[each] for each in named.kpi.head.apart if value.dims.get(each))
            name = value.dims[by]
            at = rows.setdefault(name, {})
            place = value.window if isinstance(value.window, int) else 0
            if place in at and apart:
                at = rows.setdefault(f"{name} ({apart})", {})
            at[place] = value
        return rows

    async def split(self, named: Named, by: tuple[str, ...], statistics: tuple[str, ...]) -> list[Value]:
        """Values of some statistics, of the report's window by several dimensions; those that lack one are left out."""
        found = await self._run(named, [self.window], by, statistics)
        return [value for value in found if set(by) <= value.dims.keys()]

    def judgement(self, named: Named, value: Value, *, window: Window | None = None) -> Judgement:
        """How a value of the report's window, or of another one, stands to what was declared for that."""
        kpi, window = named.kpi, window or self.window
        return judge(
            self.ground.config(window),
            kpi=kpi.id,
            statistic=value.statistic or None,
            dims={**self._question(named).filters, **value.dims},
            window=window.name or None,
            value=value.value,
            adds_up=kpi.statistics[value.statistic].kind == "count",
            apart=kpi.head.apart,
            choices=choices_of(kpi, self._question(named)),
        )

    def has_target(self, named: Named) -> bool:
        """Whether a target is declared of it, or of any part of it."""
        kpi, statistic = named.kpi, named.statistic
        return bool(self.ground.config(self.window).targets_by_kpi.get((kpi.id, statistic or None)))

    def _question(self, named: Named, statistics: tuple[str, ...] = ()) -> Question:
        """What is asked of the whole."""
        of_account = {"account": (self.account,)} if self.account and named.kpi.splits_by("account") else {}
        return question_of(named.kpi, {**named.selector.where, **of_account}, statistics or (named.statistic,), spread=True)

    async def _run(
        self, named: Named, windows: Sequence[Window], by: tuple[str, ...], statistics: tuple[str, ...] = ()
    ) -> list[Value]:
        keyed = [replace(window, key=place) for place, window in enumerate(windows)]
        return await self.desk.ask(named.kpi, keyed, replace(self._question(named, statistics), by=by))


def days_of(window: Window) -> list[Window]:
    """The local days of a window that have begun, each a window `day`."""
    after = day_of(max(window.start_us, window.until_us - 1), window.zone) + 1
    starts = [start_of_day_us(day, window.zone) for day in range(window.first_day, after + 1)]
    return [
        replace(window, start_us=start, end_us=end, until_us=max(start, min(end, window.until_us)), name="day")
        for start, end in pairwise(starts)
    ]


def day_name(window: Window) -> str:
    """The first day of a window, as a label."""
    return f"{EPOCH + timedelta(days=window.first_day):%a %d %b}"
