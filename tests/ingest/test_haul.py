"""Batches of records are taken apart as Kafka's client takes them apart, and one that cannot be read costs no other."""

import random
import struct
from typing import Any

import numpy as np
import pytest
from aiokafka import TopicPartition, codec
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

from service.domain.reasons import Reason
from service.ingest.kafka.batches import OFFSET, PLAIN, VALUE, VALUE_BYTES
from service.ingest.kafka.crc import crc32c
from service.ingest.kafka.haul import Haul, Run, Unreadable
from service.ingest.kafka.record import headers_in
from service.ingest.kafka.unpacking import NotUnpacked, Unpacker

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
    return bytes(builder.build())


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
