"""Cutting a window into the grains that are kept: minutes at its edges, quarters, whole local days."""

from dataclasses import dataclass
from functools import lru_cache

from service.clock import QUARTER
from service.domain.localtime import day_of, start_of_day_us

Span = tuple[int, int]
"""Begin and end (not included): microseconds since 1970, or for days days since 1970."""
REMEMBERED_CUTS = 16_384


@dataclass(frozen=True, slots=True)
class Cut:
    """The pieces of one window: together they are it, and none covers another."""

    minutes: tuple[Span, ...] = ()
    quarters: tuple[Span, ...] = ()
    days: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """The oldest instants whose minutes and quarters are still there; 0: all."""

    minute_from_us: int = 0
    quarter_from_us: int = 0


@lru_cache(maxsize=REMEMBERED_CUTS)
def cut(start_us: int, end_us: int, zone: str) -> Cut:
    """Cut a span of whole minutes into as few rows as are kept of it.

    Every local day begins on a quarter of an hour, so days are cut out of quarters and quarters out of minutes.
    """
    inner = _ceil(start_us), end_us // QUARTER * QUARTER
    if inner[0] >= inner[1]:
        return Cut(minutes=_spans((start_us, end_us)))
    minutes = _spans((start_us, inner[0]), (inner[1], end_us))
    first = day_of(inner[0], zone)
    if start_of_day_us(first, zone) < inner[0]:
        first += 1
    after = day_of(inner[1], zone)
    if first >= after:
        return Cut(minutes, _spans(inner))
    quarters = _spans((inner[0], start_of_day_us(first, zone)), (start_of_day_us(after, zone), inner[1]))
    return Cut(minutes, quarters, ((first, after),))


def expired(pieces: Cut, kept: Kept) -> bool:
    """Whether a piece lies in a grain that is no longer kept for it."""
    return any(span[0] < kept.minute_from_us for span in pieces.minutes) or any(
        span[0] < kept.quarter_from_us for span in pieces.quarters
    )


def _spans(*spans: Span) -> tuple[Span, ...]:
    return tuple(span for span in spans if span[0] < span[1])


def _ceil(instant_us: int) -> int:
    return -(-instant_us // QUARTER) * QUARTER
