"""Short ways to make rows for tests that read as sentences."""

from datetime import datetime
from typing import Any, TypeVar

from service.aggregate.context import FoldContext
from service.aggregate.deltas import Deltas
from service.aggregate.folds import FOLDS
from service.clock import to_us
from service.domain.families.rows import Row
from service.domain.foldconfig import FoldConfig, TenantFoldConfig
from tests.columns import columns

R = TypeVar("R", bound=Row)
TENANT = 1
NOON = "2025-11-20T12:00:00+00:00"


def us(text: str) -> int:
    return to_us(datetime.fromisoformat(text))


def row(of: type[R], at: str = NOON, **fields: Any) -> R:
    """A row with a head of its own; `fields` may say any of the head's fields too."""
    time_us = us(at)
    head = {"id_hash": bytes(16), "tenant": TENANT, "source": "s", "id": "1", "account": "", "backfill": False, "raw": None}
    return of(**{**head, "time_us": time_us, "received_us": time_us, **fields})


def declares(*versions: FoldConfig, valid_from: tuple[str, ...] = ()) -> FoldContext:
    """One tenant's declarations; nothing is too old for its grain."""
    starts = (-(2**63), *map(us, valid_from))
    return FoldContext({TENANT: TenantFoldConfig(1, starts, versions or (FoldConfig(),))}, -(2**63), -(2**63))


def fold(family: str, *rows: Row, context: FoldContext | None = None) -> Deltas:
    return FOLDS[family].fold(columns(family, rows), context or declares())


def days(deltas: Deltas) -> dict[tuple[str, str], dict[str, Any]]:
    """The facts by the day, by kind and dimensions."""
    facts = deltas.facts.filter(deltas.facts["grain"] == "day")
    return {(fact["kind"], fact["dims"]): fact for fact in facts.iter_rows(named=True)}
