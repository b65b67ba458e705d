"""One fold a family: columns in, deltas of the rollups out."""

from collections.abc import Mapping
from typing import Final

from service.aggregate.folds.delivery import DELIVERY
from service.aggregate.folds.fold import Fold
from service.aggregate.folds.incident import INCIDENT
from service.aggregate.folds.measurement import MEASUREMENT
from service.aggregate.folds.merge import merge
from service.aggregate.folds.probe import PROBE
from service.aggregate.folds.request import REQUEST
from service.aggregate.folds.usage import USAGE
from service.aggregate.folds.user import USER

FOLDS: Final[Mapping[str, Fold]] = {fold.family: fold for fold in (USAGE, USER, DELIVERY, REQUEST, PROBE, MEASUREMENT, INCIDENT)}
"""By family, in the order of a record's lists."""

__all__ = ["FOLDS", "Fold", "merge"]
