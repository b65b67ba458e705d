"""What folds need of a tenant's configuration (the keys marked F), by the event's time."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from service.domain.slo import Selection

FIRST: Final = "~first:"
"""Begins the milestone under which a first use is kept that only a funnel asks for: of a feature, a group, or anything."""


@dataclass(frozen=True, slots=True)
class FirstUse:
    """A milestone that is reached with the first use of a feature."""

    milestone: str
    features: frozenset[str] = frozenset()
    """Any of these; none named: whatever makes active."""
    of_account: bool = False
    """The account reaches it that the use names, else the user."""


@dataclass(frozen=True, slots=True)
class Together:
    """A milestone that is reached when the last of several is."""

    milestone: str
    parts: tuple[str, ...]
    """Milestones of a user, in the order of their names; none of them is made of others."""
    of_account: bool = False
    """The account reaches it when one of its users has all, else the user."""


@dataclass(frozen=True, slots=True)
class FoldConfig:
    """One version's part that decides how events are folded."""

    timezone: str = "UTC"
    ignore_features: frozenset[str] = frozenset()
    """Features whose use makes nobody active."""
    limit_ns: Mapping[str, int] = field(default_factory=dict)
    """On-time limit by integration, in nanoseconds."""
    properties: Mapping[str, int] = field(default_factory=dict)
    """Usage properties that are split by, with how many values each may have."""
    frequency_features: frozenset[str] = frozenset()
    """Features whose uses are kept by user and week; `*` is anything."""
    tracked: frozenset[str] = frozenset()
    """Integrations whose deliveries are kept one by one from their acceptance on."""
    completeness: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By family: optional fields of which is counted how many events have them."""
    first_uses: tuple[FirstUse, ...] = ()
    """First uses that are kept, in the order of their names."""
    together: tuple[Together, ...] = ()
    """Milestones that are made of others, in the order of their names."""
    slos: tuple[Selection, ...] = ()
    """SLOs of events."""


@dataclass(frozen=True, slots=True)
class TenantFoldConfig:
    """All versions of a tenant, oldest first; the first reaches back for ever."""

    version: int
    """config_version of the tenant when this was read: the flush checks that it still is."""
    valid_from_us: tuple[int, ...]
    """Beginning of each version; the first is the least integer."""
    versions: tuple[FoldConfig, ...]

    def at(self, time_us: int) -> FoldConfig:
        """The version that an event of this time is folded with."""
        return self.versions[max(0, bisect_right(self.valid_from_us, time_us) - 1)]
