"""The domain's rules for columns of many rows at once: local days of instants, bins of integers.

Apart from the rules for one, for polars takes long to load, and only what folds has columns.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from service.clock import QUARTER, SECOND
from service.domain.histogram import BOUNDS, Ints, bin_of

_WHOLE_QUARTERS_SINCE_US: Final = 64_800_000 * SECOND
"""1972-01-21: from then on no zone is off UTC by anything but whole quarters of an hour (Monrovia was the last)."""
_WIDE: Final = pl.Series(BOUNDS, dtype=pl.Int128)
_INT64_MAX: Final = (1 << 63) - 1


def local_days(instants_us: pl.Series, zones: Sequence[str], of_row: npt.NDArray[np.int64]) -> pl.Series:
    """Local days (Int32, since 1970) of instants (Int64, microseconds); a row's IANA zone is `zones[of_row]`."""
    distinct = {zone: code for code, zone in enumerate(dict.fromkeys(zones))}
    if len(distinct) <= 1:
        return _days_in(instants_us, next(iter(distinct), "UTC"))
    codes = np.array([distinct[zone] for zone in zones], dtype=np.int64)[of_row]
    order = np.argsort(codes)
    ends = np.searchsorted(codes[order], np.arange(len(distinct) + 1))
    days = np.empty(len(instants_us), dtype=np.int32)
    for zone, start, end in zip(distinct, ends[:-1], ends[1:], strict=True):
        rows = order[start:end]
        days[rows] = _days_in(instants_us.gather(rows), zone).to_numpy()
    return pl.Series(days)


def _days_in(instants_us: pl.Series, zone: str) -> pl.Series:
    least, greatest = instants_us.min(), instants_us.max()
    if not isinstance(least, int) or not isinstance(greatest, int):
        return pl.Series(dtype=pl.Int32)
    first, last = least // QUARTER, greatest // QUARTER
    if least < _WHOLE_QUARTERS_SINCE_US or last - first >= len(instants_us):
        return _convert(instants_us, zone)
    by_quarter = _convert(pl.Series(np.arange(first, last + 1, dtype=np.int64) * QUARTER), zone)
    return by_quarter.gather(instants_us.to_numpy() // QUARTER - first)


def _convert(instants_us: pl.Series, zone: str) -> pl.Series:
    return instants_us.cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone).dt.date().cast(pl.Int32)


def bin_of_wide(values: pl.Series) -> Ints:
    """Bins of an Int128 series, any sign, in its order."""
    if not ((values > _INT64_MAX) | (values < -_INT64_MAX)).any():
        return bin_of(values.cast(pl.Int64).to_numpy())
    found = _WIDE.search_sorted(values.abs(), side="right").cast(pl.Int64)
    return (found * values.sign().cast(pl.Int64)).to_numpy()
