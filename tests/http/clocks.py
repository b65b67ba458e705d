"""A clock that tests move."""

from service.clock import SECOND


class HandClock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.us = 1_900_000_000 * SECOND

    def now_us(self) -> int:
        return self.us

    def move(self, seconds: float) -> None:
        self.us += int(seconds * SECOND)
