"""Scores of customers as people read them: one account's health and churn risk with their reasons, and the portfolio by band."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from service.catalog import Window
from service.catalog.scores import Place, Scene
from service.domain.churn import BANDS, ChurnRisk
from service.domain.health import CATEGORY_POINTS, Health
from service.expose.answers import Body, number
from service.expose.moments import rfc3339
from service.store.standings import Standing

NOW, BEFORE = 0, 1
"""Keys of the window that is asked for and of the one it is compared with."""


def pair(window: Window, before: Window) -> list[Window]:
    """Both windows under their keys."""
    return [replace(window, key=NOW), replace(before, key=BEFORE)]


def health_body(health: Health, before: Health | None) -> Body:
    """A health score with its categories and every point that is lost."""
    lost = [(kpi.lost, category.name, kpi.kpi) for category in health.categories for kpi in category.kpis if kpi.lost]
    return {
        "score": health.score,
        "band": health.band,
        "partial": health.is_partial,
        "before": None if before is None else before.score,
        "categories": [
            {
                "category": category.name,
                "points": _points(category.points),
                "of": CATEGORY_POINTS,
                "kpis": [
                    {
                        "kpi": kpi.kpi,
                        "value": kpi.value,
                        "target": kpi.target,
                        "score": kpi.score,
                        "lost": _points(kpi.lost),
                        "reason": kpi.reason or None,
                    }
                    for kpi in category.kpis
                ],
            }
            for category in health.categories
        ],
        "lost": [
            {"kpi": kpi, "category": category, "points": _points(points)}
            for points, category, kpi in sorted(lost, key=lambda each: (-each[0], each[2]))
        ],
    }


def risk_body(risk: ChurnRisk, before: ChurnRisk | None) -> Body:
    """A churn risk with every factor."""
    return {
        "score": risk.score,
        "band": risk.band,
        "reasons": [
            {"name": reason.name, "points": reason.points, "reason": reason.sentence, "value": reason.value}
            for reason in risk.reasons
        ],
        "before": None if before is None else {"score": before.score, "band": before.band},
    }


async def portfolio_body(
    scene: Scene,
    risks: Mapping[Place, Mapping[str, ChurnRisk]],
    healths: Mapping[Place, Mapping[str, Health]],
    means: Mapping[str, float],
    *,
    limit: int,
) -> Body:
    """All customers by their risk, those at the highest first; bands and reasons with their share of MRR; moves between bands."""
    window = scene.windows[NOW]
    now, before = (risks[window.tenant, key] for key in (NOW, BEFORE))
    customers = {one.account: one for one in (await scene.customers())[window.tenant, NOW]}
    health = healths[window.tenant, NOW]
    ordered = sorted(now, key=lambda account: (-now[account].score, account))
    moves = Counter((before[account].band, risk.band) for account, risk in now.items() if account in before)
    return {
        "at": rfc3339(window.until_us),
        "before": rfc3339(scene.windows[BEFORE].until_us),
        "customers": len(now),
        "bands": [
            {"band": band, **_part([name for name in now if now[name].band == band], customers)} for band, _ in reversed(BANDS)
        ],
        "reasons": _reasons(now, customers),
        "moves": [{"from": start, "to": end, "customers": n} for (start, end), n in sorted(moves.items()) if start != end],
        "accounts": [
            {
                "account": name,
                "churn_risk": risk_body(now[name], before.get(name)),
                "mean_90d": means.get(name),
                "health": None if name not in health else {"score": health[name].score, "band": health[name].band},
                "mrr": _money(customers[name]),
            }
            for name in ordered[:limit]
        ],
    }


def _reasons(risks: Mapping[str, ChurnRisk], customers: Mapping[str, Standing]) -> list[Body]:
    """Every factor with the customers that it applies to, the commonest first."""
    having: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for account, risk in risks.items():
        for reason in risk.reasons:
            having[reason.name, reason.sentence].append(account)
    ordered = sorted(having.items(), key=lambda each: (-len(each[1]), each[0]))
    return [{"name": name, "reason": sentence, **_part(accounts, customers)} for (name, sentence), accounts in ordered]


def _part(accounts: Sequence[str], customers: Mapping[str, Standing]) -> Body:
    """How many customers of all, and their MRR by currency, with its share."""
    ours, whole = _by_currency(customers[name] for name in accounts), _by_currency(customers.values())
    return {
        "customers": len(accounts),
        "share": len(accounts) / len(customers) if customers else None,
        "mrr": [
            {"currency": currency, "amount": number(amount), "share": float(amount / total) if total else None}
            for currency, total in sorted(whole.items())
            for amount in (ours.get(currency, Decimal(0)),)
        ],
    }


def _by_currency(customers: Iterable[Standing]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for one in customers:
        if one.mrr:
            amount, _, currency = one.mrr.partition(" ")
            sums[currency] = sums.get(currency, Decimal(0)) + Decimal(amount)
    return sums


def _money(one: Standing) -> dict[str, Any] | None:
    amounts = _by_currency([one])
    return next(({"amount": number(amount), "currency": currency} for currency, amount in amounts.items()), None)


def _points(points: Decimal | None) -> float | None:
    return None if points is None else float(points)
