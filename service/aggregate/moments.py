"""When milestones were reached first, as far as this process has committed it: what comes later changes nothing."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from service.aggregate.places import Places

KNOWN_MOMENTS: Final = 500_000
_KEY: Final = ["tenant", "kind", "milestone", "who", "account"]


@dataclass(slots=True)
class FirstMoments:
    """Spares a flush the milestones that were reached before: a feature in daily use would bring each of its users again."""

    _known: Places = field(default_factory=lambda: Places(KNOWN_MOMENTS))

    def news(self, milestones: pl.DataFrame) -> pl.DataFrame:
        """MILESTONES without those that are later than what has been committed; of one time, the order may still matter."""
        if milestones.is_empty():
            return milestones
        _, moments = self._known.find(milestones.select(_KEY))
        return milestones.filter(pl.col("time_us") <= pl.Series(moments))

    def learn(self, milestones: pl.DataFrame) -> None:
        """Remember what has been committed."""
        if len(milestones):
            nothing = np.zeros(len(milestones), dtype=np.int64)
            self._known.learn(milestones.select(_KEY), nothing, milestones["time_us"].to_numpy())
