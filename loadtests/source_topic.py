"""Topics as a team of its own would have them, and binding them to tenants as sources."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from loadtests.plan import Topic
from loadtests.site import Database, Site

PARTITIONS = 4
BIND_TIMEOUT_S = 60.0
CONFIGURATION = '[[kafka_source]]\ntopic = "{topic}"\nbackfill = false\n'


@dataclass(frozen=True, slots=True)
class _Result:
    code: int
    said: str


async def bound_topic(site: Site, database: Database, *, tenant: int) -> Topic:
    """A new topic that is a source of the `tenant`-th tenant; raises RuntimeError when the configuration is not taken."""
    if site.broker is None:
        raise RuntimeError("a source reads from Kafka: open the site with a broker")
    topic = Topic(bootstrap=site.broker.bootstrap, name=f"{database.name}.events-{tenant}", partitions=PARTITIONS)
    admin = AIOKafkaAdminClient(bootstrap_servers=topic.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic.name, topic.partitions, 1)])
    finally:
        await admin.close()
    file = site.directory / f"{topic.name}.toml"
    file.write_text(CONFIGURATION.format(topic=topic.name))
    result = await _apply(database, file, f"tenant-{tenant:04d}")
    if result.code:
        raise RuntimeError(f"the source {topic.name} is not taken: {result.said}")
    return topic


async def _apply(database: Database, file: Path, tenant: str) -> _Result:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TIDEGAUGE_")}
    environment |= {"TIDEGAUGE_DATABASE_URL": database.url}
    environment |= {f"TIDEGAUGE_{key.upper()}": value for key, value in database.settings.items()}
    words = [sys.executable, "-m", "service.cli", "apply", "--tenant", tenant, str(file)]
    process = await asyncio.create_subprocess_exec(
        *words, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(BIND_TIMEOUT_S):
        output, _ = await process.communicate()
    return _Result(process.returncode or 0, output.decode(errors="replace"))
