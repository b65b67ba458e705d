"""What the ledger asks of a log that does not lie in its database."""

from collections.abc import Mapping
from dataclasses import dataclass

from service.domain.ids import Offset, Partition
from service.eventlog.port import EventLog


@dataclass(frozen=True, slots=True)
class LogCounts:
    """Events appended and pending, for store/ledger.py."""

    log: EventLog
    from_records: bool
    """Count what is pending record by record: a proof, that reads all of it."""

    @property
    def generation(self) -> int:
        """The generation that is counted."""
        return self.log.generation

    async def __call__(self, positions: Mapping[Partition, Offset]) -> Mapping[Partition, tuple[int, int | None]]:
        """Events ever appended, and those from these positions on (None: not counted). Raises what the log raises."""
        if self.from_records:
            found = await self.log.backlog(positions)
            return {partition: (each.appended, each.pending) for partition, each in found.items()}
        return {partition: (each.events, None) for partition, each in (await self.log.extents(list(positions))).items()}
