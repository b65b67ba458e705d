"""How a tenant looked when a round was last done: whether it is due again."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.catalog import Window
from service.store.dirty import Touched


@dataclass(slots=True)
class Seen:
    """How a tenant looked when its round was last done; `holds`: some value was there then."""

    flush: int
    config_version: int
    windows: tuple[tuple[int, int], ...]
    holds: bool = True

    def is_due(self, each: Touched, windows: Sequence[Window]) -> bool:
        """Touched by a flush, declared anew, or its windows moved and may let go of something."""
        if (each.flush, each.config_version) != (self.flush, self.config_version):
            return True
        return self.holds and tuple((w.start_us, w.end_us) for w in windows) != self.windows
