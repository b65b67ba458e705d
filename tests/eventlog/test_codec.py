"""A record gives back what was put into it, and says so when it cannot."""

from collections.abc import Mapping, Sequence
from typing import get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.families import rows as families
from service.errors import RecordTooLarge, RecordUnreadable
from service.eventlog.codec import FAMILIES, SCHEMA_VERSION, AnyRow, Record, decode, encode
from service.eventlog.port import MAX_RECORD_BYTES

ROWS: Mapping[str, type[AnyRow]] = {
    "usage": families.UsageRow,
    "user": families.UserRow,
    "delivery": families.DeliveryRow,
    "request": families.RequestRow,
    "probe": families.ProbeRow,
    "measurement": families.MeasurementRow,
    "incident": families.IncidentRow,
    "rejected": families.RejectedRow,
    "account": families.AccountRow,
    "recovery": families.RecoveryRow,
    "ticket": families.TicketRow,
    "feedback": families.FeedbackRow,
    "item": families.ItemRow,
}
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
INTEGER = st.integers(-(2**63), 2**63 - 1)
VALUES = {
    str: TEXT,
    int: INTEGER,
    bool: st.booleans(),
    bytes: st.binary(max_size=20),
    int | None: st.none() | INTEGER,
    bool | None: st.none() | st.booleans(),
    bytes | None: st.none() | st.binary(max_size=40),
    dict[str, str]: st.dictionaries(TEXT, TEXT, max_size=3),
    list[str]: st.lists(TEXT, max_size=3),
}
BATCHES = st.fixed_dictionaries(
    {},
    optional={
        family: st.lists(st.builds(row, **{name: VALUES[hint] for name, hint in get_type_hints(row).items()}), max_size=4)
        for family, row in ROWS.items()
    },
)


def request(number: int, raw: bytes | None = None) -> families.RequestRow:
    return families.RequestRow(bytes(16), 1, "/api", f"id-{number}", None, 7, "", raw is not None, raw, "api")


def head(number: int) -> tuple[bytes, int, str, str, int | None, int, str, bool, bytes | None]:
    """What every row begins with."""
    return (bytes(15) + bytes([number]), 1, "/api", f"id-{number}", None, 7, "acme", False, None)


def rejected(number: int, raw: bytes = b"{") -> families.RejectedRow:
    return families.RejectedRow(bytes(16), 1, "/api", f"id-{number}", 7, "malformed", "not JSON", raw)


def all_rows(records: Sequence[Record]) -> dict[str, list[AnyRow]]:
    return {family: [row for record in records for row in getattr(record, family)] for family in FAMILIES}


@given(BATCHES, st.text(max_size=40), st.integers(0, 2**63 - 1))
def test_decoding_an_encoded_batch_gives_the_batch(batch: dict[str, list[AnyRow]], producer: str, sequence: int) -> None:
    encoded = encode(producer, sequence, batch)
    events = sum(map(len, batch.values()))
    if not events:
        assert encoded == []
        return
    [one] = encoded
    record = decode(one.payload)
    assert (record.version, record.producer, record.sequence) == (SCHEMA_VERSION, producer, sequence)
    assert record.events == one.events == events
    assert all_rows([record]) == {family: batch.get(family, []) for family in FAMILIES}


def test_every_family_of_rows_has_its_place_in_a_record() -> None:
    hints = get_type_hints(Record)
    assert tuple(Record.__struct_fields__)[4:] == FAMILIES
    assert {family: hints[family] for family in FAMILIES} == {family: list[row] for family, row in ROWS.items()}  # type: ignore[valid-type]


def test_a_batch_over_the_limit_becomes_several_records_numbered_one_after_the_other() -> None:
    batch: dict[str, list[AnyRow]] = {
        "request": [request(i) for i in range(30_000)],
        "rejected": [rejected(i) for i in range(5_000)],
    }
    encoded = encode("producer", 17, batch)
    assert len(encoded) > 2
    assert all(len(one.payload) <= MAX_RECORD_BYTES for one in encoded)
    records = [decode(one.payload) for one in encoded]
    assert [record.sequence for record in records] == list(range(17, 17 + len(records)))
    assert [record.events for record in records] == [one.events for one in encoded]
    assert all_rows(records) == {family: batch.get(family, []) for family in FAMILIES}


def test_a_split_wastes_little_of_each_record() -> None:
    encoded = encode("producer", 0, {"request": [request(i) for i in range(60_000)]})
    assert sum(len(one.payload) for one in encoded) / len(encoded) > MAX_RECORD_BYTES * 0.7


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 300_000), min_size=1, max_size=40))
def test_events_of_any_size_keep_their_order_and_their_limit(sizes: list[int]) -> None:
    batch = {"request": [request(i, bytes(size)) for i, size in enumerate(sizes)]}
    encoded = encode("producer", 0, batch)
    assert all(len(one.payload) <= MAX_RECORD_BYTES for one in encoded)
    assert all_rows([decode(one.payload) for one in encoded])["request"] == batch["request"]


