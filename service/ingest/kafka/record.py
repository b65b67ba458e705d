"""One record of a topic: the events that it holds, as JSON, whichever mode it came in.

CloudEvents Kafka protocol binding 1.0.2, sections 3.1 (content modes), 3.2 (binary) and 3.3 (structured); arrays as its
JSON event format has batches. A record without headers is taken for structured JSON.
"""

import codecs
from collections.abc import Iterable, Sequence

from service.domain.families.envelope import STRUCTURED
from service.domain.reasons import Reason
from service.errors import BodyMalformed, EventRefused
from service.ingest.binary import CONTENT_TYPE, structured
from service.ingest.jsontext import elements
from service.ingest.media import BATCH, CHARSETS, MAX_ATTRIBUTES, PLAIN, parse

OBJECT = b"{"
Headers = Iterable[tuple[str, bytes | None]]

_LENGTH_BITS = 35
"""Of an integer of 32 bits, seven a byte."""
_PREFIX = "ce_"
_CLOUDEVENTS = "application/cloudevents"
_WHOLE = {STRUCTURED, BATCH}


def events_of(value: bytes | None, headers: Headers, *, most: int) -> Sequence[bytes]:
    """The events of a record, each as one JSON text; at most `most`.

    Raises EventRefused for a record that holds none: without a value, of a media type that is not taken, no array.
    """
    content_type, attributes = _read(headers)
    media_type, charset = parse(content_type) if content_type else ("", "")
    if charset and charset not in CHARSETS:
        raise _malformed(f"is in the charset {charset[:40]!r}; send UTF-8")
    if attributes and not media_type.startswith(_CLOUDEVENTS):
        return (_from_binary(value, attributes, media_type),)
    if media_type and media_type not in _WHOLE and media_type != PLAIN:
        raise _malformed(f"has the content-type {media_type[:100]!r}; send {STRUCTURED}, or {PLAIN} with ce_ headers")
    if value is None:
        raise _malformed("has no value (a tombstone): an event is sent whole, and nothing is deleted by its key")
    if value[:1] == OBJECT:
        return (value,)
    value = value.removeprefix(codecs.BOM_UTF8).strip()
    return _array(value, most) if value[:1] == b"[" else (value,)


def headers_in(packed: bytes) -> list[tuple[str, bytes | None]]:
    """The headers of a record of message format 2, as they lie behind its value.

    Bytes of a name that are no UTF-8 are replaced: none of them is of a name that means something here.
    Raises EventRefused where there are others than they say.
    """
    place = 0

    def integer() -> int:
        nonlocal place
        value = shift = 0
        while shift < _LENGTH_BITS:
            byte = packed[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value >> 1 ^ -(value & 1)
        raise IndexError

    def piece() -> bytes | None:
        nonlocal place
        size = integer()
        if size > len(packed) - place:
            raise IndexError
        begin, place = place, place + max(size, 0)
        return None if size < 0 else packed[begin:place]

    found = []
    try:
        for _ in range(integer()):
            name = piece() or b""
            found.append((name.decode(errors="replace"), piece()))
    except IndexError:
        place = -1
    if place != len(packed):
        raise _malformed("holds other headers than it says")
    return found


def _read(headers: Headers) -> tuple[str, dict[str, str]]:
    """The content type, and the attributes of binary mode by their names."""
    content_type = ""
    attributes: dict[str, str] = {}
    for name, value in headers:
        if name.startswith(_PREFIX) and value is not None:
            attribute = name[len(_PREFIX) :]
            if attribute in attributes:
                raise _malformed(f"has the header {name[:100]} twice; send it once")
            if len(attributes) >= MAX_ATTRIBUTES:
                raise _malformed(f"has more than {MAX_ATTRIBUTES} ce_ headers; send fewer")
            # Bytes that are no UTF-8 become lone surrogates: the decoder refuses the event for them.
            attributes[attribute] = value.decode("utf-8", "surrogateescape")
        elif name.lower() == "content-type" and value is not None:
            content_type = value.decode("latin-1")
    return content_type, attributes


def _from_binary(value: bytes | None, attributes: dict[str, str], media_type: str) -> bytes:
    try:
        return structured(value or b"", {**attributes, CONTENT_TYPE: media_type or PLAIN})
    except BodyMalformed as error:
        raise _malformed(str(error)) from None


def _array(value: bytes, most: int) -> Sequence[bytes]:
    try:
        found = elements(value, most)
    except BodyMalformed as error:
        raise _malformed(str(error)) from None
    if len(found) > most:
        raise EventRefused(Reason.TOO_LARGE, "", f"a record of more than {most:,} events; send them in several records")
    return found


def _malformed(detail: str) -> EventRefused:
    return EventRefused(Reason.MALFORMED, "", f"a record that {detail}" if not detail.startswith("the body") else detail)
