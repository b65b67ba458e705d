"""KPIs of the kind `score`: health and churn risk of customers, computed from other KPIs as declared (kpis.md, *Scores*)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from service.catalog.kpi import MAIN, Kpi
from service.catalog.question import Question
from service.catalog.score_churn import churn_risks
from service.catalog.score_health import healths
from service.catalog.scores import Place, Scene
from service.catalog.value import NO_DATA, Value, row_text
from service.catalog.windows import Window
from service.domain.churn import BANDS, ChurnRisk
from service.domain.config.scores import DEFAULT_HEALTH
from service.domain.health import Health
from service.domain.selector import parse_selector
from service.errors import InvalidQuery

HEALTH: Final = "health"
CHURN_RISK: Final = "churn_risk"
READS: Final[Mapping[str, tuple[str, ...]]] = {
    HEALTH: tuple(parse_selector(text).kpi for weights in DEFAULT_HEALTH.values() for text in weights),
    CHURN_RISK: ("mrr", "average_dau", "training_completion", "mau", "tickets", "ticket_escalation", "nps", "csat", "downtime"),
}
"""The scores that there are, each with the KPIs that it reads unless others are declared."""
MAX_REASONS: Final = 20
_ACCOUNT: Final = "account"


def accounts_asked(question: Question) -> tuple[str, ...] | None:
    """The accounts that a question of a score names; None: all. Raises InvalidQuery for a split that scores have not."""
    for name in (*question.by, *question.filters):
        if name != _ACCOUNT:
            raise InvalidQuery(
                "by" if name in question.by else name, "a score is of one account or of all: split by account alone"
            )
    named = question.filters.get(_ACCOUNT)
    if named is not None and len(named) != 1 and not question.by:
        raise InvalidQuery(_ACCOUNT, "a score of several accounts is none: name one, or split by account")
    return tuple(named) if named is not None else None


async def score_values(kpi: Kpi, scene: Scene, *questions: Question) -> list[Value]:
    """The values of a score for questions of the same accounts, measured once for all that are split alike.

    Without a split one a window, of the whole or of the account that is named.
    """
    measured: dict[bool, Mapping[Place, Mapping[str, Health | ChurnRisk]]] = {}
    answers: list[Value] = []
    for question in questions:
        split = bool(question.by) or scene.accounts is not None or kpi.id == CHURN_RISK
        if split not in measured:
            measured[split] = await (churn_risks(scene) if kpi.id == CHURN_RISK else healths(scene, split=split))
        for window in scene.windows:
            by_account = measured[split][window.tenant, window.key]
            answers += _answered(kpi, window, question, by_account, of_all=scene.accounts is None)
    return answers


def _answered(
    kpi: Kpi, window: Window, question: Question, by_account: Mapping[str, Health | ChurnRisk], *, of_all: bool
) -> Iterable[Value]:
    wanted = question.statistics or tuple(kpi.statistics)
    if question.by:
        return [
            value
            for account, score in sorted(by_account.items())
            for value in _values(window, wanted, score, {_ACCOUNT: account})
        ]
    if kpi.id == CHURN_RISK and of_all:
        return _of_all(window, wanted, [score for score in by_account.values() if isinstance(score, ChurnRisk)])
    return _values(window, wanted, next(iter(by_account.values()), None), {})


def _values(window: Window, wanted: Sequence[str], score: Health | ChurnRisk | None, dims: Mapping[str, str]) -> Iterable[Value]:
    figures: dict[str, float | None] = {}
    if isinstance(score, Health):
        figures[MAIN] = score.score
        figures |= {each.name: None if each.points is None else float(each.points) for each in score.categories}
    elif score is not None:
        figures[MAIN] = score.score
        figures |= {band: int(score.band == band) for band, _ in BANDS}
    row = row_text(dims) if dims else ""
    for name in wanted:
        value = figures.get(name)
        note = _reasons(score) if name == MAIN and score is not None else ""
        yield Value(window.tenant, window.key, name, value, None, None, dims, "" if value is not None else NO_DATA, note, row)


def _of_all(window: Window, wanted: Sequence[str], risks: Sequence[ChurnRisk]) -> Iterable[Value]:
    """The mean over customers, and how many are in each band."""
    for name in wanted:
        if name == MAIN:
            total, n = sum(risk.score for risk in risks), len(risks)
            yield Value(window.tenant, window.key, name, total / n if n else None, total, n, reason="" if n else NO_DATA)
        else:
            n = sum(risk.band == name for risk in risks)
            yield Value(window.tenant, window.key, name, n, n)


def _reasons(score: Health | ChurnRisk) -> str:
    """The points that were lost, or the factors of the risk, those that weigh most first."""
    if isinstance(score, ChurnRisk):
        return "; ".join(f"{reason.sentence} ({reason.points:+d})" for reason in score.reasons[:MAX_REASONS])
    lost = sorted(((kpi.lost, kpi.kpi) for category in score.categories for kpi in category.kpis if kpi.lost), reverse=True)
    return "; ".join(f"{name} (-{points})" for points, name in lost[:MAX_REASONS])
