"""Batches of records are taken apart as Kafka's client takes them apart, and one that cannot be read costs no other."""

import random
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from aiokafka import TopicPartition, codec
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

from service.domain.reasons import Reason
from service.errors import EventRefused
from service.ingest.kafka.record import headers_in
from service.kafka.batches import OFFSET, PLAIN, VALUE, VALUE_BYTES
from service.kafka.crc import crc32c
from service.kafka.haul import Haul, Run, Unreadable
from service.kafka.unpacking import NotUnpacked, Unpacker

PLACE = TopicPartition("team", 3)
STRUCTURED: list[tuple[str, bytes | None]] = [("content-type", b"application/cloudevents+json")]
NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
CRC_AT, ATTRIBUTES_AT, COUNT_AT, RECORDS_AT = 17, 21, 57, 61
Headers = list[tuple[str, bytes | None]]
Record = tuple[int, bytes | None, Headers]


def batch(base: int, records: list[tuple[bytes | None, Headers]], packing: int = NONE, stamp_ms: int = 1_000) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=packing,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=10**9,
    )
    for number, (value, headers) in enumerate(records):
        assert builder.append(number, stamp_ms + number, b"key" if number % 2 else None, value, headers)
    return struct.pack(">q", base) + bytes(builder.build())[8:]


def sealed(data: bytes) -> bytes:
    """The batch with the checksum that belongs to it."""
    crc: int = calc_crc32c(data[ATTRIBUTES_AT:])
    return data[:CRC_AT] + crc.to_bytes(4, "big") + data[ATTRIBUTES_AT:]


def old_batch(base: int, values: list[bytes | None], magic: int, packing: int = NONE) -> bytes:
    builder = LegacyRecordBatchBuilder(magic=magic, compression_type=packing, batch_size=10**6)
    for number, value in enumerate(values):
        assert builder.append(base + number, 1_000, None, value)
    # A broker gives what is packed the offset of its last message.
    return struct.pack(">q", base + len(values) - 1 if packing else base) + bytes(builder.build())[8:]


def taken_apart(data: bytes, offset: int = 0, most: int = 10**6) -> tuple[list[Record], list[Unreadable], list[int]]:
    """The records, what cannot be read, and where each part says that the next one begins."""
    haul = Haul(PLACE, offset, data, 10**9, ())
    records: list[Record] = []
    bad: list[Unreadable] = []
    followings: list[int] = []
    for part in haul.parts(Unpacker(most)):
        followings.append(part.following)
        if isinstance(part, Unreadable):
            bad.append(part)
            continue
        assert isinstance(part, Run)
        begin = part.read.ctypes.data
        for value, size, at, plain, headers_at, headers_end in part.cells.tolist():
            found = None if size < 0 else part.read[value - begin : value - begin + size].tobytes()
            headers = headers_in(part.read[headers_at - begin : headers_end - begin].tobytes())
            assert bool(plain) == ((found or b"")[:1] == b"{" and headers in ([], STRUCTURED))
            records.append((at, found, headers))
    assert (followings[-1] if followings else offset) == haul.following
    return records, bad, followings


def by_the_client(data: bytes, offset: int) -> list[Record]:
    found, records = [], MemoryRecords(data)
    while records.has_next():
        found += [(each.offset, each.value, list(each.headers)) for each in records.next_batch() if each.offset >= offset]
    return found


def some_records(made: random.Random) -> list[tuple[bytes | None, Headers]]:
    values: list[bytes | None] = [None, b"", b"{}", b'{"a": 1}', b"[1]", b"x" * 63, b"y" * 64, b"{" + b"z" * 9_000]
    several: list[Headers] = [
        [],
        STRUCTURED,
        [("ce_id", b"1"), ("ce_source", None)],
        [("", b""), ("content-type", b"text/plain")],
    ]
    return [(made.choice(values), made.choice(several)) for _ in range(made.randrange(1, 30))]


@pytest.mark.parametrize("seed", range(20))
def test_every_record_is_found_that_the_client_finds(seed: int) -> None:
    made, data, base = random.Random(seed), b"", 5
    for _ in range(made.randrange(1, 8)):
        records = some_records(made)
        data += batch(base, records, made.choice([NONE, NONE, GZIP, SNAPPY, LZ4, ZSTD]))
        base += len(records) + made.choice([0, 3])
    offset = made.randrange(5, max(6, base - 3))
    cut = data + batch(base, [(b"{}", [])])[:-1]  # a broker cuts the last one where the answer is full
    found, bad, followings = taken_apart(cut, offset)
    assert found == by_the_client(data, offset)
    assert bad == []
    assert followings == sorted(followings)


