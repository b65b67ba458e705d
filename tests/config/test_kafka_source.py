"""Topics that are declared: checked with their lines, and bound to one tenant each."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from pydantic import ValidationError

from service.clock import SystemClock, to_us
from service.domain.config import InvalidConfiguration, TenantConfig, parse
from service.ingest.kafka.bindings import Bindings
from service.lifecycle import cancel
from service.settings import Settings
from service.store.config import apply_config
from service.store.engine import create_pool
from service.store.sources import Binding, bindings

NOW = datetime(2027, 1, 4, 10, 30, tzinfo=UTC)


def sources(*topics: str, begins: datetime | None = None) -> str:
    head = "" if begins is None else f"valid_from = {begins.isoformat()}\n"
    return head + "".join(f'[[kafka_source]]\ntopic = "{topic}"\n' for topic in topics)


async def apply(connection: asyncpg.Connection, tenant: str, text: str) -> int:
    return await apply_config(connection, tenant, text, now_us=to_us(NOW), known_kpis=())


async def bound(connection: asyncpg.Connection, at: datetime = NOW) -> dict[str, str]:
    return {topic: binding.name for topic, binding in (await bindings(connection, now_us=to_us(at))).items()}


@pytest.fixture(autouse=True)
async def tenants(connection: asyncpg.Connection) -> None:
    await connection.execute("insert into tenant (name, timezone) values ('one', 'UTC'), ('two', 'UTC')")


def test_every_mistake_of_a_source_is_told_with_its_line() -> None:
    text = (
        '[[kafka_source]]\ntopic = "a b"\n[[kafka_source]]\nbackfill = 1\n[[kafka_source]]\ntopic = "a"\ngroup = "x"\n'
        f'[[kafka_source]]\ntopic = "{"t" * 250}"\n[[kafka_source]]\ntopic = ".."\n'
    )
    with pytest.raises(InvalidConfiguration) as caught:
        parse(text)
    assert [(each.path, each.line) for each in caught.value.mistakes] == [
        ("kafka_source[0].topic", 2),
        ("kafka_source[1].topic", 3),
        ("kafka_source[1].backfill", 4),
        ("kafka_source[2].group", 7),
        ("kafka_source[3].topic", 9),
        ("kafka_source[4].topic", 11),
    ]
    assert "its name is made of letters from a to z" in str(caught.value)


def test_a_topic_is_declared_once() -> None:
    with pytest.raises(
        InvalidConfiguration, match=r"line 6: kafka_source\[2\].topic: a is declared already, as kafka_source\[0\]"
    ):
        parse(sources("a", "b", "a"))


def test_what_was_declared_comes_back_from_the_store() -> None:
    config = parse('[[kafka_source]]\ntopic = "pilot.events"\nbackfill = true\n')
    assert [(each.topic, each.backfill) for each in config.kafka_sources] == [("pilot.events", True)]
    assert TenantConfig.from_json(config.to_json()) == config


async def test_a_topic_of_the_version_that_counts_is_bound(connection: asyncpg.Connection) -> None:
    await apply(connection, "one", sources("a", "b"))
    await apply(connection, "one", sources("b", "c", begins=NOW + timedelta(hours=1)))
    assert await bound(connection) == {"a": "one", "b": "one"}
    assert await bound(connection, NOW + timedelta(hours=1)) == {"b": "one", "c": "one"}
    tenant = await connection.fetchval("select id from tenant where name = 'one'")
    assert (await bindings(connection, now_us=to_us(NOW)))["a"] == Binding("a", tenant, "one", backfill=False)


async def test_a_topic_of_another_tenant_is_refused_with_its_line(connection: asyncpg.Connection) -> None:
    await apply(connection, "one", sources("a", "b"))
    with pytest.raises(InvalidConfiguration, match=r"line 4: kafka_source\[1\].topic: b is bound to the tenant one"):
        await apply(connection, "two", sources("c", "b"))
    assert await bound(connection) == {"a": "one", "b": "one"}


async def test_a_topic_changes_its_tenant_at_one_instant(connection: asyncpg.Connection) -> None:
    handover = NOW + timedelta(hours=2)
    await apply(connection, "one", sources("a"))
    await apply(connection, "two", sources("b"))
    with pytest.raises(InvalidConfiguration, match="a is bound to the tenant one"):
        await apply(connection, "two", sources("a", begins=handover))
    await apply(connection, "one", sources("x", begins=handover))
    with pytest.raises(InvalidConfiguration, match="a is bound to the tenant one"):
        await apply(connection, "two", sources("a", begins=handover - timedelta(minutes=1)))
    await apply(connection, "two", sources("a", begins=handover))
    assert (await bound(connection))["a"] == "one"
    assert (await bound(connection, handover))["a"] == "two"
    with pytest.raises(InvalidConfiguration, match="a is bound to the tenant two"):
        await apply(connection, "one", sources("a", "x", begins=handover + timedelta(hours=1)))


@pytest.mark.parametrize(
    ("patterns", "topic", "is_taken"),
    [
        ("*", "anything", True),
        ("{tenant}.*", "one.events", True),
        ("{tenant}.*", "two.events", False),
        ("{tenant}.*", "one", False),
        ("{tenant}.*", "xone.events", False),
        ("{tenant}.*", "oneXevents", False),
        ("shared-*-events,{tenant}", "one", True),
        ("shared-*-events,{tenant}", "shared-billing-events", True),
        ("shared-*-events,{tenant}", "shared-events", False),
    ],
)
async def test_a_tenant_reads_the_topics_that_its_installation_allows(
    connection: asyncpg.Connection, patterns: str, topic: str, *, is_taken: bool
) -> None:
    allowed = Settings(kafka_source_topics=patterns).source_topics

    async def tried() -> None:
        await apply_config(connection, "one", sources("x", topic), now_us=to_us(NOW), known_kpis=(), topics=("x", *allowed))

    if is_taken:
        await tried()
        assert (await bound(connection))[topic] == "one"
    else:
        with pytest.raises(InvalidConfiguration, match=rf"line 4: .*: {topic} is none that the tenant one may read"):
            await tried()
        assert await bound(connection) == {}


@pytest.mark.parametrize("patterns", ["", "a b", "a,,b", "{user}.*", "a,{tenant"])
def test_a_pattern_of_topics_is_checked_at_the_start(patterns: str) -> None:
    with pytest.raises(ValidationError, match="patterns are made of letters"):
        Settings(kafka_source_topics=patterns)


async def test_a_topic_that_is_allowed_no_more_is_read_no_more(database_url: str, connection: asyncpg.Connection) -> None:
    await apply(connection, "one", sources("one.events", "other"))
    async with await create_pool(database_url, max_size=2) as pool:
        found = Bindings(pool, SystemClock(), log_prefix="log", topics=("{tenant}.*",))
        looking = asyncio.create_task(found.keep())
        try:
            async with asyncio.timeout(90):
                await found.other_than(frozenset())
        finally:
            await cancel([looking])
    assert set(found.by_topic) == {"one.events"}


async def test_the_logs_own_topic_is_no_source(connection: asyncpg.Connection) -> None:
    text = sources("tidegauge-log", "tidegauge-log-2")
    with pytest.raises(InvalidConfiguration, match=r"line 4: kafka_source\[1\].topic: tidegauge-log-2 is the event log's own"):
        await apply_config(connection, "one", text, now_us=to_us(NOW), known_kpis=(), log_prefix="tidegauge-log")
