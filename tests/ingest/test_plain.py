"""Rows that compiled loops make are those that the decoder makes, byte for byte, whatever the events are."""

import dataclasses
import hashlib
import json
import random
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest

from service.clock import SECOND
from service.domain.families.rows import RejectedRow, Row, UsageRow
from service.domain.identity import HASH_BYTES, IdHasher
from service.ingest.decode import Decoder, Form, Limits, Stamp
from service.ingest.plain.blake2b import digest, keyed_state
from service.ingest.plain.packer import Packer
from service.settings import Settings
from tests.ingest.batches import rows_of

Rows = dict[str, list[Row | RejectedRow]]
KEY = bytes(range(32))
LIMITS = Limits(
    max_request_events=1_000, max_event_bytes=2_000, max_depth=32, max_lateness_us=7 * 86_400 * SECOND, max_skew_us=300 * SECOND
)
NOW_US = 1_763_372_000_000_000
STAMP = Stamp(7, NOW_US, backfill=False)
PACKER = Packer(KEY, LIMITS)
DECODER = Decoder(IdHasher(KEY), LIMITS)

TEXTS: list[str] = [
    "a",
    "feature-01",
    *("x" * size for size in (31, 32, 100, 101, 128, 129, 255, 256, 257)),
    "",
    "~a",
    "a b",
    "a,b",
    "{",
]
TEXTS += ["\u00e9", "\x7f", 'q"', "\\", "\n", "\0", "io", "delivered"]
NUMBERS: list[float] = [
    0,
    1,
    7,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    2**31,
    2**32,
    10**9,
    10**9 + 1,
    34_560_000_000,
    34_560_000_001,
    10**12,
]
NUMBERS += [0.5, 12.345678, 12.3456789, 0.1, 1e-7, 1e3, -1, -0.0, 123456789.123456, 99999999999.9999, 1e22, 100, 599, 600]
TIMES = ["2025-11-17T09:30:00.250Z", "2025-11-17T09:30:00Z", "2025-11-17T10:30:00.123456789+01:00", "2025-11-17T09:30:00-00:00"]
TIMES += ["2025-11-17t09:30:00z", "2024-02-29T00:00:00Z", "2025-02-29T00:00:00Z", "1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z"]
TIMES += [
    "1970-01-01T00:00:00+00:01",
    "9999-12-31T23:59:59Z",
    "2025-12-31T23:59:60Z",
    "2025-13-01T00:00:00Z",
    "2000-02-29T23:59:59.9Z",
]
TIMES += ["2100-02-29T00:00:00Z", "2025-11-17T09:30:00.Z", "2025-11-17T09:30:00", "2025-11-17 09:30:00Z", "2025-11-17T24:00:00Z"]
TIMES += ["2025-11-17T09:30:00+24:00", ""]
WORDS = ["1.0", "io.tidegauge.usage.v1", "io.tidegauge.user.v1", "inbound"]
WORDS += ["retrying", "accepted", "dead_lettered", "redelivered", "failed"]
GOOD: dict[str, dict[str, Any]] = {
    "usage": {"feature": "export", "session": "s-1", "duration_ms": 1840.5, "quantity": 2, "ok": True, "properties": {"a": "b"}},
    "request": {
        "service": "api",
        "latency_ms": 87.3,
        "route": "/orders/{id}",
        "method": "GET",
        "status": 200,
        "timeout": False,
        "count": 3,
        "region": "eu",
        "error_kind": "application",
        "excluded": "maintenance",
    },
    "delivery": {
        "integration": "sap",
        "outcome": "delivered",
        "direction": "outbound",
        "attempt": 2,
        "latency_ms": 212.4,
        "accepted_at": "2025-11-17T09:29:59Z",
        "limit_ms": 500,
        "exhausted": True,
        "automated": False,
        "excluded": "maintenance",
    },
}
NAMES = [name for fields in GOOD.values() for name in fields]


