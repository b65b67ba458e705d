"""All versions of a tenant's configuration, and which of them counts when."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from service.domain.config.alerts import MAX_SLOS, Slo
from service.domain.config.tenant import TenantConfig
from service.domain.foldconfig import TenantFoldConfig

FOR_EVER_US: Final = -(2**63)
"""Beginning of a tenant's first version."""


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One version as it was stored."""

    number: int
    valid_from_us: int
    config: TenantConfig


@dataclass(frozen=True, slots=True)
class TenantConfigs:
    """The versions of a tenant that count at some time, by their beginnings; there is always one."""

    version: int
    """config_version of the tenant when this was read; 0: nothing was declared, the defaults count."""
    timezone: str
    valid_from_us: tuple[int, ...]
    versions: tuple[TenantConfig, ...]
    numbers: tuple[int, ...] = (0,)
    """Which version each of them is; 0: what is declared where nothing is."""

    def at(self, time_us: int) -> TenantConfig:
        """The version for an instant; for a window that ends at `end_us`, ask for `end_us - 1`."""
        return self.versions[self.place_at(time_us)]

    def place_at(self, time_us: int) -> int:
        """Where the version for an instant stands among those that count."""
        return max(0, bisect_right(self.valid_from_us, time_us) - 1)

    @property
    def newest(self) -> TenantConfig:
        """The version that begins last, whether it has begun or not."""
        return self.versions[-1]

    @property
    def properties(self) -> frozenset[str]:
        """Usage properties that some version declares: what was counted by one stays split by it."""
        return frozenset(name for version in self.versions for name in version.properties)

    def slos_from(self, time_us: int) -> tuple[Slo, ...]:
        """The SLOs of an instant, then those that are planned for later; no more than a version may have."""
        found: dict[str, Slo] = {}
        for version in self.versions[self.place_at(time_us) :]:
            found |= {slo.name: slo for slo in version.slos if slo.name not in found}
        return tuple(found.values())[:MAX_SLOS]

    def to_fold(self) -> TenantFoldConfig:
        """The parts that folds need, by the same beginnings."""
        return TenantFoldConfig(self.version, self.valid_from_us, tuple(each.to_fold() for each in self.versions))


def configs_of(timezone: str, version: int, stored: Sequence[StoredVersion]) -> TenantConfigs:
    """The versions that count, of all that were stored; every one takes the tenant's time zone.

    A version counts from its beginning on, whatever was declared before: one that was to begin
    then or later is replaced by it.
    """
    counting: list[StoredVersion] = []
    for each in sorted(stored, key=lambda one: one.number):
        while counting and counting[-1].valid_from_us >= each.valid_from_us:
            counting.pop()
        counting.append(each)
    if not counting:
        counting = [StoredVersion(0, FOR_EVER_US, TenantConfig())]
    return TenantConfigs(
        version,
        timezone,
        tuple(each.valid_from_us for each in counting),
        tuple(each.config.in_zone(timezone) for each in counting),
        tuple(each.number for each in counting),
    )