@pytest.mark.parametrize(("magic", "packing"), [(0, NONE), (1, NONE), (1, GZIP), (0, SNAPPY)])
def test_messages_of_the_formats_before_are_read_too(magic: int, packing: int) -> None:
    data = old_batch(7, [b"{}", None, b"[]"], magic, packing) + batch(10, [(b"{}", STRUCTURED)])
    found, bad, _ = taken_apart(data, 8)
    assert found == [(8, None, []), (9, b"[]", []), (10, b"{}", STRUCTURED)]
    assert bad == []


def damaged(kind: str) -> bytes:
    """A batch of two records at offsets 10 and 11 that cannot be read to its end."""
    good = batch(10, [(b'{"n": 1}', []), (b'{"n": 2}', [])])
    packed = batch(10, [(b'{"n": 1}' * 9, []), (b'{"n": 2}' * 9, [])], ZSTD)
    match kind:
        case "checksum":
            return good[:-3] + b"x" + good[-2:]
        case "codec":
            return sealed(packed[: ATTRIBUTES_AT + 1] + b"\x07" + packed[ATTRIBUTES_AT + 2 :])
        case "packing":
            return sealed(packed[:RECORDS_AT] + b"\x01 of no form" + packed[RECORDS_AT + 12 :])
        case "count":
            return sealed(good[:COUNT_AT] + struct.pack(">i", 3) + good[RECORDS_AT:])
        case "length":
            return sealed(good[:RECORDS_AT] + b"\x7e" + good[RECORDS_AT + 1 :])
        case _:
            return good[:16] + b"\x09" + good[17:]


@pytest.mark.parametrize("kind", ["checksum", "codec", "packing", "count", "length", "format"])
def test_a_batch_that_cannot_be_read_is_told_by_its_offsets_and_those_around_it_are_read(kind: str) -> None:
    before, after = batch(8, [(b"{}", []), (b"{}", [])]), batch(12, [(b"{}", []), (b"{}", [])], GZIP)
    data = before + damaged(kind) + after
    found, [bad], followings = taken_apart(data, 8)
    assert {at for at, _, _ in found} >= {8, 9, 12, 13}
    assert bad.reason is Reason.MALFORMED
    assert (bad.following, followings) == (12, sorted(followings))
    assert bad.raw == damaged(kind)
    lost = set(range(8, 14)) - {at for at, _, _ in found}
    assert lost <= set(range(bad.offset, bad.following))
    assert [at for at, _, _ in found] == sorted(at for at, _, _ in found)


def varint(value: int) -> bytes:
    left, found = value << 1 if value >= 0 else (-value << 1) - 1, b""
    while left > 127:
        found, left = found + bytes((left & 127 | 128,)), left >> 7
    return found + bytes((left,))


def record(value: bytes, delta: int = 0, size: int | None = None, length: int | None = None, headers: bytes = b"\0") -> bytes:
    """A record that says what it is told to say of its sizes."""
    inside = b"\0\0" + varint(delta) + varint(-1) + varint(len(value) if size is None else size) + value + headers
    return varint(len(inside) if length is None else length) + inside


def batch_of(base: int, records: list[bytes], last: int, attributes: int = 0, stamp_ms: int = 0, producer: int = -1) -> bytes:
    """A batch with a checksum that is right, whatever it holds; `last` is how far its last offset lies behind its first."""
    fields = (attributes, last, stamp_ms, stamp_ms, producer, -1, -1, len(records))
    behind = struct.pack(">hiqqqhii", *fields) + b"".join(records)
    return sealed(struct.pack(">qiiBi", base, len(behind) + CRC_AT + 4 - 12, 0, 2, 0) + behind)


LARGEST = 2**63 - 1


@pytest.mark.parametrize(
    "lying",
    [
        varint(LARGEST) + b"\0\0\0" + varint(LARGEST - 200) + bytes(20),
        *(varint(LARGEST) + b"\0\0\0\1" + varint(LARGEST - less) + bytes(20) for less in (0, 20, 200, 2**40)),
        *(record(b"{}", length=length) for length in (-1, 0, 5, 100, 2**31, 2**62, LARGEST, -LARGEST)),
        *(record(b"{}", size=size) for size in (-2, 9, 2**31, 2**62, LARGEST, -LARGEST)),
        *(record(b"{}", delta=delta) for delta in (-1, 0, 3, 2**31, LARGEST, -LARGEST)),
        b"\xff" * 40,
    ],
)
@pytest.mark.parametrize("packing", [NONE, ZSTD])
def test_a_record_that_lies_about_itself_is_told_and_costs_no_other(lying: bytes, packing: int) -> None:
    records = [record(b'{"n": 1}'), lying, record(b'{"n": 3}', 2)]
    data = batch_of(10, records, 2)
    if packing:
        data = batch_of(10, [codec.zstd_encode(b"".join(records))], 2, packing)
        data = sealed(data[:COUNT_AT] + struct.pack(">i", 3) + data[RECORDS_AT:])
    found, [bad], followings = taken_apart(batch(8, [(b"{}", [])] * 2) + data + batch(13, [(b"{}", [])]), 8)
    assert [at for at, _, _ in found] == [8, 9, 10, 13]
    assert (bad.offset, bad.following, followings) == (11, 13, sorted(followings) if packing else followings)


