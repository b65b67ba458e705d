"""Scores of customers, made of other KPIs by account: what is measured, for many tenants and windows at once."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from service.catalog.declared import Declared
from service.catalog.figures import ACCOUNT, Figures, Place, has_figures, of_values
from service.catalog.kpi import MAIN, Kpi
from service.catalog.question import Question
from service.catalog.value import Value
from service.catalog.windows import NAMES, Window, named_bounds_us
from service.clock import DAY
from service.domain.config import TenantConfig
from service.store.engine import Connection
from service.store.standings import Instant, Standing, standings

Ask = Callable[[Kpi, Sequence[Window], Question], Awaitable[list[Value]]]
"""Runs a KPI with what the question of a score stands on."""
Read = Callable[[Kpi, Sequence[Window], Question], Awaitable[dict[Place, Figures]]]
"""Reads the figures of a KPI that has them in the same way."""
ByAccount = Mapping[Place, Figures]
Filters = Mapping[str, tuple[str, ...]]
Parameters = Mapping[str, str]
NO_FILTERS: Final[Filters] = {}
NO_PARAMETERS: Final[Parameters] = {}
NO_FIGURES: Final = Figures()
NOBODY: Final = "~" * 129
"""The name of no account, for it is too long: what counts for it is platform-wide."""
REMEMBERED_CONFIGS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Scene:
    """What scores of some windows stand on."""

    connection: Connection
    ask: Ask
    read: Read
    kpis: Mapping[str, Kpi]
    windows: Sequence[Window]
    declared: Mapping[int, Declared]
    accounts: tuple[str, ...] | None = None
    """Those that are asked for; None: all."""
    stood: dict[Instant, list[Standing]] = field(default_factory=dict)
    """How they stood: read once an instant, for this scene and those that are made of it (`replace`)."""

    def config(self, tenant: int) -> TenantConfig:
        """What the tenant declares."""
        return _config(self.declared[tenant].config) if tenant in self.declared else TenantConfig()

    async def customers(self) -> dict[Place, list[Standing]]:
        """The customers at each window's end, or how far it has come."""
        instants = [
            Instant(each.tenant, each.until_us, each.until_us - self.config(each.tenant).churn["signal_days"] * DAY)
            for each in self.windows
        ]
        missing = [each for each in dict.fromkeys(instants) if each not in self.stood]
        if missing:
            self.stood.update(zip(missing, await standings(self.connection, missing, accounts=self.accounts), strict=True))
        return {
            (window.tenant, window.key): [
                one for one in self.stood[instant] if one.status in self.config(window.tenant).activity.customer_statuses
            ]
            for window, instant in zip(self.windows, instants, strict=True)
        }

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
        allowed = {**filters, ACCOUNT: self.accounts} if self.accounts is not None else filters
        question = Question(by=(ACCOUNT,), filters=allowed, parameters=parameters, statistics=(statistic,))
        windows = [ending(each, window) for each in self.windows]
        if has_figures(kpi, statistic):
            return await self.read(kpi, windows, question)
        return of_values(await self.ask(kpi, windows, question))

    async def whole(self, name: str, window: str, *, statistic: str = MAIN, filters: Filters = NO_FILTERS) -> dict[Place, Value]:
        """A KPI of the windows of this name that end with ours; where units are apart and there are several, none."""
        kpi = self.kpis.get(name)
        if kpi is None:
            return {}
        windows = [ending(each, window) for each in self.windows]
        values = await self.ask(kpi, windows, Question(filters=filters, statistics=(statistic,)))
        return {(value.tenant, value.window): value for value in reversed(values)}

    async def platform(
        self, name: str, window: str, *, statistic: str = MAIN, filters: Filters = NO_FILTERS
    ) -> dict[Place, Value]:
        """What counts for every account: the platform-wide figure of a KPI that is so."""
        kpi = self.kpis.get(name)
        if kpi is None or not kpi.head.platform_wide:
            return {}
        return await self.whole(name, window, statistic=statistic, filters={**filters, ACCOUNT: (NOBODY,)})


def ending(window: Window, name: str) -> Window:
    """The window of a name that ends where another has come to, under its key; the same window where it is of that name."""
    if name == window.name or name not in NAMES:
        return window
    start, end = named_bounds_us(name, window.until_us, window.zone)
    return replace(window, start_us=start, end_us=end, until_us=min(end, window.until_us), name=name, whole_end_us=0)


@lru_cache(maxsize=REMEMBERED_CONFIGS)
def _config(text: str) -> TenantConfig:
    return TenantConfig.from_json(text)
