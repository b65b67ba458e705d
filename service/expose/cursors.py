"""Cursors: where a page ended, as an opaque text that leads on."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import fields, is_dataclass
from typing import TypeVar

import msgspec

from service.errors import InvalidQuery

T = TypeVar("T")
_FOREIGN = "is none that an answer gave; leave it out to begin at the start"


def write_cursor(position: object) -> str:
    """The text of a position, a tuple of texts, numbers and bytes."""
    return urlsafe_b64encode(msgspec.msgpack.encode(position)).decode().rstrip("=")


def read_cursor(text: str | None, kind: type[T]) -> T | None:
    """The position of a text that `write_cursor` made; raises InvalidQuery for any other."""
    if text is None:
        return None
    try:
        packed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        position = msgspec.msgpack.decode(packed, type=kind)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise InvalidQuery("cursor", _FOREIGN) from error
    if _holds_nul(position):
        raise InvalidQuery("cursor", _FOREIGN)
    return position


def _holds_nul(position: object) -> bool:
    """Whether some text holds NUL, which Postgres takes in no text."""
    match position:
        case str():
            return "\0" in position
        case tuple():
            return any(_holds_nul(part) for part in position)
        case _:
            return is_dataclass(position) and any(_holds_nul(getattr(position, each.name)) for each in fields(position))
