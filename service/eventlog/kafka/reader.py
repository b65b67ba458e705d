"""Reads a topic from offsets that the caller names; what was fetched is kept until a later read begins behind it.

One request brings records and where their partitions end; only partitions that seem to have none are asked for their ends
beside it. Nothing is asked for while nobody reads, but for what follows a read that left some (docs/adr/0032).
"""

import asyncio
import contextlib
from collections.abc import Collection, Iterable, Mapping

from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from service.domain.ids import Offset, Partition
from service.errors import LogUnavailable, OffsetOutOfRange, TidegaugeError
from service.eventlog.kafka.ahead import Ahead
from service.eventlog.kafka.asking import RETRY_S, Leaders
from service.eventlog.kafka.connection import KafkaConnection, failures_named
from service.eventlog.kafka.offsets import KafkaOffsets
from service.eventlog.kafka.record import records_of
from service.eventlog.kafka.topic import MAX_BATCH_BYTES
from service.eventlog.port import Stored
from service.eventlog.refusals import check_offset, missing
from service.kafka.fetch import Answer
from service.kafka.haul import Haul, Unreadable, prepare
from service.kafka.unpacking import Unpacker
from service.lifecycle import cancel


class KafkaReader:
    """Told its partitions and positions by each read; no group decides about either."""

    def __init__(self, connection: KafkaConnection, topic: str, offsets: KafkaOffsets) -> None:
        self._connection = connection
        self._topic = topic
        self._offsets = offsets
        self._leaders = Leaders(connection, topic)
        self._unpacker = Unpacker(2 * MAX_BATCH_BYTES)
        self._ahead: dict[Partition, Ahead] = {}
        self._coming: asyncio.Task[None] | None = None
        """Fetches what the next read will ask for."""
        self._turn = asyncio.Lock()
        self._prepared = False

    async def read(self, positions: Mapping[Partition, Offset], *, max_bytes: int, wait_s: float) -> list[Stored]:
        """Records from these offsets on; a partition without one was empty when this was called, or later.

        At most MAX_READ_RECORDS a partition and `max_bytes` in all, and one of each that has any.
        Raises OffsetOutOfRange and LogUnavailable.
        """
        async with self._turn:
            with failures_named(self._connection):
                await self._begin(positions)
                behind = await self._behind(max_bytes // len(positions), wait_s)
                if not behind:
                    return []
                share = max_bytes // len(behind)
                await self._fill(behind, share)
                taken = [record for partition in sorted(behind) for record in self._ahead[partition].take(share)]
                self._go_on(2 * share)
                return taken

    async def rest(self) -> None:
        """Keep nothing until the next read, which will begin elsewhere."""
        async with self._turn:
            await self._stop_coming()
            self._ahead.clear()

    async def close(self) -> None:
        """Let go of the connections, as soon as nobody reads: a read under way would open others."""
        async with self._turn:
            await self._stop_coming()
            await self._leaders.close()

    async def _begin(self, positions: Mapping[Partition, Offset]) -> None:
        """Have exactly these partitions, each from its position on, with what was fetched of them meanwhile."""
        if not self._prepared:
            await asyncio.to_thread(prepare)
            self._prepared = True
        if self._coming is not None:
            await asyncio.wait([self._coming])
            self._coming = None
        self._ahead = {p: self._ahead.get(p) or Ahead(offset) for p, offset in positions.items()}
        for partition, offset in positions.items():
            self._ahead[partition].begin_at(offset)

    async def _behind(self, share: int, wait_s: float) -> list[Partition]:
        """The partitions that have records, as soon as there is one; those that have none by now are asked for them."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + wait_s
        left_s = 0.0 if any(each.records for each in self._ahead.values()) else wait_s
        while True:
            await self._fetch([p for p, each in self._ahead.items() if not each.records or each.size < share], left_s)
            behind = [p for p, each in self._ahead.items() if each.records or each.next < each.end or each.fault]
            left_s = deadline_s - loop.time()
            if behind or left_s <= 0:
                return behind + await self._not_empty([p for p in self._ahead if p not in behind])

    async def _not_empty(self, seeming: Collection[Partition]) -> list[Partition]:
        """Those of these partitions, which seem to have no records, that have some all the same.

        Until replicas have told a leader that was just elected how far they are, it shows those who fetch an earlier end,
        before records that were acknowledged, and an empty log moves the watermark. Asked where a partition ends, it does
        not answer before it knows (KIP-207).
        """
        if not seeming:
            return []
        ends = await self._offsets.ends(seeming)
        if any(self._ahead[partition].next > ends[partition] for partition in seeming):
            raise await self._out_of_range({partition: self._ahead[partition].next for partition in seeming})
        for partition in seeming:
            self._ahead[partition].end = ends[partition]
        return [partition for partition in seeming if self._ahead[partition].has_more]

    async def _fill(self, behind: Collection[Partition], share: int) -> None:
        """Fetch on until there is a share of each, or all that there is of it."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._connection.request_timeout_s
        while lacking := [p for p in behind if self._ahead[p].has_more and self._ahead[p].size < share]:
            before = sum(self._ahead[p].next for p in lacking)
            await self._fetch(lacking, 0.0)
            if sum(self._ahead[p].next for p in lacking) > before:
                deadline_s = loop.time() + self._connection.request_timeout_s
            elif loop.time() >= deadline_s:
                for partition in lacking:
                    self._ahead[partition].end = 0  # asked for anew: a log that has lost its end is not waited for again
                raise LogUnavailable(f"partitions {lacking} of {self._topic} hold records that no broker sends: look at them")
            else:
                await asyncio.sleep(RETRY_S)
        for partition in behind:
            if self._ahead[partition].fault and not self._ahead[partition].records:
                raise LogUnavailable(
                    f"a batch of partition {partition} of {self._topic} {self._ahead[partition].fault}: it is read again; "
                    f"if that does not help, restore the topic from another replica"
                )

    def _go_on(self, most_bytes: int) -> None:
        """Fetch ahead while the caller works, one answer of each broker."""
        wanted = [p for p, each in self._ahead.items() if each.has_more and each.size < most_bytes]
        if wanted:
            self._coming = asyncio.create_task(self._fetch_ahead(wanted), name="read-ahead")

    async def _fetch_ahead(self, partitions: Iterable[Partition]) -> None:
        # Whatever is the matter, the next read will meet it, and say it.
        with contextlib.suppress(KafkaError, OSError, TimeoutError, TidegaugeError):
            await self._fetch(partitions, 0.0)

    async def _stop_coming(self) -> None:
        if self._coming is not None:
            await cancel([self._coming])
            self._coming = None

    async def _fetch(self, partitions: Iterable[Partition], wait_s: float) -> None:
        """Keep what follows of these partitions, and where they end."""
        wanted = {partition: self._ahead[partition].next for partition in partitions}
        if not wanted:
            return
        for answer in await self._leaders.answers(wanted, wait_s=wait_s):
            if answer.error is OffsetOutOfRangeError:
                raise await self._out_of_range({p: each.next for p, each in self._ahead.items()})
            await self._keep(answer)

    async def _keep(self, answer: Answer) -> None:
        partition = Partition(answer.partition.partition)
        ahead = self._ahead[partition]
        ahead.end = max(ahead.end, answer.end)
        for part in Haul(answer.partition, answer.offset, answer.data, answer.end, answer.aborted).parts(self._unpacker):
            if isinstance(part, Unreadable):
                ahead.fault = f"at offset {part.offset} {part.why}"
                return
            for record in records_of(part, partition):
                if record.offset != ahead.next:
                    break
                ahead.add(record)
            if part.following > ahead.next:
                # Deleted, or no record but a marker of somebody's transaction: no such thing is ours.
                start = (await self._offsets.starts([partition]))[partition]
                raise missing(partition, ahead.next, start=start, end=answer.end)

    async def _out_of_range(self, positions: Mapping[Partition, Offset]) -> OffsetOutOfRange | LogUnavailable:
        """The error for the first position that the log does not hold."""
        starts, ends = await self._offsets.starts(positions), await self._offsets.ends(positions)
        for partition in sorted(positions):
            try:
                check_offset(partition, positions[partition], start=starts[partition], end=ends[partition])
            except OffsetOutOfRange as error:
                return error
        return LogUnavailable(f"a broker did not know an offset of {self._topic} that it knows now: read again")
