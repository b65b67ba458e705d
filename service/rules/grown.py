"""How much counters grew, also those that Prometheus first sees when they have grown.

`increase()` compares samples: of a series that appears with 300 it knows no growth. So each counter says since when it has
counted (`…_created`, https://prometheus.io/docs/specs/om/open_metrics_spec/, Counter): one that is younger than a window has
grown in it by all that it shows, whenever it was first scraped. One that is older and first seen now, as all are by a
Prometheus that has just begun, has not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from service.rules.model import Recording

SECONDS: Final[Mapping[str, int]] = {
    "5m": 300,
    "15m": 900,
    "30m": 1_800,
    "1h": 3_600,
    "2h": 7_200,
    "6h": 21_600,
    "1d": 86_400,
    "3d": 259_200,
}
"""Windows that growth is recorded in, and how long they are."""


def grown(counter: str, age: str, window: str) -> str:
    """How much counters grew in a window that never begin anew; `age` are their seconds, by the same labels."""
    return f"({_young(counter, age, window)} or {_seen(counter, window)})"


@dataclass(frozen=True, slots=True)
class OfProcess:
    """A counter of processes, `…_total` or a histogram's `…_count`, whose growth in a window is recorded."""

    counter: str
    window: str

    @property
    def record(self) -> str:
        """The recorded series, with all labels of the counter."""
        return f"instance:{self._family}:increase{self.window}"

    def recording(self) -> Recording:
        """What it grew by: of what it shows since it began and what was seen of it, the more.

        A process that is started anew within the window takes up the series of the one before, of which only `increase` knows.
        """
        young, seen = _young(self.counter, f"time() - {self._family}_created", self.window), _seen(self.counter, self.window)
        return Recording(self.record, f"{seen} > {young}\nor {young}\nor {seen}")

    @property
    def _family(self) -> str:
        return self.counter.removesuffix("_total").removesuffix("_count")


def _young(counter: str, age: str, window: str) -> str:
    return f"({counter} and {age} < {SECONDS[window]})"


def _seen(counter: str, window: str) -> str:
    return f"increase({counter}[{window}])"
