"""Which offsets the batches of an answer have, where what they say of themselves is not to be believed."""

from typing import Final

import numpy as np
import numpy.typing as npt

from service.kafka.batches import BASE, NEXT, SOUND

_LAST_BASE: Final = 2**62
"""More than any topic reaches: up to here sums of offsets stay within 64 bits."""


def settle(table: npt.NDArray[np.int64], offset: int, end: int) -> None:
    """Note batches that are misplaced as not sound, and where those that are not sound lie.

    `table` is batches x BATCH_CELLS, `offset` what was asked for, `end` the offset that the partition's next record gets.
    """
    _misplaced(table, offset)
    for number in np.flatnonzero(table[:, SOUND] == 0).tolist():
        before = int(table[number - 1, NEXT]) if number else offset
        base = int(table[number, BASE])
        # The last one's own word is all that there is; past the topic's end it is not taken either.
        behind = int(table[number + 1, BASE]) if number + 1 < len(table) else int(table[number, NEXT])
        known = before < behind <= end
        base = base if before <= base < (behind if known else end) else before
        table[number, BASE] = base
        table[number, NEXT] = behind if known else base + 1


def _misplaced(table: npt.NDArray[np.int64], offset: int) -> None:
    """Find batches that cannot lie where they say: no checksum covers their first offset."""
    table[(table[:, BASE] < 0) | (table[:, BASE] > _LAST_BASE), SOUND] = 0
    for number in np.flatnonzero(table[:-1, NEXT] > table[1:, BASE]).tolist():
        if table[number, SOUND] and table[number + 1, SOUND]:
            # Of two that overlap it is the later one, unless that fits behind the one before both.
            before = table[number - 1, NEXT] if number else offset
            table[number if table[number + 1, BASE] >= before else number + 1, SOUND] = 0
