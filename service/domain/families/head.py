"""The head of a row, for families of few events: those of many hand its fields over one by one, which is cheaper."""

from typing import TypeAlias

from service.domain.families.envelope import Envelope, Intake
from service.domain.ids import IdHash

Head: TypeAlias = tuple[bytes, int, str, str, int | None, int, str, bool, bytes | None]
"""The first fields of a row, in the order of `rows.Row`."""


def head_of(event: Envelope, id_hash: IdHash, time_us: int | None, raw: bytes | None, intake: Intake) -> Head:
    """What every row begins with."""
    return (
        id_hash,
        intake.tenant,
        event.source,
        event.id,
        time_us,
        intake.received_us,
        event.account or "",
        intake.backfill,
        raw,
    )
