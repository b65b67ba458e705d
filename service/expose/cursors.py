"""Cursors: where a page ended, as an opaque text that leads on."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TypeVar

import msgspec

from service.errors import InvalidQuery

T = TypeVar("T")


def write_cursor(position: object) -> str:
    """The text of a position, a tuple of texts, numbers and bytes."""
    return urlsafe_b64encode(msgspec.msgpack.encode(position)).decode().rstrip("=")


def read_cursor(text: str | None, kind: type[T]) -> T | None:
    """The position of a text that `write_cursor` made; raises InvalidQuery for any other."""
    if text is None:
        return None
    try:
        return msgspec.msgpack.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=kind)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise InvalidQuery("cursor", "is none that an answer gave; leave it out to begin at the start") from error
