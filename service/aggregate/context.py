"""What a fold is told beside its events: the tenants' declarations and how far back each grain is kept."""

from collections.abc import Mapping
from dataclasses import dataclass

from service.clock import MINUTE
from service.domain.foldconfig import TenantFoldConfig

NEVER_US = 1 << 62
LIVE_US = 15 * MINUTE


@dataclass(frozen=True, slots=True)
class FoldContext:
    """The same for all folds of a batch."""

    configs: Mapping[int, TenantFoldConfig]
    """By tenant; every tenant of the batch is there."""
    minute_from_us: int
    """Minutes that begin before this have no partition: the grain is skipped."""
    quarter_from_us: int
    """Quarters of an hour (facts and probes) that begin before this have no partition."""
    minute_until_us: int = NEVER_US
    """Nor have minutes that begin at this or after it: only a clock that is days ahead gives such receipts."""
    quarter_until_us: int = NEVER_US
    live_us: int = LIVE_US
    """How old an event may be when it is received and still feed the counters of SLOs."""
