"""Records of one partition that were fetched and not yet used."""

from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from service.domain.ids import Offset
from service.eventlog.port import Stored

MAX_READ_RECORDS: Final = 20_000


@dataclass(slots=True)
class Ahead:
    """Records of one partition that were fetched, without gaps, from where the last read began."""

    next: Offset
    """The offset behind the last of them: what is fetched next."""
    records: deque[Stored] = field(default_factory=deque)
    size: int = 0
    end: int = 0
    """The furthest end of the partition that any answer showed; there may be more by now."""
    fault: str = ""
    """Why what comes next cannot be read."""

    @property
    def has_more(self) -> bool:
        """Whether more is there to be fetched, as far as is known."""
        return self.next < self.end and not self.fault

    def begin_at(self, offset: Offset) -> None:
        """Drop what lies before `offset`; where it was never fetched, all that there is."""
        while self.records and self.records[0].offset < offset:
            self.size -= len(self.records.popleft().payload)
        if (self.records[0].offset if self.records else self.next) != offset:
            self.records.clear()
            self.size, self.next, self.end = 0, offset, 0
        self.fault = ""

    def add(self, record: Stored) -> None:
        """Keep the next record; the caller has compared its offset."""
        self.records.append(record)
        self.size += len(record.payload)
        self.next = Offset(record.offset + 1)

    def take(self, share: int) -> list[Stored]:
        """The first record, and those after it that fit into `share` bytes; they are kept: a caller may use only some."""
        taken: list[Stored] = []
        size = 0
        for record in islice(self.records, MAX_READ_RECORDS):
            size += len(record.payload)
            if taken and size > share:
                break
            taken.append(record)
        return taken
