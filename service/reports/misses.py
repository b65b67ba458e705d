"""What misses its target: every judged line of a report that is red or yellow, whichever block it stands in."""

from collections.abc import Iterable

from service.domain.selector import parse_selector
from service.reports.model import Figure, Figures

MAX_MISSES = 40
ALL_IS_WELL = "Everything that is judged in this report meets its target."
NOTHING_JUDGED = "Nothing in this report is judged: nothing that has a figure has a target. Declare some as [[target]]."


def misses(title: str, judged: Iterable[Figure]) -> Figures:
    """Red before yellow, each once: what stands in several blocks counts as it was found first."""
    found: dict[object, Figure] = {}
    for each in judged:
        if each.status != "none":
            found.setdefault((parse_selector(each.selector).key, each.of), each)
    missed = [each for status in ("red", "yellow") for each in found.values() if each.status == status]
    left_out = len(missed) - MAX_MISSES
    note = f"and {left_out} more in the sections below" if left_out > 0 else ""
    return Figures(title, tuple(missed[:MAX_MISSES]), ALL_IS_WELL if found else NOTHING_JUDGED, note)