def envelope(made: random.Random) -> dict[str, Any]:
    family = made.choice(list(GOOD))
    event = {
        "specversion": "1.0",
        "id": f"e{made.randrange(10**6)}",
        "source": "/shop/web",
        "type": f"io.tidegauge.{family}.v1",
        "time": "2025-11-17T09:30:00.250Z",
        "subject": "user-42",
        "account": "acme",
        "data": {name: value for name, value in GOOD[family].items() if made.random() < 0.9},
    }
    keys = list(event)
    made.shuffle(keys)
    return {key: event[key] for key in keys if key in {"specversion", "id", "source", "type", "data"} or made.random() < 0.9}


def odd(made: random.Random) -> Any:
    maps: list[Any] = [{}, {"a": "b"}, {"a": 1}, {"a": None}, {f"k{n}": "v" * n for n in range(made.randrange(13))}]
    maps += [{made.choice(TEXTS): made.choice(TEXTS), "z": "z"}]
    kinds: list[list[Any]] = [TEXTS, NUMBERS, TIMES, [None], [True], [False], [[]], [["a"]], maps, WORDS]
    return made.choice(made.choice(kinds))


def varied(made: random.Random) -> bytes:
    """An event that is right, or has something odd in one place or two; as JSON in one of its forms."""
    event = envelope(made)
    for _ in range(made.choice([0, 0, 1, 1, 2])):
        place = event["data"] if made.random() < 0.6 and isinstance(event["data"], dict) else event
        known = [*place, *NAMES, "phase", "extension", "data_base64", "datacontenttype", "a" * 17]
        place[made.choice(known)] = odd(made)
    separators = made.choice([(",", ":"), (", ", ": "), (" ,\n", "\t:\r\n ")])
    text = json.dumps(event, separators=separators, ensure_ascii=made.random() < 0.5).encode()
    if made.random() < 0.3:
        text = spoiled(text, made)
    return text


def spoiled(text: bytes, made: random.Random) -> bytes:
    """Some bytes replaced, left out, repeated or moved."""
    for _ in range(made.choice([1, 1, 2])):
        place = made.randrange(len(text))
        until = min(len(text), place + made.choice([1, 1, 4, 20]))
        token = made.choice([b'"', b"{", b"}", b",", b"0", b"e", b".", b"-", b" ", b"\\", b"null"])
        other = made.choice([b"", text[place:until] * 2, bytes([made.randrange(256)]), token])
        text = text[:place] + other + text[until:]
    return text


def packed_row(raw: bytes, stamp: Stamp) -> tuple[str, bytes] | None:
    """The family and the row that compiled loops make; None where they leave it to the decoder."""
    packed = PACKER.each([raw], stamp)
    if packed.others():
        assert packed.others() == [0]
        assert packed.event(0) == raw
        return None
    [slabs] = packed.split(5).values()
    [(family, slab)] = slabs.items()
    assert list(slab.sizes) == [len(slab.data)]
    return family, slab.data


@pytest.mark.parametrize("seed", range(8))
def test_an_event_that_compiled_loops_take_gets_the_row_that_the_decoder_makes(seed: int) -> None:
    made = random.Random(seed)
    taken = 0
    for number in range(4_000):
        raw = varied(made)
        stamp = Stamp(made.choice([0, 7, 300, 70_000]), NOW_US, backfill=number % 3 == 0)
        found = packed_row(raw, stamp)
        if found is None:
            continue
        taken += 1
        batch = DECODER.decode(raw, Form.OBJECT, stamp)
        assert (batch.rejected, batch.unknown_fields, batch.rounded, batch.packed) == ([], 0, 0, []), raw
        [(family, [row])] = batch.rows.items()
        assert found == (family, msgspec.msgpack.encode(row)), raw
    assert taken > 500


def one_by_one(raws: list[bytes], stamp: Stamp) -> Rows:
    found: Rows = {}
    for raw in raws:
        for family, rows in DECODER.decode(raw, Form.OBJECT, stamp).rows.items():
            found.setdefault(family, []).extend(rows)
    return found


def encoded(rows: Rows) -> dict[str, list[bytes]]:
    return {family: [msgspec.msgpack.encode(row) for row in several] for family, several in rows.items()}