def test_a_single_event_over_the_limit_is_refused_by_name() -> None:
    batch = {"request": [request(1), request(2, bytes(MAX_RECORD_BYTES)), request(3)]}
    with pytest.raises(RecordTooLarge, match=r"request event 'id-2' of '/api' takes \d+ bytes .*_MAX_EVENT_BYTES"):
        encode("producer", 0, batch)


def test_a_family_that_the_log_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no family \['weather'\]"):
        encode("producer", 0, {"weather": []})


def test_the_numbers_and_texts_at_the_edges_survive() -> None:
    edges = (b"\xff" * 16, 2**31 - 1, "s" * 512, "i" * 256, -(2**63), 2**63 - 1, "ä" * 128, True, b"")
    row = families.MeasurementRow(*edges, "m", 10**15, 999_999_999)
    [one] = encode("", 2**63 - 1, {"measurement": [row]})
    assert decode(one.payload).measurement == [row]


def shortened(batch: Mapping[str, Sequence[AnyRow]], keep: int) -> bytes:
    """A record whose rows end after `keep` fields, as an older writer made them."""
    record = msgspec.msgpack.decode(encode("old", 3, batch)[0].payload)
    return msgspec.msgpack.encode(record[:4] + [[row[:keep] for row in rows] for rows in record[4:]])


def test_rows_of_an_older_writer_take_the_defaults_of_what_they_lack() -> None:
    full = families.RequestRow(*head(1), "api", "/v1", "GET", status=200, timeout=True, latency_ns=9)
    [row] = decode(shortened({"request": [full]}, keep=11)).request
    assert row == families.RequestRow(*head(1), "api", "/v1")
    assert (row.status, row.timeout, row.count, row.excluded) == (0, False, 1, "")


def test_a_record_of_an_older_writer_that_knew_fewer_families_is_read() -> None:
    whole = msgspec.msgpack.decode(encode("old", 0, {"usage": [families.UsageRow(*head(1), "u", "f")]})[0].payload)
    record = decode(msgspec.msgpack.encode(whole[:6]))
    assert len(record.usage) == 1
    assert record.incident == []
    assert record.rejected == []


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1, 10**9])
def test_a_record_of_an_unknown_version_is_named_as_such(version: int) -> None:
    whole = msgspec.msgpack.decode(encode("new", 0, {"request": [request(1)]})[0].payload)
    for form in ([version, *whole[1:]], [version, {"another": "form"}], [version, *whole[1:], [["a family"]]]):
        with pytest.raises(RecordUnreadable, match=f"schema version {version}: this release reads 1 to {SCHEMA_VERSION}"):
            decode(msgspec.msgpack.encode(form))


def test_a_record_whose_counts_do_not_add_up_is_refused() -> None:
    whole = msgspec.msgpack.decode(encode("p", 5, {"request": [request(1)], "rejected": [rejected(2)]})[0].payload)
    with pytest.raises(RecordUnreadable, match="record 5 of producer p says 3 events and holds 2"):
        decode(msgspec.msgpack.encode([*whole[:3], 3, *whole[4:]]))
    with pytest.raises(RecordUnreadable, match="says 2 events and holds 1"):
        decode(msgspec.msgpack.encode(whole[: 4 + FAMILIES.index("rejected")]))


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xc1", b"\x01", b"[1]", b"\xdd\xff\xff\xff\xff", b"\x95\x01\xa1p\x00\x00\xdd\xff\xff\xff\xff", b"\x91" * 100_000],
)
def test_bytes_that_are_no_record_are_refused(payload: bytes) -> None:
    with pytest.raises(RecordUnreadable, match="damaged"):
        decode(payload)


@settings(max_examples=500)
@given(st.data())
def test_damaged_bytes_are_refused_or_read_but_never_raise_anything_else(data: st.DataObject) -> None:
    payload = bytearray(encode("p", 0, {"request": [request(1)], "rejected": [rejected(2)]})[0].payload)
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(payload)))
    for damaged in (bytes(payload), bytes(payload[:cut])):
        try:
            decode(damaged)
        except RecordUnreadable:
            continue


def test_a_record_with_something_after_it_is_refused() -> None:
    payload = encode("p", 0, {"request": [request(1)]})[0].payload
    with pytest.raises(RecordUnreadable, match="damaged"):
        decode(payload + b"\x00")
