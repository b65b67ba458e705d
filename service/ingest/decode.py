"""From a request's bytes to rows for the log: stamped, hashed, and every refused event beside them with its reason."""

import codecs
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

import msgspec

from service.domain.families.envelope import Envelope
from service.domain.families.registry import BY_TYPE, FAMILIES
from service.domain.identity import IdHasher
from service.errors import BodyMalformed, EventRefused, TooManyEvents
from service.ingest.batch import Batch, Form, Limits, Rejection, Stamp
from service.ingest.binary import structured
from service.ingest.jsontext import UNREADABLE, LazyElements, deeper_than, elements
from service.ingest.reading import NUL, NotJson, Reader
from service.ingest.rejecting import Rejecter
from service.ingest.shaping import Shaper

if TYPE_CHECKING:
    from service.ingest.plain.packed import Bytes, Ints, Packed

__all__ = ["Batch", "Decoder", "Form", "Limits", "Rejection", "Stamp"]

LEAST_BYTES = 4_096
"""Bodies that are shorter are not worth the 20 µs that a call of compiled loops takes."""

_LINE = re.compile(rb"[^\n]+")
_SPACE = b" \t\r\n"


class Decoder:
    """Decodes requests: one for a process, for any number of its threads (it remembers only which names were good)."""

    def __init__(self, hasher: IdHasher, limits: Limits) -> None:
        # Here, because only who takes events in needs what compiles: it takes a third of a second to load.
        from service.ingest.plain.packer import Packer  # noqa: PLC0415

        self._limits = limits
        self._packer = Packer(hasher.key, limits)
        self._reader = Reader(BY_TYPE, limits)
        self._rejecter = Rejecter(hasher)
        self._shaper = Shaper(hasher, self._rejecter, limits)
        events: Any = Union[tuple(family.event for family in FAMILIES)]  # noqa: UP007 a union of a computed list
        self._typed = msgspec.json.Decoder(list[events])

    def decode(self, body: bytes, form: Form, stamp: Stamp, attributes: Mapping[str, str] | None = None) -> Batch:
        """Make rows of the events in `body`, each event by itself: a bad one costs no other.

        `attributes` belong to the binary form: a CloudEvents attribute's name (lower case, without `ce-`) to its
        decoded value, and `datacontenttype`. Raises BodyMalformed (not JSON as a whole, or not of the form) and
        TooManyEvents.
        """
        body = body.removeprefix(codecs.BOM_UTF8)
        batch = Batch()
        if form in {Form.NDJSON, Form.LINES}:
            broken, lines = self._take_lines(body, stamp, batch)
            if form is Form.NDJSON and lines and broken == lines:
                raise BodyMalformed(f"none of the {lines} lines is JSON; send one event a line")
        elif form is Form.BINARY:
            self._take_whole([structured(body, attributes or {})], stamp, batch)
        elif _is_array(body, form):
            self._take_array(body, stamp, batch)
        else:
            self._take_whole([body.strip(_SPACE)], stamp, batch)
        batch.order_rejected()
        return batch

    def decode_each(self, raws: Sequence[bytes], stamp: Stamp) -> Batch:
        """Make rows of events that came each by itself, as records of a topic do; what is no JSON is rejected like the rest."""
        return self._decode_packed(self._packer.each(raws, stamp), stamp)

    def decode_spans(self, read: "Bytes", begins: "Ints", sizes: "Ints", stamp: Stamp) -> Batch:
        """As `decode_each`, of events that lie in these bytes, which SPARE zeros follow; `begins` are addresses."""
        return self._decode_packed(self._packer.spans(read, begins, sizes, stamp), stamp)

    def _decode_packed(self, packed: "Packed", stamp: Stamp) -> Batch:
        batch = Batch()
        self._take_others(packed, stamp, batch, forgiving=True)
        batch.order_rejected()
        return batch

    def refuse(self, index: int, raw: bytes, refusal: EventRefused, stamp: Stamp, batch: Batch) -> None:
        """Add an event to a batch that was refused before it was read; `index` is greater than all that are in it."""
        self._reject(index, raw, refusal, stamp, batch)

    def _take_array(self, body: bytes, stamp: Stamp, batch: Batch) -> None:
        """All at once where every event is as it should be, else one by one."""
        packed = self._packer.array(body, stamp) if len(body) >= LEAST_BYTES else None
        if packed is not None:
            try:
                self._take_others(packed, stamp, batch)
            except NotJson as error:
                raise BodyMalformed(f"the body {error}") from None
            return
        events = self._read_all(body)
        if events is None:
            raws = elements(body, self._limits.max_request_events)
            self._check_count(len(raws))
            self._take_whole(raws, stamp, batch)
        else:
            self._check_count(len(events))
            raws_later = LazyElements(body, self._limits.max_request_events)
            self._shaper.shape(range(len(events)), events, raws_later, stamp, batch)

    def _read_all(self, body: bytes) -> list[Envelope] | None:
        """Every event of an array; None where one of them needs a closer look."""
        # One character is found far faster than six, and most bodies have no backslash at all.
        if b"\\" in body and NUL in body:
            return None
        try:
            events: list[Envelope] = self._typed.decode(body)
            if not body.isascii():
                body.decode()
        except UNREADABLE:
            return None
        # The array around the events is one level.
        if deeper_than(body, self._limits.max_depth + 1):
            return None
        most = self._limits.max_event_bytes
        if len(body) > most and any(len(raw) > most for raw in elements(body, self._limits.max_request_events)):
            return None
        return events

    def _take_whole(self, raws: Sequence[bytes], stamp: Stamp, batch: Batch) -> None:
        """Events of a body that must be JSON as a whole, one by one."""
        try:
            self._take_each(raws, stamp, batch)
        except NotJson as error:
            raise BodyMalformed(f"the body {error}") from None

    def _take_lines(self, body: bytes, stamp: Stamp, batch: Batch) -> tuple[int, int]:
        """A line is an event, and JSON or not by itself; returns how many are none, and how many there are."""
        lines = []
        for match in _LINE.finditer(body):
            line = match[0].strip(_SPACE)
            if line:
                lines.append(line)
                self._check_count(len(lines))
        if len(body) < LEAST_BYTES:
            return self._take_each(lines, stamp, batch, forgiving=True), len(lines)
        return self._take_others(self._packer.each(lines, stamp), stamp, batch, forgiving=True), len(lines)

    def _take_each(self, raws: Sequence[bytes], stamp: Stamp, batch: Batch, *, forgiving: bool = False) -> int:
        """Read events one by one, then make their rows; returns how many are no JSON.

        Raises NotJson for the first of these unless `forgiving`.
        """
        indexes, events, broken = self._read_each(enumerate(raws), stamp, batch, forgiving=forgiving)
        self._shaper.shape(indexes, events, raws, stamp, batch)
        return broken

    def _take_others(self, packed: "Packed", stamp: Stamp, batch: Batch, *, forgiving: bool = False) -> int:
        """Add rows of the plainest form, and between them those of all other events, which are read one by one.

        Returns how many are no JSON; raises NotJson for the first of these unless `forgiving`.
        """
        others = packed.others()
        batch.accepted += packed.events
        batch.packed.append(packed)
        if not others:
            return 0
        numbered = ((number, packed.event(number)) for number in others)
        indexes, events, broken = self._read_each(numbered, stamp, batch, forgiving=forgiving)
        rows = list(self._shaper.shaped(indexes, events, packed.event, stamp, batch))
        packed.put(rows)
        batch.accepted += len(rows)
        return broken

    def _read_each(
        self, numbered: Iterable[tuple[int, bytes]], stamp: Stamp, batch: Batch, *, forgiving: bool
    ) -> tuple[list[int], list[Envelope], int]:
        """Read events one by one; their places, they themselves, and how many are no JSON.

        Raises NotJson for the first of these unless `forgiving`.
        """
        indexes: list[int] = []
        events: list[Envelope] = []
        broken = 0
        for index, raw in numbered:
            try:
                event, unknown = self._reader.read(raw)
            except EventRefused as refusal:
                if isinstance(refusal, NotJson):
                    if not forgiving:
                        raise
                    broken += 1
                self._reject(index, raw, refusal, stamp, batch)
            else:
                indexes.append(index)
                events.append(event)
                batch.unknown_fields += unknown
        return indexes, events, broken

    def _reject(self, index: int, raw: bytes, refusal: EventRefused, stamp: Stamp, batch: Batch) -> None:
        batch.refuse(*self._rejecter.reject(index, raw, refusal, stamp))

    def _check_count(self, events: int) -> None:
        limit = self._limits.max_request_events
        if events > limit:
            raise TooManyEvents(f"the request holds more than {limit:,} events; send them in several requests")


def _is_array(body: bytes, form: Form) -> bool:
    """Whether the body is an array; raises BodyMalformed where that is not what the form announces."""
    first = body.lstrip(_SPACE)[:1]
    expected = {Form.OBJECT: b"{", Form.ARRAY: b"["}.get(form, b"{[")
    if not first or first not in expected:
        wanted = {Form.OBJECT: "one event, an object", Form.ARRAY: "an array of events"}.get(
            form, "an event or an array of events"
        )
        found = "empty" if not first else f"something that begins with {first.decode(errors='replace')!r}"
        raise BodyMalformed(f"the body is {found}; send {wanted}")
    return first == b"["