def test_no_record_lies_outside_of_its_batch_or_before_one_that_was_read() -> None:
    """Offsets that are committed follow records: one that says another than its own would lead past others."""
    for deltas, sound in (([0, 5], [10]), ([0, 0], [10]), ([1, 0], [11]), ([-1, 0], []), ([0, 2**40], [10])):
        data = batch_of(10, [record(b"{}", delta) for delta in deltas], 1) + batch(12, [(b"{}", [])])
        found, [bad], _ = taken_apart(data, 10)
        assert ([at for at, _, _ in found], bad.following) == ([*sound, 12], 12)


def moved(data: bytes, base: int) -> bytes:
    return struct.pack(">q", base) + data[8:]


@pytest.mark.parametrize("base", [0, -1, -(2**63), 5, 13, 500, 2**40, 2**62 + 1, 2**63 - 1])
@pytest.mark.parametrize("crc", ["right", "wrong"])
def test_a_batch_that_says_another_place_than_its_own_costs_no_other(base: int, crc: str) -> None:
    first, second, third = (batch(at, [(b"{}", [])] * 2) for at in (8, 10, 12))
    wrong = moved(second if crc == "right" else second[:-1] + b"x", base)
    found, [bad], followings = taken_apart(first + wrong + third, 8)
    assert [at for at, _, _ in found] == [8, 9, 12, 13]
    assert (bad.offset, bad.following, followings[-1]) == (10, 12, 14)


@pytest.mark.parametrize("base", [0, 2**40, 2**62 + 1, 2**63 - 1])
def test_a_damaged_batch_leads_nobody_past_the_end_of_the_topic(base: int) -> None:
    data = batch(8, [(b"{}", [])] * 2) + moved(batch(10, [(b"{}", [])])[:-1] + b"x", base)
    haul = Haul(PLACE, 8, data, 11, ())
    *_, bad = haul.parts(Unpacker(1))
    assert isinstance(bad, Unreadable)
    assert (bad.offset, bad.following, haul.following) == (10, 11, 11)


def test_a_compacted_topic_has_gaps_that_are_no_loss() -> None:
    emptied = batch_of(20, [], 9)
    data = batch_of(10, [record(b"{}", 3), record(b"{}", 7)], 9) + emptied + batch(30, [(b"{}", [])])
    found, bad, followings = taken_apart(data, 10)
    assert ([at for at, _, _ in found], bad, followings[-1]) == ([13, 17, 30], [], 31)
    assert taken_apart(emptied, 25)[2] == [30]


@pytest.mark.parametrize("marker", [record(b"", 0), b"\0" * 7, b"\xff" * 30, b""])
def test_a_marker_ends_an_abortion_whatever_it_holds(marker: bytes) -> None:
    transactional, control = 0x10, 0x30
    aborted = batch_of(0, [record(b"{}")], 0, transactional, producer=7)
    data = aborted + batch_of(1, [marker], 0, control, producer=7) + batch_of(2, [record(b"{}")], 0, transactional, producer=7)
    haul = Haul(PLACE, 0, data, 3, [(7, 0)])
    parts = list(haul.parts(Unpacker(1)))
    assert [int(at) for part in parts if isinstance(part, Run) for at in part.cells[:, OFFSET]] == [2]
    assert not any(isinstance(part, Unreadable) for part in parts)
    assert haul.following == 3


@pytest.mark.parametrize("stamp_ms", [-1, -2, -3, -4, -(2**63)])
def test_a_broker_that_stamps_records_before_1970_does_not_stamp_them(stamp_ms: int) -> None:
    stamped = batch_of(0, [record(b"{}")], 0, 0x08, stamp_ms)
    data = stamped + batch(1, [(b"{}", [])], ZSTD) + batch(2, [(b"{}", [])])
    parts = list(Haul(PLACE, 0, data, 3, ()).parts(Unpacker(10**6)))
    assert [part.stamp_ms for part in parts if isinstance(part, Run)] == [None] * 3
    assert [int(at) for part in parts if isinstance(part, Run) for at in part.cells[:, OFFSET]] == [0, 1, 2]


