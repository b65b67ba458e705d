"""Adding up rows of a fine split to those of coarser ones, for KPIs whose rows are disjoint (`adds_up` in the head)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import localcontext
from operator import add, itemgetter
from typing import Any, Final

import msgspec

from service.catalog.kpi import Kpi
from service.catalog.question import account_of
from service.catalog.value import Row, histograms, row_text

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
    """Rows of a finer split added up to those of a split by `by`.

    They are `win, dims, statistic, numerator, denominator`, or `win, dims, n, total, least, greatest, histogram`.
    """

    def text_of(record: Row) -> str:
        dims = msgspec.json.decode(record["dims"], type=dict[str, str])
        return row_text({name: dims[name] for name in by if name in dims})

    return _sums(records, text_of)


def in_one(records: Iterable[Row], *, by_account: bool) -> list[dict[str, Any]]:
    """Rows of distributions that come in pieces, each once: in the order of their text, or first of all of their account."""
    rows = _sums(records, itemgetter("dims"))
    return sorted(rows, key=_account_first if by_account else itemgetter("dims"))


def _account_first(row: Row) -> tuple[str, str]:
    return account_of(row["dims"]) or "", row["dims"]


def _sums(records: Iterable[Row], text_of: Callable[[Row], str]) -> list[dict[str, Any]]:
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    with localcontext(prec=DIGITS):
        for record in records:
            added = _DISTRIBUTION if "histogram" in record else _FIGURES
            key = (record["win"], text_of(record), record["statistic"] if added is _FIGURES else None)
            row = rows.get(key)
            if row is None:
                row = rows[key] = {"win": key[0], "dims": key[1], "statistic": key[2], **dict.fromkeys(added)}
                if added is _DISTRIBUTION:
                    row["histogram"] = []
            for name, put in added.items():
                row[name] = _either(put, row[name], record[name])
            if added is _DISTRIBUTION:
                row["histogram"] += histograms(record)
    return list(rows.values())


def _either(put: Callable[[Any, Any], Any], total: object, number: object) -> Any:
    return number if total is None else total if number is None else put(total, number)


_FIGURES: Final[Mapping[str, Callable[[Any, Any], Any]]] = {"numerator": add, "denominator": add}
_DISTRIBUTION: Final[Mapping[str, Callable[[Any, Any], Any]]] = {"n": add, "total": add, "least": min, "greatest": max}
