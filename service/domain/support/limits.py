"""Limits of support as they are written: `30m` `4h` `2d` by the clock, `2bh` `5bd` in hours and days of support."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from service.clock import DAY, HOUR, MINUTE
from service.errors import InvalidText

_WRITTEN = re.compile(r"([0-9]{1,6})(m|h|d|bh|bd)", re.ASCII)
CLOCK_US: Final = {"m": MINUTE, "h": HOUR, "d": DAY, "bh": HOUR}
"""Microseconds of each unit but `bd`, which is as long as the tenant's support day (9 hours by default)."""
BUSINESS: Final = ("bh", "bd")
"""Units that count in support hours alone."""


@dataclass(frozen=True)
class Limit:
    """How long something may take."""

    text: str

    def __post_init__(self) -> None:
        """Raises InvalidText for what is no limit."""
        if _WRITTEN.fullmatch(self.text) is None:
            raise InvalidText(
                f'"{self.text}" is no limit of support: write a whole number and m, h, d, bh or bd, as "4h" or "5bd"'
            )

    @cached_property
    def _parts(self) -> tuple[int, str]:
        number = self.text.rstrip("mhdb")
        return int(number), self.text.removeprefix(number)

    @property
    def is_business(self) -> bool:
        """Whether only support hours count."""
        return self._parts[1] in BUSINESS

    def us(self, support_day_us: int) -> int:
        """Its length in microseconds, where a support day is that long."""
        number, unit = self._parts
        return number * (support_day_us if unit == "bd" else CLOCK_US[unit])
