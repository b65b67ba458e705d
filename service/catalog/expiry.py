"""Windows that are finer than what is still kept of their KPI: they have no figure any more."""

from collections.abc import Sequence

from service.catalog.cut import Kept, cut, expired
from service.catalog.kpi import Kpi
from service.catalog.windows import Window


def by_expiry(kpi: Kpi, windows: Sequence[Window], kept: Kept) -> tuple[list[Window], list[Window]]:
    """The windows that are finer than what is still kept, and the others."""
    gone: list[Window] = []
    there: list[Window] = []
    for window in windows:
        (gone if _has_expired(kpi, window, kept) else there).append(window)
    return gone, there


def _has_expired(kpi: Kpi, window: Window, kept: Kept) -> bool:
    if kpi.head.of_quarters:
        return window.start_us < kept.quarter_from_us
    return kpi.head.facts is not None and expired(cut(window.start_us, window.end_us, window.zone), kept)
