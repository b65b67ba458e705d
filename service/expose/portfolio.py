"""All customers by churn risk: bands, reasons, moves and retention between bands, risk beside what is at stake."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from service.catalog import Kpi, Window
from service.catalog.runner import scene
from service.catalog.score_churn import MONTH, churn_risks
from service.catalog.score_health import healths
from service.catalog.scores import Scene, ending
from service.catalog.scoring import CHURN_RISK
from service.catalog.windows import window_earlier
from service.clock import DAY
from service.domain.churn import BANDS, ChurnRisk
from service.domain.health import Health
from service.domain.localtime import CalendarUnit
from service.expose.answers import Body
from service.expose.ground import Ground
from service.expose.moments import rfc3339
from service.expose.score_bodies import risk_body
from service.expose.stakes import matrix, money, part, retained
from service.store.history import means
from service.store.snapshots import Snapshot
from service.store.standings import Standing, Worth, worths

NOW, BEFORE, QUARTER_AGO = 0, 1, 2
"""Keys of the window that is asked for, of the one a week earlier, and of the one that retention is counted from."""
MEAN_DAYS: Final = 90
Risks = Mapping[str, ChurnRisk]
Customers = Mapping[str, Standing]


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Customers with their risk at three instants, and what else is known of those of now."""

    windows: Sequence[Window]
    customers: Sequence[Customers]
    """By account, as of each window's end."""
    risks: Sequence[Risks]
    healths: Mapping[str, Health]
    means: Mapping[str, float]
    """The mean risk of 90 days, by account."""
    worths: Sequence[Worth]
    currency: str | None
    """The tenant's, shown first."""

    def body(self, *, limit: int) -> Body:
        """As JSON, with the customers at the highest risk first."""
        now, before = self.risks[NOW], self.risks[BEFORE]
        customers = self.customers[NOW]
        bands = {band: [name for name in now if now[name].band == band] for band, _ in reversed(BANDS)}
        ordered = sorted(now, key=lambda account: (-now[account].score, account))
        return {
            "at": rfc3339(self.windows[NOW].until_us),
            "before": rfc3339(self.windows[BEFORE].until_us),
            "retained_from": rfc3339(self.windows[QUARTER_AGO].until_us),
            "customers": len(now),
            "bands": [{"band": band, **part(names, customers, self.currency)} for band, names in bands.items()],
            "reasons": _reasons(now, customers, self.currency),
            "moves": _moves(before, now),
            "retention": self._retention(),
            "matrix": matrix(now, customers, self.worths, self.currency),
            "accounts": [self._account(name) for name in ordered[:limit]],
        }

    def _retention(self) -> list[Body]:
        """Of the customers of each band a quarter ago, those that still are, and what they still pay."""
        then = self.risks[QUARTER_AGO]
        return [
            {
                "band": band,
                **retained(
                    [name for name in then if then[name].band == band],
                    self.customers[QUARTER_AGO],
                    self.customers[NOW],
                    self.currency,
                ),
            }
            for band, _ in reversed(BANDS)
        ]

    def _account(self, name: str) -> Body:
        health = self.healths.get(name)
        return {
            "account": name,
            "churn_risk": risk_body(self.risks[NOW][name], self.risks[BEFORE].get(name)),
            "mean_90d": self.means.get(name),
            "health": None if health is None else {"score": health.score, "band": health.band},
            "mrr": money(self.customers[NOW][name]),
        }


async def read_portfolio(seen: Snapshot, kpis: Mapping[str, Kpi], ground: Ground, window: Window) -> Portfolio:
    """The portfolio as of a window's end, beside a week and a quarter earlier, by connections of one snapshot."""
    windows = [replace(each, key=key) for key, each in enumerate((window, *(_earlier(window, of) for of in ("week", "quarter"))))]
    of = scene(seen, kpis, windows, None, ground.declared(window), ground.kept)
    risks, standing = await churn_risks(of), await of.customers()
    month: Scene = replace(of, windows=[ending(windows[NOW], MONTH)])
    places = [(ground.tenant, each.key) for each in windows]
    customers = [{one.account: one for one in standing[place]} for place in places]
    from_us = window.until_us - MEAN_DAYS * DAY
    health = (await healths(month, split=True))[ground.tenant, NOW]
    async with seen.connection() as connection:
        return Portfolio(
            windows,
            customers,
            [risks[place] for place in places],
            health,
            await means(connection, ground.tenant, CHURN_RISK, from_us=from_us, until_us=window.until_us),
            await worths(connection, ground.tenant, window.until_us, list(customers[NOW])),
            ground.config(window).tenant.currency,
        )


def _moves(before: Risks, now: Risks) -> list[Body]:
    """How many customers went from one band to another; who was none a week ago has not moved."""
    moves = Counter((before[account].band, risk.band) for account, risk in now.items() if account in before)
    return [{"from": start, "to": end, "customers": n} for (start, end), n in sorted(moves.items()) if start != end]


def _reasons(risks: Risks, customers: Customers, currency: str | None) -> list[Body]:
    """Every factor with the customers that it applies to, the commonest first."""
    having: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for account, risk in risks.items():
        for reason in risk.reasons:
            having[reason.name, reason.sentence].append(account)
    ordered = sorted(having.items(), key=lambda each: (-len(each[1]), each[0]))
    return [{"name": name, "reason": sentence, **part(accounts, customers, currency)} for (name, sentence), accounts in ordered]


def _earlier(window: Window, period: CalendarUnit) -> Window:
    return window_earlier(window, period, whole_days=True)
