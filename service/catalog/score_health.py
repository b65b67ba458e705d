"""Health: the KPIs that each tenant weighs, measured for all of it or for every customer."""

from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from service.catalog.choices import choices_of
from service.catalog.figures import Place
from service.catalog.figures_together import together
from service.catalog.kpi import MAIN, Kpi
from service.catalog.question import Question
from service.catalog.scores import NO_FIGURES, NOBODY, ByAccount, Scene
from service.catalog.value import Value
from service.catalog.windows import Window
from service.domain.config import TenantConfig
from service.domain.health import Goal, Health, Measure, health
from service.domain.health_columns import Column, Healths
from service.domain.health_columns import healths as healths_of
from service.domain.selector import Selector, parse_selector
from service.domain.targets import target_for

CATEGORIES = ("adoption", "delivery", "engagement", "satisfaction", "reliability")
_DEAREST: Final = {
    kpi: place
    for place, kpi in enumerate(
        (
            "availability",
            "user_activation",
            "request_latency",
            "csat",
            "period_retention",
            "nps",
            "delivery_on_time",
            "delivery_success",
        )
    )
}
"""Of the KPIs that are weighed unless others are declared, those that take the longest: they are begun first."""


@dataclass(frozen=True, slots=True)
class _Weighed:
    """One selector, and what came of it; without its KPI nothing did."""

    selector: Selector
    kpi: Kpi | None
    whole: Mapping[Place, Value]
    by_account: ByAccount
    platform: Mapping[Place, Value]

    def values(self, place: Place, accounts: Sequence[str]) -> list[float | None]:
        """What accounts have: by their own events, else by what is platform-wide; of the account "" the whole."""
        of_all = self.whole.get(place) or self.platform.get(place)
        rows, otherwise = self.by_account.get(place, NO_FIGURES).values, None if of_all is None else of_all.value
        return [rows.get(account, otherwise) for account in accounts] if otherwise is not None else list(map(rows.get, accounts))


@dataclass(frozen=True, slots=True)
class _Measured:
    """What was measured of some accounts in a window: their values of each text that is weighed, and the goals."""

    accounts: Sequence[str]
    declared: Mapping[str, Mapping[str, float]]
    weighed: Mapping[str, _Weighed]
    values: Mapping[str, Sequence[float | None]]
    goals: "_Goals"

    def health(self, number: int) -> Health:
        """The health of one of them, with every loss."""
        account = self.accounts[number]
        return health(
            {
                category: [
                    Measure(text, weight, self.values[text][number], self.goals.of(self.weighed[text], account))
                    for text, weight in weights.items()
                ]
                for category, weights in self.declared.items()
            }
        )

    def healths(self) -> Healths:
        """The health of all, scored together; those with a goal of their own by themselves."""
        columns = {
            category: [
                Column(text, weight, self.values[text], self.goals.of(self.weighed[text], NOBODY))
                for text, weight in weights.items()
            ]
            for category, weights in self.declared.items()
        }
        named = {name for text in self.weighed for name in self.goals.named.get(text, ())}
        own = [number for number, account in enumerate(self.accounts) if not account or account in named]
        return healths_of(columns, len(self.accounts), self.health, own)


async def healths(scene: Scene, *, split: bool) -> dict[Place, dict[str, Health]]:
    """The health of each window's whole (under ""), or where it is `split` of every customer, with every loss.

    Customers are those that events of accounts tell of; where none tells, the accounts that the KPIs name.
    """
    return {
        place: {account: measured.health(number) for number, account in enumerate(measured.accounts)}
        for place, measured in (await _measured(scene, split=split)).items()
    }


async def health_columns(scene: Scene, *, split: bool) -> dict[Place, tuple[Sequence[str], Healths]]:
    """The accounts of each window ("" for the whole) with their health, scored together."""
    found = await _measured(scene, split=split)
    return {place: (measured.accounts, measured.healths()) for place, measured in found.items()}


