"""What a selector names, as the question that its KPI is asked: filters, parameters, the limit of `share_within`."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import Final

from service.catalog.kpi import Kpi
from service.catalog.question import Question
from service.domain.config.choices import number_text
from service.domain.targets import Choices

_MILLISECONDS = 1_000
REMEMBERED_KPIS: Final = 1_000


def limit_name(kpi: Kpi) -> str:
    """What the limit of `share_within` is called."""
    return "limit_ms" if kpi.head.unit in {"ms", "s"} else "limit_value"


def limit_of(kpi: Kpi, number: Fraction) -> Fraction:
    """The limit in the KPI's unit."""
    return number / _MILLISECONDS if kpi.head.unit == "s" else number


def chosen(kpi: Kpi, where: Mapping[str, tuple[str, ...]]) -> tuple[dict[str, str], Fraction | None]:
    """The parameters that a selector names, and the limit of `share_within`; it was checked (domain/config/choices.py)."""
    named = {name: of[0] for name, of in where.items() if not kpi.splits_by(name)}
    limit = named.pop(limit_name(kpi), None)
    return named, None if limit is None else limit_of(kpi, Fraction(limit))


def question_of(kpi: Kpi, where: Mapping[str, tuple[str, ...]], statistics: tuple[str, ...], *, spread: bool = False) -> Question:
    """The question for some statistics of what a selector names."""
    parameters, within = chosen(kpi, where)
    filters = {name: of for name, of in where.items() if kpi.splits_by(name)}
    return Question(filters=filters, parameters=parameters, statistics=statistics, within=within, spread=spread)


def choices_of(kpi: Kpi, question: Question) -> Choices:
    """What values of a question are judged by beside their dimensions; what nobody names is what the KPI's head says."""
    usual = _usual(kpi)
    if not question.parameters and question.within is None:
        return usual
    named = {name: number_text(value) if name in usual.numbers else value for name, value in question.parameters.items()}
    if question.within is not None:
        named[limit_name(kpi)] = number_text(question.within * _MILLISECONDS if kpi.head.unit == "s" else question.within)
    unusual = frozenset(name for name, value in named.items() if usual.chosen.get(name, value) != value)
    return replace(usual, chosen={**usual.chosen, **named}, unusual=unusual)


@lru_cache(maxsize=REMEMBERED_KPIS)
def _usual(kpi: Kpi) -> Choices:
    """Made once: every row of an answer is judged by it."""
    own = kpi.head.parameters
    numbers = frozenset(name for name, each in own.items() if not each.values and not each.feature)
    said = {each.dimension: (name, each.default) for name, each in own.items() if each.dimension}
    limit = frozenset() if kpi.splits_by(limit_name(kpi)) else frozenset({limit_name(kpi)})
    return Choices({name: each.default for name, each in own.items() if each.default}, numbers=numbers | limit, said=said)
