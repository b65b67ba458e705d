"""Records of rows that are encoded already: put together, and cut where they would be too large."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

import msgspec

from service.eventlog.codec import FAMILIES, SCHEMA_VERSION, AnyRow, Encoded, Slab, too_large
from service.eventlog.port import MAX_RECORD_BYTES

_ENCODER = msgspec.msgpack.Encoder()
_OVERHEAD_BYTES = 256
"""More than a record has beside its rows."""
_ROOM = MAX_RECORD_BYTES - _OVERHEAD_BYTES

Slabs = dict[str, list[Slab]]
"""By family, in their order."""


def slab_of(rows: Sequence[AnyRow]) -> Slab:
    """Encode rows of one family."""
    encoded = [_ENCODER.encode(row) for row in rows]
    return Slab(b"".join(encoded), list(map(len, encoded)))


def encode_slabs(producer: str, first_sequence: int, slabs: Mapping[str, Sequence[Slab]]) -> list[Encoded]:
    """Encode the slabs of one partition as `codec.encode` encodes rows: as one record, or as several.

    Raises RecordTooLarge for a single row that exceeds MAX_RECORD_BYTES.
    """
    return [_record(producer, first_sequence + number, part) for number, part in enumerate(_parts(slabs))]


def _record(producer: str, sequence: int, slabs: Slabs) -> Encoded:
    lists = []
    events = 0
    for family in FAMILIES:
        own = slabs.get(family, ())
        rows = sum(len(slab.sizes) for slab in own)
        events += rows
        lists.append(msgspec.Raw(b"".join([_beginning(rows), *(slab.data for slab in own)])))
    return Encoded(_ENCODER.encode((SCHEMA_VERSION, producer, sequence, events, *lists)), events)


def _beginning(rows: int) -> bytes:
    """What a MessagePack array of so many begins with."""
    if rows < 16:  # noqa: PLR2004  # what the byte, and two more, have room for
        return bytes((0x90 | rows,))
    return b"\xdc" + rows.to_bytes(2, "big") if rows < 0x1_0000 else b"\xdd" + rows.to_bytes(4, "big")  # noqa: PLR2004


def _parts(slabs: Mapping[str, Sequence[Slab]]) -> Iterator[Slabs]:
    """The slabs in pieces, each with room in a record."""
    part: Slabs = {}
    room = _ROOM
    for family in FAMILIES:
        for slab in slabs.get(family, ()):
            left = slab
            while len(left.data) > room:
                piece, left = _cut(left, room)
                if piece.sizes:
                    part.setdefault(family, []).append(piece)
                elif not part:
                    _, _, source, event_id, *_ = msgspec.msgpack.decode(left.data[: left.sizes[0]])
                    raise too_large(family, source, event_id, left.sizes[0])
                yield part
                part, room = {}, _ROOM
            if left.sizes:
                part.setdefault(family, []).append(left)
                room -= len(left.data)
    if part:
        yield part


def _cut(slab: Slab, room: int) -> tuple[Slab, Slab]:
    """The rows that have room, and the others."""
    ends = list(accumulate(slab.sizes))
    rows = bisect_right(ends, room)
    size = ends[rows - 1] if rows else 0
    return Slab(slab.data[:size], slab.sizes[:rows]), Slab(slab.data[size:], slab.sizes[rows:])
