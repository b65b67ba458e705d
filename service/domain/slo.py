"""SLOs: which events they are about, and what makes one good."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

EventKind = Literal["delivery_on_time", "request_success", "request_latency", "usage", "meter"]
Comparison = Literal["<=", "<", ">=", ">"]
FACTS_OF: Final[Mapping[EventKind, str]] = {
    "delivery_on_time": "delivery",
    "request_success": "request",
    "request_latency": "request",
    "usage": "usage",
    "meter": "meter",
}
"""The facts whose events each kind is about; availability and freshness are about time, and read their own tables."""
PLATFORM_WIDE: Final[frozenset[EventKind]] = frozenset({"request_success", "request_latency"})
"""Kinds whose events concern every account where they name none."""
_FINALS: Final = frozenset({"delivered", "failed", "dead_lettered"})
_ACCOUNT: Final = "account"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events an SLO is about, and which of them are good: what a fold needs of it."""

    name: str
    kind: EventKind
    where: tuple[tuple[str, frozenset[str]], ...] = ()
    """Dimensions with the values that they may have."""
    comparison: Comparison = "<="
    bound: int | None = None
    """Of request_latency (nanoseconds) and meter (units of 1e-9): an event is good when its value compares so with it."""

    def takes(self, account: str, dims: Mapping[str, str]) -> bool:
        """Whether events of these dimensions are among them; "" stands for a dimension that an event does not name."""
        if self.kind == "delivery_on_time" and dims.get("outcome") not in _FINALS:
            return False
        return all(self._allows(name, values, account, dims) for name, values in self.where)

    def is_good(self, dims: Mapping[str, str]) -> bool:
        """Whether events of these dimensions are good, where no value decides on it."""
        if self.kind == "delivery_on_time":
            return dims.get("on_time") == "true" or ("limited" not in dims and dims.get("outcome") == "delivered")
        if self.kind == "usage":
            return dims.get("ok") != "false"
        status = dims.get("status", "")
        return status != "timeout" and not status.startswith("5")

    def _allows(self, name: str, values: frozenset[str], account: str, dims: Mapping[str, str]) -> bool:
        if name == _ACCOUNT:
            return account in values or (account == "" and self.kind in PLATFORM_WIDE)
        return dims.get(name, "") in values


@dataclass(frozen=True, slots=True)
class Tally:
    """Seconds or minutes of an SLO that is about time over a stretch of it, and how many of them were good."""

    good: int
    total: int
