"""What every event log promises, whatever keeps it."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence

import pytest

from service.domain.ids import Offset, Partition
from service.errors import LogMismatch, OffsetOutOfRange, RecordTooLarge
from service.eventlog.port import MAX_RECORD_BYTES, Draft, EventLog, Reached, Stored
from tests.eventlog.conftest import PARTITIONS, Adapter, MovableClock

ALL = 64 * 1024 * 1024
SECOND_US = 1_000_000


def draft(partition: int, payload: bytes, events: int = 1) -> Draft:
    return Draft(Partition(partition), events, payload)


def at(positions: Mapping[int, int]) -> dict[Partition, Offset]:
    return {Partition(partition): Offset(offset) for partition, offset in positions.items()}


START = at(dict.fromkeys(range(PARTITIONS), 0))


async def read(log: EventLog, positions: Mapping[Partition, Offset] = START, max_bytes: int = ALL) -> Sequence[Stored]:
    return await log.read(positions, max_bytes=max_bytes, wait_s=0)


async def test_what_is_appended_is_read_in_the_order_given(log: EventLog) -> None:
    offsets = await log.append([draft(1, b"a"), draft(0, b"b"), draft(1, b"c", events=3), draft(1, b"d")])
    assert list(offsets) == [0, 0, 1, 2]
    assert list(await log.append([draft(1, b"e")])) == [3]
    records = await read(log)
    assert [(r.partition, r.offset, r.payload, r.events) for r in records] == [
        (0, 0, b"b", 1),
        (1, 0, b"a", 1),
        (1, 1, b"c", 3),
        (1, 2, b"d", 1),
        (1, 3, b"e", 1),
    ]


async def test_what_was_acknowledged_is_there_for_another_process(adapter: Adapter, log: EventLog, clock: MovableClock) -> None:
    await log.append([draft(2, b"kept")])
    other = await adapter.open()
    [record] = await read(other)
    assert (record.payload, record.appended_us) == (b"kept", clock.now_us())
    await other.close()


async def test_appending_nothing_changes_nothing(log: EventLog) -> None:
    assert list(await log.append([])) == []
    assert {extent.end for extent in (await log.extents()).values()} == {0}


async def test_a_read_begins_at_the_offset_asked_for(log: EventLog) -> None:
    await log.append([draft(0, bytes([i])) for i in range(5)])
    records = await read(log, at({0: 3}))
    assert [(r.offset, r.payload) for r in records] == [(3, b"\x03"), (4, b"\x04")]


async def test_a_read_looks_at_no_partition_that_was_not_asked_for(log: EventLog) -> None:
    await log.append([draft(0, b"a"), draft(1, b"b")])
    assert [r.payload for r in await read(log, at({1: 0}))] == [b"b"]
    assert list(await read(log, {})) == []


async def test_reading_at_the_end_finds_nothing_and_is_no_error(log: EventLog) -> None:
    await log.append([draft(0, b"a")])
    assert list(await read(log, at({0: 1, 1: 0}))) == []


async def test_a_waiting_read_answers_as_soon_as_a_record_comes(log: EventLog) -> None:
    waiting = asyncio.create_task(log.read(START, max_bytes=ALL, wait_s=120))
    await asyncio.sleep(0.05)
    await log.append([draft(3, b"late")])
    async with asyncio.timeout(180):
        assert [r.payload for r in await waiting] == [b"late"]


async def test_a_waiting_read_gives_up_when_its_time_is_over(log: EventLog) -> None:
    async with asyncio.timeout(60):
        assert list(await log.read(START, max_bytes=ALL, wait_s=0.1)) == []


async def test_a_read_shares_its_bytes_among_the_partitions_that_have_records(log: EventLog) -> None:
    await log.append([draft(partition, bytes(1_000)) for partition in (0, 1, 1, 1, 1, 1, 1, 1, 1) for _ in range(5)])
    got: dict[int, int] = defaultdict(int)
    records = await read(log, max_bytes=10_000)
    for record in records:
        got[record.partition] += len(record.payload)
    assert sum(got.values()) <= 10_000
    assert got == {0: 5_000, 1: 5_000}
    assert sum(len(r.payload) for r in await read(log, at({0: 5, 1: 0, 2: 0}), max_bytes=10_000)) == 10_000


async def test_a_record_larger_than_the_bytes_asked_for_comes_all_the_same(log: EventLog) -> None:
    await log.append([draft(0, bytes(5_000)), draft(0, b"next"), draft(1, bytes(6_000))])
    assert [(r.partition, len(r.payload)) for r in await read(log, max_bytes=100)] == [(0, 5_000), (1, 6_000)]


async def test_reading_on_from_each_answer_visits_every_record_once(log: EventLog) -> None:
    await log.append([draft(i % 3, i.to_bytes(2, "big") * 50) for i in range(60)])
    positions = dict(START)
    seen: list[tuple[int, int]] = []
    while records := await read(log, positions, max_bytes=700):
        for record in records:
            seen.append((record.partition, record.offset))
            positions[record.partition] = Offset(record.offset + 1)
    assert sorted(seen) == [(partition, offset) for partition in range(3) for offset in range(20)]


async def test_an_offset_past_the_end_stops_loudly(log: EventLog) -> None:
    await log.append([draft(0, b"a")])
    with pytest.raises(OffsetOutOfRange, match=r"offset 2 of partition 0 .* holds 0 to 1"):
        await read(log, at({0: 2}))


async def test_an_offset_before_the_start_stops_loudly(log: EventLog, clock: MovableClock) -> None:
    await log.append([draft(0, b"a"), draft(0, b"b")])
    await log.trim(at({0: 2}), older_than_us=clock.now_us() + 1)
    await log.append([draft(0, b"c")])
    with pytest.raises(OffsetOutOfRange, match=r"offset 1 of partition 0 .* holds 2 to 3"):
        await read(log, at({0: 1}))
    assert [r.payload for r in await read(log, at({0: 2}))] == [b"c"]


async def test_another_number_of_partitions_is_refused(adapter: Adapter) -> None:
    for partitions in (PARTITIONS - 1, PARTITIONS + 1):
        with pytest.raises(LogMismatch, match=f"has {PARTITIONS} partitions, not {partitions}"):
            await adapter.open(partitions=partitions)


async def test_a_partition_that_there_is_not_is_refused_and_nothing_is_appended(log: EventLog) -> None:
    with pytest.raises(LogMismatch, match=f"no partition {PARTITIONS}"):
        await log.append([draft(0, b"a"), draft(PARTITIONS, b"b")])
    with pytest.raises(LogMismatch, match="no partition -1"):
        await read(log, at({-1: 0}))
    assert list(await read(log)) == []


async def test_a_record_up_to_its_limit_is_taken_and_one_over_it_refused(log: EventLog) -> None:
    await log.append([draft(0, bytes(MAX_RECORD_BYTES))])
    with pytest.raises(RecordTooLarge, match=str(MAX_RECORD_BYTES)):
        await log.append([draft(0, bytes(MAX_RECORD_BYTES + 1))])
    assert [len(r.payload) for r in await read(log)] == [MAX_RECORD_BYTES]


async def test_an_append_of_many_large_records_keeps_their_order(log: EventLog) -> None:
    payloads = [bytes([i]) * MAX_RECORD_BYTES for i in range(40)]
    assert list(await log.append([draft(0, payload) for payload in payloads])) == list(range(40))
    assert [r.payload for r in await read(log)] == payloads


async def test_extents_say_what_every_partition_holds(log: EventLog, clock: MovableClock) -> None:
    await log.append([draft(0, b"a", events=5), draft(0, b"b", events=2), draft(2, b"c", events=1)])
    await log.trim(at({0: 1}), older_than_us=clock.now_us() + 1)
    found = {partition: (e.start, e.end, e.events) for partition, e in (await log.extents()).items()}
    assert found == {0: (1, 2, 7), 1: (0, 0, 0), 2: (0, 1, 1), 3: (0, 0, 0)}


async def test_extents_of_some_partitions_are_of_no_others(log: EventLog) -> None:
    await log.append([draft(0, b"a"), draft(1, b"b", events=2), draft(1, b"c", events=3)])
    found = {partition: (e.end, e.events) for partition, e in (await log.extents([Partition(1), Partition(2)])).items()}
    assert found == {1: (2, 5), 2: (0, 0)}
    assert dict(await log.extents([])) == {}


async def test_the_lag_of_a_partition_is_what_lies_from_where_it_was_read_to(log: EventLog) -> None:
    await log.append([draft(0, b"a", events=5), draft(0, b"b", events=2), draft(1, b"c", events=3)])
    reached = {Partition(0): Reached(Offset(1), 5), Partition(1): Reached(Offset(1), 3), Partition(2): Reached(Offset(0), 0)}
    assert dict(await log.lag(reached)) == {0: 2, 1: 0, 2: 0}
    assert dict(await log.lag({})) == {}


async def test_what_is_pending_is_counted_from_the_records(log: EventLog, clock: MovableClock) -> None:
    began_us = clock.now_us()
    await log.append([draft(0, b"a", events=5), draft(1, b"b", events=1)])
    clock.time_us += SECOND_US
    await log.append([draft(0, b"c", events=7), draft(0, b"d", events=2)])
    for position, pending, oldest_us in ((0, 14, began_us), (1, 9, clock.now_us()), (3, 0, None)):
        [found] = (await log.backlog(at({0: position}))).values()
        assert (found.end, found.appended, found.pending, found.oldest_us) == (3, 14, pending, oldest_us)
    with pytest.raises(OffsetOutOfRange, match="offset 4 of partition 0"):
        await log.backlog(at({0: 4}))


async def test_what_was_appended_is_known_after_it_was_dropped_and_to_every_process(
    adapter: Adapter, log: EventLog, clock: MovableClock
) -> None:
    await log.append([draft(0, bytes([i]), events=i) for i in range(10)])
    assert await log.trim(at({0: 6}), older_than_us=clock.now_us() + 1) == 6
    other = await adapter.open()
    await log.append([draft(0, b"more", events=100)])
    [found] = (await other.backlog(at({0: 8}))).values()
    assert (found.appended, found.pending) == (145, 117)
    assert (await other.extents())[Partition(0)].events == 145
    await other.close()


async def test_retention_never_passes_the_reader(log: EventLog, clock: MovableClock) -> None:
    await log.append([draft(partition, bytes([i])) for partition in (0, 1) for i in range(6)])
    clock.time_us += 1_000 * SECOND_US
    assert await log.trim(at({0: 4}), older_than_us=clock.now_us()) == 4
    assert [(r.partition, r.offset) for r in await read(log, at({0: 4, 1: 0}))] == [
        (0, 4),
        (0, 5),
        *((1, offset) for offset in range(6)),
    ]


async def test_retention_keeps_what_is_young_though_it_was_read(log: EventLog, clock: MovableClock) -> None:
    await log.append([draft(0, b"old"), draft(0, b"old too")])
    clock.time_us += 10 * SECOND_US
    await log.append([draft(0, b"young")])
    assert await log.trim(at({0: 3}), older_than_us=clock.now_us() - SECOND_US) == 2
    assert [r.payload for r in await read(log, at({0: 2}))] == [b"young"]


async def test_retention_drops_only_a_beginning_though_the_clocks_of_appenders_differ(log: EventLog, clock: MovableClock) -> None:
    await log.append([draft(0, b"from a clock that is ahead")])
    clock.time_us -= 100 * SECOND_US
    await log.append([draft(0, b"from one that is not")])
    assert await log.trim(at({0: 2}), older_than_us=clock.now_us() + SECOND_US) == 0
    assert len(await read(log)) == 2


async def test_a_reader_ahead_of_the_end_does_not_move_the_start_past_it(log: EventLog, clock: MovableClock) -> None:
    await log.append([draft(0, b"a")])
    assert await log.trim(at({0: 99}), older_than_us=clock.now_us() + 1) == 1
    assert list(await log.append([draft(0, b"b")])) == [1]
    assert [r.payload for r in await read(log, at({0: 1}))] == [b"b"]


async def test_trimming_again_finds_nothing_more(log: EventLog, clock: MovableClock) -> None:
    await log.append([draft(0, b"a"), draft(1, b"b")])
    keep = at({0: 1, 1: 1})
    assert await log.trim(keep, older_than_us=clock.now_us() + 1) == 2
    assert await log.trim(keep, older_than_us=clock.now_us() + 1) == 0
    assert await log.trim(at({0: 0}), older_than_us=clock.now_us() + 1) == 0
    assert (await log.extents())[Partition(0)].start == 1


async def test_no_gap_is_stepped_over_with_many_appenders(adapter: Adapter, log: EventLog) -> None:
    """Each appender writes to all partitions, in an order of its own, while a reader polls."""
    appenders, rounds = 12, 25
    others = [await adapter.open() for _ in range(appenders)]

    async def append(number: int) -> list[tuple[int, int, bytes]]:
        written: list[tuple[int, int, bytes]] = []
        for turn in range(rounds):
            order = [(number * 7 + turn * 3 + i * (1 + 2 * (number % 2))) % PARTITIONS for i in range(6)]
            drafts = [draft(partition, f"{number}/{turn}/{i}".encode()) for i, partition in enumerate(order)]
            offsets = await others[number].append(drafts)
            written += [(d.partition, o, d.payload) for d, o in zip(drafts, offsets, strict=True)]
        return written

    positions = dict(START)
    seen: list[tuple[int, int, bytes]] = []
    writing = asyncio.gather(*(append(number) for number in range(appenders)))
    async with asyncio.timeout(180):
        while not writing.done() or len(seen) < appenders * rounds * 6:
            for record in await log.read(positions, max_bytes=ALL, wait_s=0.01):
                assert record.offset == positions[record.partition]
                positions[record.partition] = Offset(record.offset + 1)
                seen.append((record.partition, record.offset, record.payload))
        written = [line for lines in await writing for line in lines]
    assert sorted(seen) == sorted(written)
    for number in range(appenders):
        for partition in range(PARTITIONS):
            mine = [payload.split(b"/") for p, _, payload in seen if p == partition and payload.startswith(b"%d/" % number)]
            assert mine == sorted(mine, key=lambda parts: (int(parts[1]), int(parts[2])))
