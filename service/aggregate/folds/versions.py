"""Which version of its tenant's declarations each event is folded with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from service.aggregate.folds.tally import dense
from service.domain.columns import local_days
from service.domain.foldconfig import FoldConfig, TenantFoldConfig


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of a batch's tenants, and for each row the one that was valid at its time."""

    configs: tuple[FoldConfig, ...]
    of_row: npt.NDArray[np.int64]
    """Row to its place in `configs`."""

    def days(self, time_us: pl.Series) -> pl.Series:
        """Local days of the rows' instants (Int32, since 1970)."""
        return local_days(time_us, [config.timezone for config in self.configs], self.of_row)

    def series(self) -> pl.Series:
        """The rows' versions as a column, for joins with what the versions declare."""
        return pl.Series("version", self.of_row)

    def declared(self, columns: Mapping[str, pl.DataType], rows: list[tuple[Any, ...]]) -> pl.DataFrame:
        """A frame of declarations (`version` first) to join with `series()`."""
        return pl.DataFrame(rows, schema={"version": pl.Int64(), **columns}, orient="row")


def versions(tenant: pl.Series, time_us: pl.Series, configs: Mapping[int, TenantFoldConfig]) -> Versions:
    """Pick the version of each row's tenant by the row's instant."""
    place, owners = dense(tenant.to_numpy().astype(np.int64))
    present = np.bincount(place, minlength=len(owners)) > 0
    chosen = [configs[int(owner)] if here else None for owner, here in zip(owners, present, strict=True)]
    sizes = np.array([len(config.versions) if config else 0 for config in chosen], dtype=np.int64)
    of_row = (np.cumsum(sizes) - sizes)[place]
    if sizes.size and sizes.max() > 1:
        times = time_us.to_numpy()
        order = np.argsort(place, kind="stable")
        ends = np.searchsorted(place[order], np.arange(len(chosen) + 1))
        for index, config in enumerate(chosen):
            if config is not None and len(config.versions) > 1:
                rows = order[ends[index] : ends[index + 1]]
                valid_from = np.array(config.valid_from_us, dtype=np.int64)
                of_row[rows] += np.maximum(np.searchsorted(valid_from, times[rows], side="right") - 1, 0)
    return Versions(tuple(version for config in chosen if config for version in config.versions), of_row)
