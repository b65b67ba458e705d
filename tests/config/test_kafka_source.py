"""Topics that are declared: checked with their lines, and bound to one tenant each."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from service.clock import to_us
from service.domain.config import InvalidConfiguration, TenantConfig, parse
from service.store.config import apply_config
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


async def test_the_logs_own_topic_is_no_source(connection: asyncpg.Connection) -> None:
    text = sources("tidegauge-log", "tidegauge-log-2")
    with pytest.raises(InvalidConfiguration, match=r"line 4: kafka_source\[1\].topic: tidegauge-log-2 is the event log's own"):
        await apply_config(connection, "one", text, now_us=to_us(NOW), known_kpis=(), log_prefix="tidegauge-log")
