"""What a fold is told beside its events: the tenants' declarations and how far back each grain is kept."""

from collections.abc import Mapping
from dataclasses import dataclass

from service.domain.foldconfig import TenantFoldConfig


@dataclass(frozen=True, slots=True)
class FoldContext:
    """The same for all folds of a batch."""

    configs: Mapping[int, TenantFoldConfig]
    """By tenant; every tenant of the batch is there."""
    minute_from_us: int
    """Minutes that begin before this have no partition: the grain is skipped."""
    quarter_from_us: int
    """Quarters of an hour (facts and probes) that begin before this have no partition."""