def arrays(made: random.Random) -> Iterator[list[bytes]]:
    for size in (1, 2, 300):
        yield [text for text in (varied(made) for _ in range(size)) if _is_object(text)]


def _is_object(text: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(text), dict)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False


@pytest.mark.parametrize("seed", range(5))
def test_plain_events_and_others_of_an_array_keep_their_order_and_their_reasons(seed: int) -> None:
    for raws in arrays(random.Random(seed)):
        body = b"[" + b" , ".join(raws) + b"]" + b" " * 4_096
        assert encoded(rows_of(DECODER.decode(body, Form.ARRAY, STAMP))) == encoded(one_by_one(raws, STAMP))
        assert encoded(rows_of(DECODER.decode_each(raws, STAMP))) == encoded(one_by_one(raws, STAMP))
        spread = rows_of(DECODER.decode(body, Form.ARRAY, STAMP), 7)
        assert {family: sorted(rows) for family, rows in encoded(spread).items()} == {
            family: sorted(rows) for family, rows in encoded(one_by_one(raws, STAMP)).items()
        }


def test_an_array_that_is_no_json_is_left_to_the_decoder_or_has_events_that_are_none() -> None:
    made = random.Random(3)
    raws = [json.dumps(envelope(made)).encode() for _ in range(3)]
    whole = b"[" + b",".join(raws) + b"]"
    for at in range(0, len(whole), 7):
        for other in (b"", b'"', b"}", b"]", b"\\", b",", b"[", b"{"):
            body = whole[:at] + other + whole[at + 1 :]
            found = PACKER.array(body, STAMP)
            if found is None:
                continue
            pieces = [found.event(number) for number in range(3)]
            assert len(found.others()) <= len(pieces)
            try:
                expected = [bytes(raw) for raw in msgspec.json.decode(body, type=list[msgspec.Raw])]
            except (msgspec.MsgspecError, UnicodeDecodeError):
                # The decoder finds one of the pieces to be no JSON either: the whole is refused.
                assert any(not _is_json(found.event(number)) for number in found.others()), body
            else:
                assert pieces == expected


def test_the_largest_event_that_can_be_allowed_has_room_in_a_record() -> None:
    """An append that can never succeed would hold up a source for ever."""
    largest = 450_000
    assert Settings(max_event_bytes=largest).max_event_bytes == largest
    with pytest.raises(ValueError, match="max_event_bytes"):
        Settings(max_event_bytes=largest + 1)
    decoder = Decoder(IdHasher(KEY), dataclasses.replace(LIMITS, max_event_bytes=largest))
    long = {"subject": "u" * 256, "account": "a" * 128, "source": "/" + "s" * 511, "id": "i" * 256}
    filled = {f"{n:0100}": "v" * 256 for n in range(10)}
    event: dict[str, Any] = {"specversion": "1.0", "type": "io.tidegauge.usage.v1", "time": "1999-12-31T23:59:59Z", **long}
    event["data"] = {"feature": "f" * 100, "session": "s" * 256, "properties": filled}
    for character in ("x", "\u00e9"):
        event["x"] = ""
        less = largest - len(json.dumps(event, ensure_ascii=False).encode())
        event["x"] = character * (less // len(character.encode()))
        raw = json.dumps(event, ensure_ascii=False).encode()
        assert largest - 1 <= len(raw) <= largest
        [row] = rows_of(decoder.decode(raw, Form.NDJSON, STAMP))["usage"]
        assert isinstance(row, UsageRow)
        assert row.raw == raw


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True


@pytest.mark.parametrize("length", [1, 17, 127, 128, 129, 256, 785])
def test_the_compiled_hash_is_blake2b(length: int) -> None:
    message = random.Random(length).randbytes(length)
    padded, state = np.frombuffer(message + bytes(128), dtype=np.uint8), np.zeros(8, dtype=np.uint64)
    keyed = keyed_state(KEY, HASH_BYTES)
    digest(keyed.ctypes.data, padded.ctypes.data, length, state.ctypes.data)
    assert state.tobytes()[:HASH_BYTES] == hashlib.blake2b(message, key=KEY, digest_size=HASH_BYTES).digest()
