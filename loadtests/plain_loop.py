"""A loop that promises nothing, to compare with: one topic, counts in dicts, no dedupe, its figures to Postgres at the end.

`python -m loadtests.plain_loop BOOTSTRAP TOPIC PARTITIONS DATABASE_URL json|msgspec`; prints its events and its CPU.
"""

import asyncio
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

DECODERS: dict[str, Callable[[bytes], Any]] = {"json": json.loads, "msgspec": msgspec.json.decode}
RECORDS = 10_000
"""Taken at once."""
TIMEOUT_MS = 10_000


class Counted(msgspec.Struct, kw_only=True):
    """What a loop did."""

    events: int
    cpu_s: float


class _Figures:
    """Events an hour and name, users a day, and the 95th percentile of their durations an hour."""

    def __init__(self) -> None:
        self.uses: Counter[tuple[str, str]] = Counter()
        self.users: defaultdict[str, set[str]] = defaultdict(set)
        self.durations: defaultdict[str, list[float]] = defaultdict(list)

    def count(self, event: Any) -> None:
        data, instant = event["data"], event["time"]
        hour = instant[:13]
        self.uses[hour, data.get("feature") or data.get("route") or data["integration"]] += 1
        if "feature" in data:
            self.users[instant[:10]].add(event["subject"])
        took = data.get("duration_ms") or data.get("latency_ms")
        if took is not None:
            self.durations[hour].append(took)

    async def store(self, url: str) -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute("create temporary table plain (hour text, name text, figure float8)")
            rows = [(hour, name, float(count)) for (hour, name), count in self.uses.items()]
            rows += [(day, "users", float(len(users))) for day, users in self.users.items()]
            rows += [(hour, "p95", sorted(took)[-(-95 * len(took) // 100) - 1]) for hour, took in self.durations.items()]
            await connection.copy_records_to_table("plain", records=rows)
        finally:
            await connection.close()


async def count(bootstrap: str, topic: str, partitions: int, url: str, decode: Callable[[bytes], Any]) -> Counted:
    """Read the topic from its beginning to its end as of now; raises RuntimeError when nothing comes any more."""
    began_s = time.process_time()
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=4 * 1024 * 1024)
    await consumer.start()
    try:
        parts = [TopicPartition(topic, number) for number in range(partitions)]
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        left = sum((await consumer.end_offsets(parts)).values()) - sum((await consumer.beginning_offsets(parts)).values())
        figures, events = _Figures(), 0
        while events < left:
            found = await consumer.getmany(timeout_ms=TIMEOUT_MS, max_records=RECORDS)
            if not found:
                raise RuntimeError(f"{topic}: {left - events} records do not come")
            for records in found.values():
                events += len(records)
                for record in records:
                    figures.count(decode(record.value))
        await figures.store(url)
    finally:
        await consumer.stop()
    return Counted(events=events, cpu_s=time.process_time() - began_s)


def main() -> None:
    """Count, and print it."""
    bootstrap, topic, partitions, url, decoder = sys.argv[1:]
    counted = asyncio.run(count(bootstrap, topic, int(partitions), url, DECODERS[decoder]))
    sys.stdout.buffer.write(msgspec.json.encode(counted))


if __name__ == "__main__":
    main()
