"""What formulas read: the rows of a KPI as a few arrays, and no object a row."""

from functools import lru_cache
from typing import Final

from service.catalog.kpi import Kpi
from service.catalog.question import MAX_ROWS
from service.catalog.statement import MAX_WHOLE, REMEMBERED_STATEMENTS, Statement, ended

_IS_WHOLE: Final = " and ".join(
    f"coalesce({name} = trunc({name}) and abs({name}) < {MAX_WHOLE}, true)" for name in ("a.numerator", "a.denominator")
)
COLUMNS: Final = f"""
select win, statistic, is_whole, array_agg(dims) as dims,
  array_agg(numerator::bigint) filter (where is_whole) as overs,
  array_agg(denominator::bigint) filter (where is_whole) as unders,
  array_agg(numerator::numeric) filter (where not is_whole) as exact_overs,
  array_agg(denominator::numeric) filter (where not is_whole) as exact_unders
from (
  select a.win, a.statistic, a.dims::text as dims, a.numerator, a.denominator, {_IS_WHOLE} as is_whole
  from answer a limit {MAX_ROWS + 1}
) f group by win, statistic, is_whole""".strip()
"""What is selected from a KPI's `answer`: of rows whose two numbers are whole, and of others, their dims (text) and numbers."""


def has_columns(kpi: Kpi) -> bool:
    """Whether a KPI's rows are two numbers each, and all that there is to say of it."""
    is_plain = kpi.head.kind in {"count", "ratio", "mean"} and bool(kpi.sql) and not kpi.head.declared
    return is_plain and not kpi.is_guest and "note" not in kpi.words


@lru_cache(maxsize=REMEMBERED_STATEMENTS)
def columns_statement(kpi: Kpi, by: tuple[str, ...], filtered: frozenset[str]) -> Statement:
    """The statement of a KPI with columns (`has_columns`), all rows of the split, in no order."""
    return ended(kpi, by, filtered, COLUMNS)
