"""Adding up rows of a fine split to those of coarser ones, for KPIs whose rows are disjoint (`adds_up` in the head)."""

from collections.abc import Iterable, Sequence
from decimal import Decimal, localcontext
from typing import Any, Final

import msgspec

from service.catalog.kpi import Kpi
from service.catalog.value import Row, row_text

DIGITS: Final = 200
"""More than sums of quantities ever have, so that none is rounded."""
_ACCOUNT: Final = "account"


def finest(kpi: Kpi, splits: list[tuple[str, ...]]) -> tuple[str, ...] | None:
    """The split whose rows add up to those of all these splits; None where each has to be asked for by itself.

    A split by accounts leaves out what names none, so nothing adds up to a whole from it.
    """
    names = tuple(dict.fromkeys(name for by in splits for name in by))
    if not kpi.head.adds_up or splits == [names] or any(name.startswith((_ACCOUNT, "band.")) for name in names):
        return None
    return names


def at_once(kpi: Kpi, splits: Sequence[tuple[str, ...]]) -> tuple[str, ...] | None:
    """All dimensions of these splits, where the file gives them at once (`together` in the head); else None."""
    names = tuple(dict.fromkeys(name for by in splits for name in by))
    return names if len(splits) > 1 and set(names) <= set(kpi.head.together) else None


def added_up(records: Iterable[Row], by: Sequence[str]) -> list[dict[str, Any]]:
    """Rows `win, dims, statistic, numerator, denominator` of a finer split, added up to those of a split by `by`."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    with localcontext(prec=DIGITS):
        for record in records:
            dims = msgspec.json.decode(record["dims"], type=dict[str, str])
            text = row_text({name: dims[name] for name in by if name in dims})
            key = (record["win"], text, record["statistic"])
            row = rows.setdefault(key, {"win": key[0], "dims": text, "statistic": key[2], "numerator": None, "denominator": None})
            for side in ("numerator", "denominator"):
                row[side] = _sum(row[side], record[side])
    return list(rows.values())


def _sum(total: Decimal | int | None, number: Decimal | int | None) -> Decimal | int | None:
    return number if total is None else total if number is None else total + number
