"""Scores of customers, made of other KPIs by account: what is measured, for many tenants and windows at once."""

from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final, TypeVar

from service.catalog.declared import Declared
from service.catalog.figures import ACCOUNT, Figures, Place, added_to, has_figures, of_values
from service.catalog.kpi import MAIN, Kpi
from service.catalog.question import Question
from service.catalog.value import EXPIRED, Value
from service.catalog.windows import NAMES, Window, named_bounds_us
from service.clock import DAY
from service.domain.config import TenantConfig
from service.lifecycle import side_by_side
from service.store.engine import Connection
from service.store.snapshots import Snapshot
from service.store.standings import Instant, Standing, standings, statuses

Ask = Callable[[Connection, Kpi, Sequence[Window], Question], Awaitable[list[Value]]]
"""Runs a KPI with what the question of a score stands on."""
Read = Callable[[Connection, Kpi, Sequence[Window], Question], Awaitable[dict[Place, Figures]]]
"""Reads the figures of a KPI that has them in the same way."""
ReadTogether = Callable[
    [Connection, Sequence[Kpi], Sequence[Window], tuple[str, ...] | None], Awaitable[list[dict[Place, Figures]]]
]
"""The figures of KPIs that are read at once, of these accounts or of all."""
ByAccount = Mapping[Place, Figures]
Filters = Mapping[str, tuple[str, ...]]
Parameters = Mapping[str, str]
NO_FILTERS: Final[Filters] = {}
NO_PARAMETERS: Final[Parameters] = {}
NO_FIGURES: Final = Figures()
NO_ACCOUNTS: Final[ByAccount] = {}
NOBODY: Final = "~" * 129
"""The name of no account, for it is too long: what counts for it is platform-wide."""
REMEMBERED_CONFIGS: Final = 1_000
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Scene:
    """What scores of some windows stand on."""

    seen: Snapshot
    """The connections that its questions are asked on: each borrows one."""
    ask: Ask
    read: Read
    read_together: ReadTogether
    kpis: Mapping[str, Kpi]
    windows: Sequence[Window]
    declared: Mapping[int, Declared]
    accounts: tuple[str, ...] | None = None
    """Those that are asked for; None: all."""
    stood: dict[Instant, list[Standing]] = field(default_factory=dict)
    """How they stood: read once an instant, for this scene and those that are made of it (`replace`)."""
    told: dict[Hashable, Value | None] = field(default_factory=dict)
    """Wholes of KPIs that were asked for, by question and window."""
    parts: dict[Hashable, Figures] = field(default_factory=dict)
    """The same by account, of all of them, where rows add up."""

    async def side_by_side(self, several: Iterable[Callable[["Scene"], Coroutine[Any, Any, _Result]]]) -> list[_Result]:
        """What each of several gives, begun in their order; each has a connection to itself until it is done.

        So what one of them asks for last does not wait until all others have begun.
        """

        async def on_its_own(one: Callable[["Scene"], Coroutine[Any, Any, _Result]]) -> _Result:
            async with self.seen.connection() as connection:
                return await one(replace(self, seen=Snapshot((connection,))))

        return await side_by_side(on_its_own(each) for each in several)

    def config(self, tenant: int) -> TenantConfig:
        """What the tenant declares."""
        return _config(self.declared[tenant].config) if tenant in self.declared else TenantConfig()

    async def customers(self) -> dict[Place, list[Standing]]:
        """The customers at each window's end, or how far it has come."""
        instants = self._instants()
        missing = [each for each in dict.fromkeys(instants) if each not in self.stood]
        if missing:
            async with self.seen.connection() as connection:
                found = await standings(connection, missing, accounts=self.accounts)
            self.stood.update(zip(missing, found, strict=True))
        return {
            (window.tenant, window.key): [one for one in self.stood[instant] if one.status in statuses]
            for window, instant in zip(self.windows, instants, strict=True)
            for statuses in [self.config(window.tenant).activity.customer_statuses]
        }

    async def customer_names(self) -> dict[Place, list[str]]:
        """The names of the same: where all are asked for, and nobody needs to know more of them, they are read alone."""
        if self.accounts is not None or self.stood:
            return {place: [one.account for one in of] for place, of in (await self.customers()).items()}
        found = await self._statuses()
        return {
            (window.tenant, window.key): [account for account, status in of if status in statuses]
            for window, of in zip(self.windows, found, strict=True)
            for statuses in [self.config(window.tenant).activity.customer_statuses]
        }

    async def knows_customers(self) -> dict[Place, bool]:
        """Whether any account of the tenant has told what it is: then those that are no customers have no score of customers."""
        found = await self._statuses()
        return {
            (window.tenant, window.key): any(status is not None for _, status in of)
            for window, of in zip(self.windows, found, strict=True)
        }

    async def _statuses(self) -> list[list[tuple[str, str | None]]]:
        async with self.seen.connection() as connection:
            return await statuses(connection, self._instants())

    async def _ask(self, kpi: Kpi, windows: Sequence[Window], question: Question) -> list[Value]:
        async with self.seen.connection() as connection:
            return await self.ask(connection, kpi, windows, question)

    async def _read(self, kpi: Kpi, windows: Sequence[Window], question: Question) -> dict[Place, Figures]:
        async with self.seen.connection() as connection:
            return await self.read(connection, kpi, windows, question)

    def _instants(self) -> list[Instant]:
        """How far each window has come."""
        return [
            Instant(each.tenant, each.until_us, each.until_us - self.config(each.tenant).churn["signal_days"] * DAY)
            for each in self.windows
        ]

    async def by_account(
        self,
        name: str,
        window: str,
        *,
        statistic: str = MAIN,
        filters: Filters = NO_FILTERS,
        parameters: Parameters = NO_PARAMETERS,
    ) -> ByAccount:
        """A KPI of the windows of this name that end with ours, by account."""
        kpi = self.kpis.get(name)
        if kpi is None:
            return {}
        windows = [ending(each, window) for each in self.windows]
        found = await self._by_account(kpi, windows, statistic, filters, parameters)
        if has_figures(kpi, statistic) and not parameters:
            self._keep(kpi, statistic, filters, windows, found)
        return found

    async def by_account_of(self, name: str, several: Sequence[Callable[[Window], Window]]) -> list[ByAccount]:
        """A KPI of several windows for each of ours, by account, in their order: of one statement, for they may overlap."""
        kpi = self.kpis.get(name)
        if kpi is None:
            return [{} for _ in several]
        windows = [replace(of(each), key=(number, each.key)) for number, of in enumerate(several) for each in self.windows]
        found = await self._by_account(kpi, windows, MAIN, NO_FILTERS, NO_PARAMETERS)
        return [
            {(tenant, key[1]): of for (tenant, key), of in found.items() if isinstance(key, tuple) and key[0] == number}
            for number in range(len(several))
        ]

    async def _by_account(
        self, kpi: Kpi, windows: Sequence[Window], statistic: str, filters: Filters, parameters: Parameters
    ) -> dict[Place, Figures]:
        allowed = {**filters, ACCOUNT: self.accounts} if self.accounts is not None else filters
        question = Question(by=(ACCOUNT,), filters=allowed, parameters=parameters, statistics=(statistic,))
        if not has_figures(kpi, statistic):
            return of_values(await self._ask(kpi, windows, question))
        return await self._read(kpi, windows, question)

    async def by_account_together(self, kpis: Sequence[Kpi], window: str) -> dict[str, ByAccount]:
        """The same of the plain values of KPIs that are read at once (`together`), by their ids."""
        windows = [ending(each, window) for each in self.windows]
        async with self.seen.connection() as connection:
            found = await self.read_together(connection, kpis, windows, self.accounts)
        for kpi, of in zip(kpis, found, strict=True):
            self._keep(kpi, MAIN, NO_FILTERS, windows, of)
        return {kpi.id: of for kpi, of in zip(kpis, found, strict=True)}

    def _keep(self, kpi: Kpi, statistic: str, filters: Filters, windows: Sequence[Window], found: ByAccount) -> None:
        """Keep the figures of all accounts, of which the whole is made where they add up."""
        if kpi.head.adds_up and self.accounts is None and ACCOUNT not in filters:
            self.parts.update(
                (_asked(kpi, statistic, filters, each), found.get((each.tenant, each.key), NO_FIGURES)) for each in windows
            )

    async def whole(self, name: str, window: str, *, statistic: str = MAIN, filters: Filters = NO_FILTERS) -> dict[Place, Value]:
        """A KPI of the windows of this name that end with ours; where units are apart and there are several, none."""
        kpi = self.kpis.get(name)
        if kpi is None:
            return {}
        asked = {each: _asked(kpi, statistic, filters, each) for each in (ending(each, window) for each in self.windows)}
        missing = [each for each, key in asked.items() if key not in self.told]
        # What adds up and was asked for by account: beside that only what names none has to be read.
        rest = [each for each in missing if asked[each] in self.parts]
        question = Question(filters=filters, statistics=(statistic,))
        values = await self._ask(kpi, [each for each in missing if each not in rest], question)
        found = {(value.tenant, value.window): value for value in reversed(values)}
        nameless = replace(question, filters={**filters, ACCOUNT: ("",)})
        for value in await self._ask(kpi, rest, nameless):
            place = (value.tenant, value.window)
            parts = next(self.parts[asked[each]] for each in rest if (each.tenant, each.key) == place)
            found[place] = value if value.reason == EXPIRED else added_to(value, parts, kpi.statistics[statistic].kind)
        self.told.update((asked[each], found.get((each.tenant, each.key))) for each in missing)
        answers = {(each.tenant, each.key): self.told[key] for each, key in asked.items()}
        return {place: value for place, value in answers.items() if value is not None}

    async def platform(
        self,
        name: str,
        window: str,
        *,
        statistic: str = MAIN,
        filters: Filters = NO_FILTERS,
        own: ByAccount = NO_ACCOUNTS,
    ) -> dict[Place, Value]:
        """What counts for every account: the platform-wide figure of a KPI that is so.

        `own`: the same by account, of all of them. Where no account has a row, the whole is what names none: it need not be read
        once more. That holds of facts and of probes, which show every account that they name.
        """
        kpi = self.kpis.get(name)
        if kpi is None or not kpi.head.platform_wide:
            return {}
        shows_all = self.accounts is None and not kpi.is_guest and (kpi.head.facts is not None or kpi.head.of_quarters)
        named = [each for each in self.windows if not shows_all or own.get((each.tenant, each.key), NO_FIGURES).values]
        others = [each for each in self.windows if each not in named]
        of_all = {**filters, ACCOUNT: (NOBODY,)}
        found = await replace(self, windows=others).whole(name, window, statistic=statistic, filters=filters)
        return found | await replace(self, windows=named).whole(name, window, statistic=statistic, filters=of_all)


def _asked(kpi: Kpi, statistic: str, filters: Filters, window: Window) -> Hashable:
    """What tells one figure of a scene from another."""
    return kpi.id, statistic, tuple(sorted((key, tuple(values)) for key, values in filters.items())), window


def ending(window: Window, name: str) -> Window:
    """The window of a name that ends where another has come to, under its key; the same window where it is of that name."""
    if name == window.name or name not in NAMES:
        return window
    start, end = named_bounds_us(name, window.until_us, window.zone)
    return replace(window, start_us=start, end_us=end, until_us=min(end, window.until_us), name=name, whole_end_us=0)


@lru_cache(maxsize=REMEMBERED_CONFIGS)
def _config(text: str) -> TenantConfig:
    return TenantConfig.from_json(text)
