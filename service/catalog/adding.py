"""Adding up rows of a fine split to those of coarser ones, for KPIs whose rows are disjoint (`adds_up` in the head)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import localcontext
from operator import add
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
    """Rows of a finer split added up to those of a split by `by`.

    They are `win, dims, statistic, numerator, denominator`, or `win, dims, n, total, least, greatest, histogram`.
    """
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    histograms: dict[tuple[Any, ...], list[bytes]] = {}
    with localcontext(prec=DIGITS):
        for record in records:
            dims = msgspec.json.decode(record["dims"], type=dict[str, str])
            text = row_text({name: dims[name] for name in by if name in dims})
            added = _FIGURES if "statistic" in record else _DISTRIBUTION
            key = (record["win"], text, record["statistic"] if added is _FIGURES else None)
            row = rows.setdefault(key, {"win": key[0], "dims": text, "statistic": key[2], **dict.fromkeys(added)})
            for name, put in added.items():
                row[name] = _either(put, row[name], record[name])
            if added is _DISTRIBUTION:
                histograms.setdefault(key, []).append(record["histogram"] or b"")
    # The bins of one stand behind those of the other, as where a statement adds up histograms.
    for key, found in histograms.items():
        rows[key]["histogram"] = b"".join(found)
    return list(rows.values())


def _either(put: Callable[[Any, Any], Any], total: object, number: object) -> Any:
    return number if total is None else total if number is None else put(total, number)


_FIGURES: Final[Mapping[str, Callable[[Any, Any], Any]]] = {"numerator": add, "denominator": add}
_DISTRIBUTION: Final[Mapping[str, Callable[[Any, Any], Any]]] = {"n": add, "total": add, "least": min, "greatest": max}