async def _measured(scene: Scene, *, split: bool) -> dict[Place, _Measured]:
    """What is known of each window's whole, or of its customers."""
    declared = {window.tenant: _declared(scene.config(window.tenant)) for window in scene.windows}
    texts = {text for categories in declared.values() for weights in categories.values() for text in weights}
    weighed, customers = await _all_read(scene, declared, sorted(texts), split=split)
    places = [(window.tenant, window.key) for window in scene.windows]
    known = await scene.knows_customers() if split and not all(customers.get(place) for place in places) else {}
    found: dict[Place, _Measured] = {}
    for window in scene.windows:
        place, goals = (window.tenant, window.key), _Goals(scene.config(window.tenant), window)
        accounts = customers.get(place, []) if split else [""]
        if split and not accounts and not known[place]:
            accounts = sorted({name for each in weighed.values() for name in each.by_account.get(place, NO_FIGURES).values})
        ours = {text: weighed[text] for weights in declared[window.tenant].values() for text in weights}
        values = {text: of.values(place, accounts) for text, of in ours.items()}
        found[place] = _Measured(accounts, declared[window.tenant], ours, values, goals)
    return found


async def _all_read(
    scene: Scene, declared: Mapping[int, Mapping[str, Mapping[str, float]]], texts: Sequence[str], *, split: bool
) -> tuple[dict[str, _Weighed], dict[Place, list[str]]]:
    """Ask for all selectors and for the customers, side by side where there are connections: first for what takes the longest."""
    customers: dict[Place, list[str]] = {}

    async def named(of: Scene) -> dict[str, _Weighed]:
        customers.update(await of.customer_names())
        return {}

    async def at_once(several: Mapping[str, Kpi], of: Scene) -> dict[str, _Weighed]:
        ours = replace(of, windows=_ours(of, declared, next(iter(several))))
        found = await ours.by_account_together(list(several.values()), _window(next(iter(several.values())), ours.windows[0]))
        return {text: _Weighed(parse_selector(text), kpi, {}, found[kpi.id], {}) for text, kpi in several.items()}

    async def alone(text: str, of: Scene) -> dict[str, _Weighed]:
        return {text: await _weighed(of, declared, text, split=split)}

    groups = _at_once(scene, declared, texts) if split else []
    grouped = {text for group in groups for text in group}
    ordered = sorted(set(texts) - grouped, key=lambda text: (_DEAREST.get(parse_selector(text).kpi, len(_DEAREST)), text))
    asked: list[Callable[[Scene], Coroutine[Any, Any, dict[str, _Weighed]]]] = [partial(at_once, group) for group in groups]
    asked += [named] if split else []
    asked += [partial(alone, text) for text in ordered]
    return {text: each for found in await scene.side_by_side(asked) for text, each in found.items()}, customers


def _at_once(
    scene: Scene, declared: Mapping[int, Mapping[str, Mapping[str, float]]], texts: Sequence[str]
) -> list[dict[str, Kpi]]:
    """Selectors that are one statement, by what they name: plain values of the same windows."""
    alike: dict[Hashable, dict[str, Kpi]] = {}
    for text in texts:
        selector = parse_selector(text)
        kpi = scene.kpis.get(selector.kpi)
        if kpi is not None and not selector.statistic and not selector.where and not kpi.head.platform_wide:
            ours = _ours(scene, declared, text)
            alike.setdefault((tuple(ours), _window(kpi, ours[0])), {})[text] = kpi
    groups: list[dict[str, Kpi]] = []
    for each in alike.values():
        texts_of = {kpi.id: text for text, kpi in each.items()}
        groups += [{texts_of[kpi.id]: kpi for kpi in group} for group in together(each.values())]
    return groups


def _ours(scene: Scene, declared: Mapping[int, Mapping[str, Mapping[str, float]]], text: str) -> list[Window]:
    """The windows of tenants that weigh a selector."""
    return [each for each in scene.windows if any(text in weights for weights in declared[each.tenant].values())]


def _declared(config: TenantConfig) -> dict[str, dict[str, float]]:
    return {category: getattr(config.health, category) for category in CATEGORIES}


async def _weighed(
    scene: Scene, declared: Mapping[int, Mapping[str, Mapping[str, float]]], text: str, *, split: bool
) -> _Weighed:
    """Ask for one selector, of the tenants that weigh it."""
    selector = parse_selector(text)
    kpi = scene.kpis.get(selector.kpi)
    ours = _ours(scene, declared, text)
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
    platform = await of.platform(kpi.id, window, statistic=statistic, filters=filters, own=by_account)
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
        choices=choices_of(kpi, Question()),
    )
    if found is not None:
        limit = found.limit if isinstance(found.limit, float) else None
        return Goal(found.target, found.op in {">=", ">"}, limit, found.range)
    usual = kpi.usual(selector.statistic or MAIN)
    if usual is None:
        return None
    if usual.up_to is not None:
        return Goal(range=(usual.target, usual.up_to))
    return Goal(usual.target, usual.op in {">=", ">"}, usual.limit)
