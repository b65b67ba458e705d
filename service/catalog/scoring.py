"""KPIs of the kind `score`: health and churn risk of customers, computed from other KPIs as declared (kpis.md, *Scores*)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from json.encoder import encode_basestring
from typing import Final

from service.catalog.figures import Place
from service.catalog.kpi import MAIN, Kpi
from service.catalog.question import Question
from service.catalog.score_churn import churn_columns
from service.catalog.score_health import health_columns
from service.catalog.scores import Scene
from service.catalog.value import NO_DATA, Value, row_text
from service.catalog.windows import Window
from service.domain.churn import BANDS
from service.domain.config.scores import DEFAULT_HEALTH
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


@dataclass(frozen=True, slots=True)
class _Sheet:
    """The scores of a window's accounts, or of its whole: a column a statistic, and the reasons of each."""

    accounts: Sequence[str]
    columns: Mapping[str, Sequence[float | None]]
    notes: Sequence[str]


async def score_values(kpi: Kpi, scene: Scene, *questions: Question) -> list[Value]:
    """The values of a score for questions of the same accounts, measured once for all that are split alike.

    Without a split one a window, of the whole or of the account that is named.
    """
    splits = [bool(question.by) or scene.accounts is not None or kpi.id == CHURN_RISK for question in questions]
    sheets: dict[bool, Mapping[Place, _Sheet]] = {}
    # Accounts first: of what adds up the whole is made of them then.
    for split in sorted(set(splits), reverse=True):
        sheets[split] = await (_risk_sheets(scene) if kpi.id == CHURN_RISK else _health_sheets(scene, split=split))
    answers: list[Value] = []
    for question, split in zip(questions, splits, strict=True):
        for window in scene.windows:
            sheet = sheets[split][window.tenant, window.key]
            answers += _answered(kpi, window, question, sheet, of_all=scene.accounts is None)
    return answers


async def _health_sheets(scene: Scene, *, split: bool) -> dict[Place, _Sheet]:
    found: dict[Place, _Sheet] = {}
    for place, (accounts, healths) in (await health_columns(scene, split=split)).items():
        columns: dict[str, Sequence[float | None]] = {
            name: [None if tenths < 0 else tenths / 10 for tenths in column.tolist()] for name, column in healths.tenths.items()
        }
        columns[MAIN] = [None if score < 0 else score for score in healths.scores.tolist()]
        found[place] = _Sheet(accounts, columns, healths.notes(MAX_REASONS))
    return found


async def _risk_sheets(scene: Scene) -> dict[Place, _Sheet]:
    found: dict[Place, _Sheet] = {}
    for place, (accounts, risks) in (await churn_columns(scene)).items():
        bands = risks.bands
        columns: dict[str, Sequence[float | None]] = {name: [int(band == name) for band in bands] for name, _ in BANDS}
        columns[MAIN] = risks.scores
        found[place] = _Sheet(accounts, columns, risks.notes(MAX_REASONS))
    return found


def _answered(kpi: Kpi, window: Window, question: Question, sheet: _Sheet, *, of_all: bool) -> Iterable[Value]:
    wanted = question.statistics or tuple(kpi.statistics)
    if question.by:
        return _by_account(window, wanted, sheet)
    if kpi.id == CHURN_RISK and of_all:
        return _of_all(window, wanted, sheet)
    return [_value(window, name, sheet) for name in wanted]


def _by_account(window: Window, wanted: Sequence[str], sheet: _Sheet) -> Iterable[Value]:
    tenant, key = window.tenant, window.key
    columns = [(name, sheet.columns[name], sheet.notes if name == MAIN else None) for name in wanted]
    begun = row_text({_ACCOUNT: ""}).removesuffix('""}')
    for account, number in sorted(zip(sheet.accounts, count(), strict=False)):
        dims = {_ACCOUNT: account}
        row = begun + encode_basestring(account) + "}"
        for name, column, notes in columns:
            value, note = column[number], notes[number] if notes else ""
            yield Value(tenant, key, name, value, None, None, dims, NO_DATA if value is None else "", note, row)


def _value(window: Window, name: str, sheet: _Sheet) -> Value:
    """A statistic of the only one of a sheet; none where there is none."""
    column = sheet.columns[name]
    value = column[0] if column else None
    note = sheet.notes[0] if name == MAIN and column else ""
    return Value(window.tenant, window.key, name, value, reason="" if value is not None else NO_DATA, note=note)


def _of_all(window: Window, wanted: Sequence[str], sheet: _Sheet) -> Iterable[Value]:
    """The mean over customers, and how many are in each band."""
    for name in wanted:
        total, n = sum(int(score or 0) for score in sheet.columns[name]), len(sheet.accounts)
        if name == MAIN:
            yield Value(window.tenant, window.key, name, total / n if n else None, total, n, reason="" if n else NO_DATA)
        else:
            yield Value(window.tenant, window.key, name, total, total)
