"""From the bytes of one event to its typed form, or to the reason why it is refused."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Union

import msgspec

from service.domain.families.envelope import Envelope, Family
from service.domain.families.fields import Data
from service.domain.families.refusal import refusal_of
from service.domain.reasons import Reason
from service.errors import EventRefused
from service.ingest.batch import Limits
from service.ingest.jsontext import UNREADABLE, deeper_than, is_single

NUL = b"\\u0000"
_FEW_DIGITS = 400


class NotJson(EventRefused):
    """The event's bytes are no JSON: in an array, nobody can say where the next event begins."""

    def __init__(self, detail: str) -> None:
        super().__init__(Reason.MALFORMED, "", detail)


class Reader:
    """Reads one event at a time: strictly, then with unknown fields, then to say what is wrong with it."""

    def __init__(self, families: Mapping[str, Family], limits: Limits) -> None:
        self._families = families
        self._limits = limits
        events = [family.event for family in families.values()]
        self.strict: Callable[[bytes], Envelope] = msgspec.json.Decoder(Union[tuple(events)]).decode  # noqa: UP007 a union of a computed list
        """Reads an event that is as it should be; raises UNREADABLE, and minds neither depth, size, NUL nor ignored bytes."""
        self._tolerant = msgspec.json.Decoder(Union[tuple(map(tolerant, events))])  # noqa: UP007
        self._keys = msgspec.json.Decoder(_Keys)

    def read(self, raw: bytes) -> tuple[Envelope, int]:
        """The event, and how many fields of its `data` the contract does not know.

        Raises EventRefused for an event that breaks the contract by its text, types or ranges; NotJson, one of
        those, where the text is no JSON.
        """
        if deeper_than(raw, self._limits.max_depth):
            if not is_single(raw):
                raise NotJson("is no JSON: brackets are left open, or close nothing; send complete JSON")
            raise EventRefused(Reason.MALFORMED, "", f"nests deeper than {self._limits.max_depth} levels; flatten it")
        unknown = 0
        try:
            # Bad bytes in what is ignored are passed over by the typed decoder: the whole text is looked at.
            if not raw.isascii():
                raw.decode()
            event: Envelope = self.strict(raw)
        except UnicodeDecodeError as error:
            raise self._why(raw, str(error)) from None
        except UNREADABLE:
            event, unknown = self._read_tolerantly(raw)
        if len(raw) > self._limits.max_event_bytes:
            raise self._too_large(raw)
        if NUL in raw and (path := _nul_in(event, "")) is not None:
            raise EventRefused(Reason.MALFORMED, path, "holds the character NUL (\\u0000), which no text may; leave it out")
        return event, unknown

    def _read_tolerantly(self, raw: bytes) -> tuple[Envelope, int]:
        try:
            event: Envelope = self._tolerant.decode(raw)
            unknown = self._keys.decode(raw).data.keys() - set(event.data.__struct_fields__)
        except UNREADABLE as error:
            raise self._why(raw, str(error)) from None
        return event, len(unknown)

    def _too_large(self, raw: bytes) -> EventRefused:
        limit = self._limits.max_event_bytes
        return EventRefused(Reason.TOO_LARGE, "", f"has {len(raw):,} bytes, {limit:,} at the most; send less in one event")

    def _why(self, raw: bytes, trouble: str) -> EventRefused:
        """Why an event cannot be read; `trouble` is the decoder's own sentence, for what nothing else explains."""
        text = raw.decode(errors="surrogateescape")
        try:
            document = json.loads(text, strict=False, parse_int=_whole)
        except (ValueError, RecursionError) as error:
            return NotJson(f"is no JSON: {error}; send complete JSON")
        if (bad := _bad_text(raw, text, document)) is not None:
            return bad
        if len(raw) > self._limits.max_event_bytes:
            return self._too_large(raw)
        unexplained = EventRefused(Reason.MALFORMED, "", f"cannot be read: {trouble}; send JSON as RFC 8259 has it")
        return refusal_of(document, self._families) or unexplained


@cache  # once for the decoder, once for who asks what kind an event is
def tolerant(event: type[Envelope]) -> type[Envelope]:
    """The same event with unknown fields let through in `data`."""
    strict: type[Data] = msgspec.structs.fields(event)[-1].type
    data = msgspec.defstruct(
        strict.__name__, [], bases=(strict,), kw_only=True, frozen=True, gc=False, forbid_unknown_fields=False
    )
    return msgspec.defstruct(  # type: ignore[return-value]
        event.__name__,
        [("data", data)],
        bases=(event,),
        kw_only=True,
        frozen=True,
        gc=False,
        tag_field=event.__struct_config__.tag_field,
        tag=event.__struct_config__.tag,
    )


class _Keys(msgspec.Struct):
    """The keys of `data`, nothing else read."""

    data: dict[str, msgspec.Raw]


def _whole(digits: str) -> float:
    """An integer; one of thousands of digits as the infinity that it is to every limit."""
    return int(digits) if len(digits) < _FEW_DIGITS else float(digits)


def _bad_text(raw: bytes, text: str, document: object) -> EventRefused | None:
    """What is wrong with strings of an event whose structure is sound."""
    try:
        raw.decode()
        json.dumps(document, ensure_ascii=False).encode()
        json.loads(text, parse_int=_whole)
    except UnicodeDecodeError as error:
        trouble = f"holds bytes that are no UTF-8, at byte {error.start}; send UTF-8"
    except UnicodeEncodeError:
        trouble = "holds half of a surrogate pair (\\ud800 to \\udfff); send the whole character"
    except ValueError:
        trouble = "holds a control character inside a string; escape it (\\n, \\u0001)"
    else:
        return None
    return EventRefused(Reason.MALFORMED, "", trouble)


def _nul_in(value: Any, path: str) -> str | None:
    """The path of the first text that holds NUL."""
    if isinstance(value, str):
        return path if "\0" in value else None
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, dict):
        inside = [(f"{path}.{name}".lstrip("."), part) for name, item in value.items() for part in (name, item)]
    elif isinstance(value, list):
        inside = [(f"{path}[{index}]", item) for index, item in enumerate(value)]
    else:
        return None
    return next((found for where, part in inside if (found := _nul_in(part, where)) is not None), None)
