"""One fold a family: columns in, deltas of the rollups out."""

from collections.abc import Mapping
from typing import Final

from service.aggregate.folds.fold import Fold
from service.aggregate.folds.request import REQUEST
from service.aggregate.folds.usage import USAGE

FOLDS: Final[Mapping[str, Fold]] = {fold.family: fold for fold in (USAGE, REQUEST)}
"""By family, in the order of a record's lists."""

__all__ = ["FOLDS", "Fold"]
