"""Scores of one customer as people read them: health and churn risk, with their reasons."""

from decimal import Decimal

from service.domain.churn import ChurnRisk
from service.domain.health import CATEGORY_POINTS, Health
from service.expose.answers import Body


def health_body(health: Health, before: Health | None) -> Body:
    """A health score with its categories, and what each KPI costs it: of a category's 20 points, and of the score's 100."""
    lost = [(kpi.cost, category.name, kpi.kpi) for category in health.categories for kpi in category.kpis if kpi.cost]
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


def _points(points: Decimal | None) -> float | None:
    return None if points is None else float(points)
