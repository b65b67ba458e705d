"""Scanning records agrees with the codec about every record, whole, old or damaged."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.aggregate.batch import read_batch
from service.aggregate.records.columns import LAYOUT, ROW_TYPES
from service.aggregate.records.dictionary import MOST_PROBES, codes_of, dictionary
from service.aggregate.records.msgpack import PADDING, words_of
from service.aggregate.records.scan import REJECTED_LIST
from service.aggregate.records.scanned import Scanned, scan_records
from service.domain.families.rows import (
    AccountRow,
    FeedbackRow,
    IncidentRow,
    ItemRow,
    MeasurementRow,
    ProbeRow,
    RecoveryRow,
    RejectedRow,
    RequestRow,
    Row,
    TicketRow,
    UsageRow,
)
from service.domain.ids import Partition
from service.errors import RecordUnreadable
from service.eventlog.codec import FAMILIES, SCHEMA_VERSION, decode, encode
from service.eventlog.port import Stored
from tests.columns import columns, stored


def usage(number: int, **fields: Any) -> UsageRow:
    head = (number.to_bytes(16, "big"), 1, "/web", f"id-{number}", 1_000 + number, 2_000, "acme", False, None)
    return msgspec.structs.replace(UsageRow(*head, f"user-{number % 7}", "export"), **fields)


def sample() -> dict[str, list[Any]]:
    head = (bytes(range(16)), 3, "/api", "é-1", None, 7, "", True, b"{}")
    return {
        "usage": [usage(number, properties={"plan": "pro"} if number % 2 else {}) for number in range(5)],
        "request": [RequestRow(*head, "api", "/v1", "GET", 200, latency_ns=2**40)],
        "probe": [ProbeRow(*head, "db", announced_us=None)],
        "measurement": [MeasurementRow(*head, "mrr", whole=-5, attributes={"k": "v"})],
        "incident": [IncidentRow(*head, "i-1", "opened", outage=True, accounts=["a", "b"])],
        "rejected": [RejectedRow(bytes(16), 1, "/api", "id", 9, "malformed", "not JSON", b"{")],
        "account": [AccountRow(*head, "acme", mrr=-5, mrr_currency="USD", signals={"merger": "true"}, size=2**40)],
        "recovery": [RecoveryRow(*head, "c-1", "lost", amount=None, automated=True)],
        "ticket": [TicketRow(*head, "t-1", "opened", "P0", level=4), TicketRow(*head, "t-2", "updated")],
        "feedback": [FeedbackRow(*head, "u", "nps", score=0, scale=10, themes=["a", "é"])],
        "item": [ItemRow(*head, "r-1", "risk", "open", value=2**50, value_currency="EUR")],
    }


def record(rows: dict[str, list[Any]], offset: int = 0, partition: int = 0) -> Stored:
    [one] = encode("producer", offset, rows)
    return stored(one.payload, one.events, offset, partition)


def rows_of(scanned: Scanned) -> dict[str, list[dict[str, Any]]]:
    return {family: frame.to_dicts() for family, frame in scanned.frames.items()}


def test_an_older_row_has_the_defaults_of_the_fields_that_it_lacks() -> None:
    head = (bytes(16), 1, "/web", "id", 5, 6, "", False, None)
    old = msgspec.msgpack.encode((1, "p", 0, 2, [(*head, "u", "export"), (*head, "u", "export", "s", 7)]))
    frame = scan_records([stored(old, 2)], partitions=1).frames["usage"]
    assert frame.equals(columns("usage", [UsageRow(*head, "u", "export"), UsageRow(*head, "u", "export", "s", 7)]))


def test_what_the_log_says_of_how_many_events_there_are_need_not_be_right() -> None:
    whole = record(sample())
    for events in (1, 100):
        wrong = stored(whole.payload, events)
        assert rows_of(scan_records([wrong], partitions=1)) == rows_of(scan_records([whole], partitions=1))


def test_more_different_texts_than_events_find_room() -> None:
    several = [usage(number, user=f"u{number}", session=f"s{number}", feature=f"f{number}") for number in range(600)]
    assert columns("usage", several)["session"].to_list() == [row.session for row in several]


def test_texts_with_nul_are_the_texts_that_they_are() -> None:
    several = [usage(1, user="a\0b", id="\0"), usage(2, user="", id="")]
    frame = columns("usage", several)
    assert (frame["user"].to_list(), frame["id"].to_list()) == (["a\0b", ""], ["\0", ""])


def test_an_unreadable_record_stops_its_partition_and_no_other() -> None:
    newer = stored(msgspec.msgpack.encode((SCHEMA_VERSION + 1, "p", 0, 0)), 0, offset=1)
    records = [record(sample(), 0), newer, record(sample(), 2), record(sample(), 0, partition=1)]
    batch = read_batch(records, partitions=1)
    assert set(batch.unreadable) == {Partition(0)}
    assert f"record 1 of partition 0: a record of schema version {SCHEMA_VERSION + 1}" in batch.unreadable[Partition(0)]
    assert [(partition, offset) for partition, offset in batch.places] == [(0, 0), (1, 0)]
    assert batch.events == 2 * sum(map(len, sample().values()))


@pytest.mark.parametrize("size", [0, 1, 31, 32, 255, 256, 65_535, 65_536])
def test_texts_of_every_length_of_length_are_read(size: int) -> None:
    assert columns("usage", [usage(1, user="x" * size, id="y" * size)]).select("user", "id").row(0) == ("x" * size, "y" * size)


def test_a_number_that_no_column_holds_parks_its_partition_and_ends_nothing() -> None:
    poison = msgspec.msgpack.encode((SCHEMA_VERSION, "p", 0, 1, [msgspec.structs.replace(usage(1), duration_ns=2**63)]))
    scanned = scan_records([stored(poison, 1), record(sample(), 1), record(sample(), 0, partition=1)], partitions=2)
    assert set(scanned.unreadable) == {Partition(0)}
    assert [(one.partition, one.offset) for one in scanned.records] == [(1, 0)]


def test_texts_chosen_for_one_hash_are_not_all_looked_at_for_each() -> None:
    # Backwards through `_hash_of`: the second word makes up for what the first one did.
    odd, wanted, texts = 0xFF51AFD7ED558CCD, 12_345, 2_000
    before = (wanted ^ (wanted >> 32)) * pow(odd, -1, 1 << 64) % (1 << 64)
    crafted = bytearray()
    for first in range(texts):
        mixed = (16 ^ first) * odd % (1 << 64)
        crafted += first.to_bytes(8, "little") + ((mixed ^ (mixed >> 32)) ^ before).to_bytes(8, "little")
    cells, sizes = np.arange(texts, dtype=np.int64) * 16, np.full(texts, 16, dtype=np.int64)
    known = dictionary(texts)
    assert codes_of(words_of(bytes(crafted) + PADDING), cells, sizes, known)
    assert cells.tolist() == [*range(1, texts + 1)]
    assert known.begins[cells].tolist() == [16 * number for number in range(texts)]
    assert np.count_nonzero(known.table) == MOST_PROBES + 1


NUMBERS = [edge + step for size in (0, 7, 8, 16, 31, 32, 62) for edge in (1 << size, -(1 << size)) for step in (-1, 0, 1)]


@pytest.mark.parametrize("number", [*NUMBERS, 2**63 - 1, -(2**63)])
def test_integers_of_every_size_are_read(number: int) -> None:
    frame = columns("usage", [usage(1, duration_ns=number, quantity_nano=number)])
    assert frame.select("duration_ns", "quantity_nano").row(0) == (number, number)


@settings(max_examples=300)
@given(st.data())
def test_damaged_bytes_are_refused_just_where_the_codec_refuses_them(data: st.DataObject) -> None:
    payload = bytearray(record(sample()).payload)
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    damaged = stored(bytes(payload[: data.draw(st.sampled_from([len(payload), len(payload) - 1, len(payload) // 2]))]), 10)
    try:
        decoded = decode(damaged.payload)
    except RecordUnreadable:
        assert scan_records([damaged], partitions=1).unreadable
        return
    scanned = scan_records([damaged], partitions=1)
    assert not scanned.unreadable
    assert scanned.producers == [(decoded.producer, decoded.sequence)]
    assert [row for _, row in scanned.rejected] == decoded.rejected
    for family in ROW_TYPES:
        rows: list[Row] = getattr(decoded, family)
        ids = [event["id"] for event in rows_of(scanned).get(family, [])]
        assert ids == [row.id for row in rows]


def test_every_list_of_a_record_is_a_familys_or_holds_the_refused() -> None:
    assert set(FAMILIES) == {*ROW_TYPES, "rejected"}
    names = list(ROW_TYPES)
    assert [names[place] if place != REJECTED_LIST else "rejected" for place in LAYOUT.lists.tolist()] == list(FAMILIES)


def test_rows_of_families_on_both_sides_of_the_refused_are_found() -> None:
    for family, rows in sample().items():
        scanned = scan_records([record({"usage": [usage(1)]}, 0), record({family: rows}, 1)], partitions=1)
        assert not scanned.unreadable
        found = {name: len(frame) for name, frame in scanned.frames.items()}
        assert found.get("usage") == 1 + (len(rows) if family == "usage" else 0)
        assert len(scanned.rejected) == (len(rows) if family == "rejected" else 0)
        assert family in {"usage", "rejected"} or found[family] == len(rows)


def test_a_list_that_no_family_has_is_not_taken_for_one() -> None:
    whole = msgspec.msgpack.decode(record(sample()).payload)
    scanned = scan_records([stored(msgspec.msgpack.encode([*whole, []]), whole[3])], partitions=1)
    assert rows_of(scanned) == rows_of(scan_records([record(sample())], partitions=1))
