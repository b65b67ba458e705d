"""Refused events: what the answer says of them, and the row that carries them to the dead letters."""

import json
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from service.domain.families.fields import MAX_ID
from service.domain.families.rows import RejectedRow
from service.domain.identity import IdHasher
from service.domain.ids import IdHash
from service.domain.names import MAX_SOURCE
from service.domain.timestamps import instant_us
from service.errors import EventRefused
from service.ingest.batch import Rejection, Stamp

MAX_RAW_BYTES = 64 * 1024
"""What is kept of a refused event."""
MAX_DETAIL = 500
MAX_TIME = 64


@dataclass(frozen=True, slots=True)
class _Identity:
    """What could be read of an event's identity; "" where nothing could."""

    source: str
    id: str
    time: str


class Rejecter:
    """Makes the two faces of a refused event."""

    def __init__(self, hasher: IdHasher) -> None:
        self._hasher = hasher

    def reject(self, index: int, raw: bytes, refusal: EventRefused, stamp: Stamp) -> tuple[Rejection, RejectedRow]:
        """What the answer says, and the row; the bytes are cut at MAX_RAW_BYTES."""
        identity = _identity_of(raw)
        detail = _printable(str(refusal))[:MAX_DETAIL]
        place = "" if stamp.place is None else stamp.place(index)
        row = RejectedRow(
            self._hash_of(identity, raw, stamp.tenant, place),
            stamp.tenant,
            identity.source,
            identity.id,
            stamp.received_us,
            refusal.reason.value,
            detail,
            raw[:MAX_RAW_BYTES],
            place or stamp.origin,
            identity.time,
        )
        return Rejection(index, identity.id or None, refusal.reason, detail), row

    def _hash_of(self, identity: _Identity, raw: bytes, tenant: int, place: str) -> IdHash:
        """The event's own hash where its identity can be read, so that its copies meet; else one of its place and bytes."""
        if identity.source and identity.id:
            try:
                time_us = instant_us(identity.time, "time") if identity.time else None
            except EventRefused:
                pass
            else:
                return self._hasher.of(tenant, identity.source, identity.id, time_us)
        # No event has an empty source, so that this is nobody else's hash.
        return self._hasher.of(tenant, "", place + blake2b(raw, digest_size=16).hexdigest(), None)


def _identity_of(raw: bytes) -> _Identity:
    try:
        document = json.loads(raw, strict=False)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        return _Identity("", "", "")
    time = _text(document.get("time"), MAX_TIME) or _printable(str(document.get("time") or ""))[:MAX_TIME]
    return _Identity(_text(document.get("source"), MAX_SOURCE), _text(document.get("id"), MAX_ID), time)


def _text(value: Any, limit: int) -> str:
    """A text that can be kept as it is; "" for anything else."""
    if not isinstance(value, str) or len(value) > limit or "\0" in value:
        return ""
    try:
        value.encode()
    except UnicodeEncodeError:
        return ""
    return value


def _printable(text: str) -> str:
    """The text with every character that cannot be shown or stored replaced."""
    return text if text.isprintable() else "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
