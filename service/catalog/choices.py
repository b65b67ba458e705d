"""What a formula's operand names, as the question that its KPI is asked: filters, parameters, the limit of `share_within`."""

from collections.abc import Mapping
from fractions import Fraction

from service.catalog.kpi import Kpi

_MILLISECONDS = 1_000


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