@pytest.mark.parametrize(("magic", "packing"), [(0, GZIP), (0, SNAPPY), (1, GZIP), (1, SNAPPY), (1, LZ4)])
def test_an_old_message_that_unpacks_to_more_than_the_limit_is_refused(magic: int, packing: int) -> None:
    data = old_batch(7, [b"[" + b" " * 100_000] * 5, magic, packing) + batch(12, [(b"{}", [])])
    assert len(taken_apart(data, 7)[0]) == 6
    found, [bad], _ = taken_apart(data, 7, most=400_000)
    assert ([at for at, _, _ in found], bad.reason) == ([12], Reason.TOO_LARGE)


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("size", [-2, -(2**31), 3, 2**31 - 1])
@pytest.mark.parametrize("place", ["key", "value", "packed", "inner"])
def test_an_old_message_that_lies_about_its_sizes_is_told_and_costs_no_other(magic: int, size: int, place: str) -> None:
    key_at = 26 if magic else 18
    data = old_batch(7, [b"{}"], magic, NONE)
    at = {"key": key_at, "value": key_at + 4, "packed": key_at + 4, "inner": 8}[place]
    data = data[:at] + struct.pack(">i", size) + data[at + 4 :]
    if place in {"packed", "inner"}:
        packed = codec.gzip_encode(data)
        data = old_batch(7, [packed], magic, NONE)
        data = data[:17] + bytes((GZIP,)) + data[18:]
    data = data[:12] + zlib.crc32(data[16:]).to_bytes(4, "big") + data[16:]
    found, bad, followings = taken_apart(data + batch(8, [(b"{}", [])]), 7)
    assert [at for at, _, _ in found][-1] == 8
    assert len(found) + len(bad) == 2
    assert followings[-2:] == [8, 9]


@pytest.mark.parametrize("packed", [varint(2**35), b"\xff" * 200_000, varint(1) + b"\xff" * 100_000, varint(-1) + b"\0"])
def test_headers_that_lie_about_themselves_are_refused_at_once(packed: bytes) -> None:
    with pytest.raises(EventRefused):
        headers_in(packed)


@pytest.mark.parametrize("packing", [GZIP, SNAPPY, LZ4, ZSTD])
def test_a_batch_that_unpacks_to_more_than_the_limit_is_refused(packing: int) -> None:
    data = batch(0, [(b"{" + b" " * 100_000, [])] * 20, packing)
    assert len(taken_apart(data, most=2_100_000)[0]) == 20
    found, [bad], _ = taken_apart(data, most=1_000_000)
    assert found == []
    assert (bad.offset, bad.following, bad.reason) == (0, 20, Reason.TOO_LARGE)
    assert "TIDEGAUGE_KAFKA_SOURCE_MAX_UNPACKED_BYTES" in bad.why


@pytest.mark.parametrize("seed", range(30))
def test_no_damage_whatever_breaks_the_reader_or_moves_it_backwards(seed: int) -> None:
    made = random.Random(seed)
    for _ in range(100):
        data = batch(0, some_records(made), made.choice([NONE, GZIP, LZ4, ZSTD])) + batch(50, some_records(made))
        for _ in range(made.randrange(1, 4)):
            at = made.randrange(len(data))
            data = data[:at] + bytes([made.randrange(256)]) + data[at + made.randrange(3) :]
        if made.random() < 0.5 and len(data) > RECORDS_AT:
            size = struct.unpack_from(">i", data, 8)[0] + 12
            data = sealed(data[:size]) + data[size:] if RECORDS_AT < size <= len(data) else data
        haul = Haul(PLACE, 0, data, 10**6, ())
        assert haul.following > 0
        for part in haul.parts(Unpacker(10**7)):
            if isinstance(part, Run):
                begin = part.read.ctypes.data
                cells = part.cells
                sizes = cells[:, VALUE_BYTES].clip(0)
                assert ((cells[:, VALUE] >= begin) & (cells[:, VALUE] + sizes <= begin + len(part.read))).all()
                assert (cells[:, OFFSET] >= 0).all()
                assert set(cells[:, PLAIN].tolist()) <= {0, 1}


@pytest.mark.parametrize(
    ("pack", "packing"),
    [(codec.gzip_encode, GZIP), (codec.snappy_encode, SNAPPY), (codec.lz4_encode, LZ4), (codec.zstd_encode, ZSTD)],
)
def test_what_is_unpacked_is_what_was_packed(pack: Any, packing: int) -> None:
    raw = random.Random(1).randbytes(100_000) + bytes(100_000)
    packed = pack(raw)
    assert bytes(Unpacker(len(raw)).unpacked(memoryview(packed), packing)) == raw
    with pytest.raises(NotUnpacked):
        Unpacker(len(raw) - 1).unpacked(memoryview(packed), packing)
    with pytest.raises(NotUnpacked):
        Unpacker(len(raw)).unpacked(memoryview(b"\x01 of no codec's form" * 9), packing)


def test_the_compiled_checksum_is_the_clients() -> None:
    for size in (0, 1, 7, 8, 9, 1_000, 4_097):
        data = random.Random(size).randbytes(size)
        assert crc32c(np.frombuffer(data + bytes(8), dtype=np.uint8).ctypes.data, size) == calc_crc32c(data)
