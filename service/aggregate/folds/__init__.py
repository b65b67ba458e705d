"""One fold a family: columns in, deltas of the rollups out."""

from collections.abc import Mapping
from typing import Final

from service.aggregate.folds.account import ACCOUNT
from service.aggregate.folds.delivery import DELIVERY
from service.aggregate.folds.feedback import FEEDBACK
from service.aggregate.folds.fold import Fold
from service.aggregate.folds.incident import INCIDENT
from service.aggregate.folds.item import ITEM
from service.aggregate.folds.measurement import MEASUREMENT
from service.aggregate.folds.merge import merge
from service.aggregate.folds.probe import PROBE
from service.aggregate.folds.recovery import RECOVERY
from service.aggregate.folds.request import REQUEST
from service.aggregate.folds.ticket import TICKET
from service.aggregate.folds.usage import USAGE
from service.aggregate.folds.user import USER

FOLDS: Final[Mapping[str, Fold]] = {
    fold.family: fold
    for fold in (
        USAGE,
        USER,
        DELIVERY,
        REQUEST,
        PROBE,
        MEASUREMENT,
        INCIDENT,
        ACCOUNT,
        RECOVERY,
        TICKET,
        FEEDBACK,
        ITEM,
    )
}
"""By family, in the order of a record's lists."""

__all__ = ["FOLDS", "Fold", "merge"]
