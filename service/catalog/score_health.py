"""Health: the KPIs that each tenant weighs, measured for all of it or for every customer."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from service.catalog.kpi import MAIN, Kpi
from service.catalog.scores import NOBODY, ByAccount, Place, Scene
from service.catalog.value import Value
from service.catalog.windows import Window
from service.domain.config import TenantConfig
from service.domain.health import Goal, Health, Measure, health
from service.domain.selector import Selector, parse_selector
from service.domain.targets import target_for

CATEGORIES = ("adoption", "delivery", "engagement", "satisfaction", "reliability")


@dataclass(frozen=True, slots=True)
class _Weighed:
    """One selector, and what came of it; without its KPI nothing did."""

    selector: Selector
    kpi: Kpi | None
    whole: Mapping[Place, Value]
    by_account: ByAccount
    platform: Mapping[Place, Value]

    def value(self, place: Place, account: str) -> float | None:
        """What an account has: by its own events, else by what is platform-wide; without an account the whole."""
        found = self.whole.get(place) if not account else self.by_account.get(place, {}).get(account) or self.platform.get(place)
        return None if found is None else found.value


async def healths(scene: Scene, *, split: bool) -> dict[Place, dict[str, Health]]:
    """The health of each window's whole (under ""), or where it is `split` of every customer.

    Customers are those that events of accounts tell of; where none tells, the accounts that the KPIs name.
    """
    declared = {window.tenant: _declared(scene.config(window.tenant)) for window in scene.windows}
    texts = {text for categories in declared.values() for weights in categories.values() for text in weights}
    weighed = {text: await _weighed(scene, declared, text, split=split) for text in sorted(texts)}
    customers = await scene.customers() if split else {}
    found: dict[Place, dict[str, Health]] = {}
    for window in scene.windows:
        place, goals = (window.tenant, window.key), _Goals(scene.config(window.tenant), window)
        accounts = [one.account for one in customers.get(place, ())] if split else [""]
        if split and not accounts:
            accounts = sorted({name for each in weighed.values() for name in each.by_account.get(place, ())})
        found[place] = {
            account: health(
                {
                    category: [
                        Measure(text, weight, weighed[text].value(place, account), goals.of(weighed[text], account))
                        for text, weight in weights.items()
                    ]
                    for category, weights in declared[window.tenant].items()
                }
            )
            for account in accounts
        }
    return found


def _declared(config: TenantConfig) -> dict[str, dict[str, float]]:
    return {category: getattr(config.health, category) for category in CATEGORIES}


async def _weighed(
    scene: Scene, declared: Mapping[int, Mapping[str, Mapping[str, float]]], text: str, *, split: bool
) -> _Weighed:
    """Ask for one selector, of the tenants that weigh it."""
    selector = parse_selector(text)
    kpi = scene.kpis.get(selector.kpi)
    ours = [each for each in scene.windows if any(text in weights for weights in declared[each.tenant].values())]
    of = replace(scene, windows=ours)
    statistic, filters = selector.statistic or MAIN, selector.where
    if kpi is None or statistic not in kpi.statistics:
        return _Weighed(selector, None, {}, {}, {})
    window = _window(kpi, ours[0])
    if not split:
        return _Weighed(selector, kpi, await of.whole(kpi.id, window, statistic=statistic, filters=filters), {}, {})
    if not kpi.splits_by("account"):
        return _Weighed(selector, kpi, {}, {}, {})
    by_account = await of.by_account(kpi.id, window, statistic=statistic, filters=filters)
    platform = await of.platform(kpi.id, window, statistic=statistic, filters=filters)
    return _Weighed(selector, kpi, {}, by_account, platform)


def _window(kpi: Kpi, window: Window) -> str:
    """The window that a KPI is asked for: that of the score, else the KPI's own that ends with it."""
    return window.name if kpi.takes(window.name) else kpi.head.default_window


@dataclass(slots=True)
class _Goals:
    """What values of a window are measured by: the same for all accounts but those that a target names."""

    config: TenantConfig
    window: Window
    known: dict[tuple[str, str], Goal | None] = field(default_factory=dict)
    named: dict[str, frozenset[str]] = field(default_factory=dict)

    def of(self, weighed: _Weighed, account: str) -> Goal | None:
        """The goal of a KPI for an account; "": for the whole."""
        if weighed.kpi is None:
            return None
        text = str(weighed.selector)
        if text not in self.named:
            targets = self.config.targets_by_kpi.get((weighed.kpi.id, weighed.selector.statistic), ())
            self.named[text] = frozenset(name for each in targets for name in each.selector.where.get("account", ()))
        key = text, account if not account or account in self.named[text] else NOBODY
        if key not in self.known:
            self.known[key] = _goal(self.config, weighed.kpi, weighed.selector, self.window, key[1])
        return self.known[key]


def _goal(config: TenantConfig, kpi: Kpi, selector: Selector, window: Window, account: str) -> Goal | None:
    """What the tenant declares of it, the most specific first; else the target that is usual for it."""
    found = target_for(
        config,
        kpi=kpi.id,
        statistic=selector.statistic,
        dims={**selector.where, **({"account": account} if account else {})},
        window=_window(kpi, window) or None,
        adds_up=kpi.statistics[selector.statistic or MAIN].kind == "count",
        apart=kpi.head.apart,
    )
    if found is not None:
        limit = found.limit if isinstance(found.limit, float) else None
        return Goal(found.target, found.op in {">=", ">"}, limit, found.range)
    usual = kpi.head.suggestion
    if usual is None or usual.statistic != (selector.statistic or MAIN):
        return None
    return Goal(usual.target, usual.op in {">=", ">"}, usual.limit)
