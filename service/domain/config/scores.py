"""The tables `[health.CATEGORY]` and `[churn]`: what an account's scores are made of."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field

from service.domain.churn_table import POINTS, SIGNAL_DAYS
from service.domain.config.base import SelectorText, Several, Table, or_similar
from service.domain.config.terms import Number, Whole

MAX_WEIGHTED: Final = 50
MAX_POINTS: Final = 100
MAX_SIGNAL_DAYS: Final = 730
_SIGNAL_DAYS: Final = "signal_days"

Weights = Annotated[dict[SelectorText, Annotated[Number, Field(gt=0, le=1_000)]], Field(min_length=1, max_length=MAX_WEIGHTED)]
"""Selectors of KPIs, each with its weight within the category."""


DEFAULT_HEALTH: Final[Mapping[str, dict[str, float]]] = {
    "adoption": {"wau_share": 1, "user_activation": 1, "adoption_score": 1},
    "delivery": {"delivery_on_time": 2, "delivery_success": 1},
    "engagement": {"stickiness_weekly": 1, "period_retention": 1, "repeat_visit": 1},
    "satisfaction": {"nps": 1, "csat.top2": 1},
    "reliability": {"availability": 2, "error_rate": 1, "request_latency.p95": 1},
}


class Health(Table):
    """`[health.CATEGORY]`: the KPIs of the five categories, 20 points each; a category that is declared is declared whole."""

    adoption: Weights = DEFAULT_HEALTH["adoption"]
    delivery: Weights = DEFAULT_HEALTH["delivery"]
    engagement: Weights = DEFAULT_HEALTH["engagement"]
    satisfaction: Weights = DEFAULT_HEALTH["satisfaction"]
    reliability: Weights = DEFAULT_HEALTH["reliability"]


def _beside_defaults(declared: Any) -> Any:  # the file's own value, of any type
    return {**DEFAULT_CHURN, **declared} if isinstance(declared, dict) else declared


def _check_rows(declared: dict[str, int]) -> dict[str, int]:
    wrong: list[tuple[tuple[str | int, ...], str]] = []
    for name, points in declared.items():
        if name == _SIGNAL_DAYS:
            if not 1 <= points <= MAX_SIGNAL_DAYS:
                wrong.append(((name,), f"a signal lasts 1 to {MAX_SIGNAL_DAYS} days, and not {points}"))
        elif name not in POINTS:
            known = f"{', '.join(POINTS)} and {_SIGNAL_DAYS}"
            wrong.append(((name,), f"there is no row {name}{or_similar(name, [*POINTS, _SIGNAL_DAYS])}; there are {known}"))
        elif abs(points) > MAX_POINTS:
            wrong.append(((name,), f"a row adds or takes {MAX_POINTS} points at the most, and not {points}"))
    if wrong:
        raise Several(wrong)
    return declared


DEFAULT_CHURN: Final[Mapping[str, int]] = {_SIGNAL_DAYS: SIGNAL_DAYS, **POINTS}
Churn = Annotated[dict[str, Whole], BeforeValidator(_beside_defaults), AfterValidator(_check_rows)]
"""`[churn]`: the points of each row of the table of churn risk by its name, and `signal_days`."""
