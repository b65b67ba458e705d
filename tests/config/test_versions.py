"""Versions of a configuration: stored whole, each counting from its beginning on."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from service.clock import HOUR, to_datetime, to_us
from service.domain.config import InvalidConfiguration, TenantConfig
from service.errors import NotFound
from service.store.config import apply_config, load_configs, load_fold_configs
from service.store.flush import TURN
from tests.config.shapes import SHAPES

NOW = datetime(2027, 1, 4, 10, 30, tzinfo=UTC)
ZONE = "America/New_York"


def target(number: float) -> str:
    return f"[[target]]\nkpi = 'availability'\nop = '>='\ntarget = {number}\n"


def begins(instant: datetime) -> str:
    return f"valid_from = {instant.isoformat()}\n"


async def make_tenant(connection: asyncpg.Connection, name: str = "pilot", zone: str = ZONE) -> int:
    made: int = await connection.fetchval("insert into tenant (name, timezone) values ($1, $2) returning id", name, zone)
    return made


async def give_events(connection: asyncpg.Connection, tenant: int) -> None:
    await connection.execute("insert into tenant_hours (tenant, day, had) values ($1, '2027-01-01', 1)", tenant)


async def apply(connection: asyncpg.Connection, text: str, *, now: datetime = NOW, warnings: list[str] | None = None) -> int:
    said = warnings.append if warnings is not None else None
    return await apply_config(connection, "pilot", text, now_us=to_us(now), known_kpis=SHAPES, warn=said)


async def refused(connection: asyncpg.Connection, text: str, *, now: datetime = NOW) -> str:
    with pytest.raises(InvalidConfiguration) as caught:
        await apply(connection, text, now=now)
    return str(caught.value)


async def test_a_tenant_that_declares_nothing_has_the_defaults_in_its_zone(connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection)
    configs = (await load_configs(connection))[tenant]
    assert (configs.version, configs.newest) == (0, TenantConfig().in_zone(ZONE))
    folds = await load_fold_configs(connection, [tenant, 999])
    assert list(folds) == [tenant]
    assert folds[tenant].at(to_us(NOW)).timezone == ZONE


async def test_the_first_version_reaches_back_for_ever(connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection)
    warnings: list[str] = []
    assert await apply(connection, begins(NOW + timedelta(days=9)) + target(0.9), warnings=warnings) == 1
    assert any("reaches back for ever" in sentence for sentence in warnings)
    configs = (await load_configs(connection, [tenant]))[tenant]
    assert configs.at(-(2**63)).targets[0].target == 0.9
    assert await connection.fetchval("select config_version from tenant where id = $1", tenant) == 1


async def test_history_is_judged_by_what_was_valid_then(connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection)
    await apply(connection, target(0.9))
    later = NOW + timedelta(days=1)
    assert await apply(connection, begins(later) + target(0.95)) == 2
    configs = (await load_configs(connection, [tenant]))[tenant]
    assert configs.at(to_us(later) - 1).targets[0].target == 0.9
    assert configs.at(to_us(later)).targets[0].target == 0.95
    assert configs.newest.targets[0].target == 0.95


async def test_a_version_replaces_those_that_were_to_begin_later(connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection)
    await apply(connection, target(0.9))
    await apply(connection, begins(NOW + timedelta(days=9)) + target(0.5))
    await apply(connection, begins(NOW + timedelta(days=2)) + target(0.95))
    configs = (await load_configs(connection, [tenant]))[tenant]
    assert configs.version == 3
    assert [config.targets[0].target for config in configs.versions] == [0.9, 0.95]
    assert await connection.fetchval("select count(*) from config_version") == 3


async def test_a_later_version_says_when_it_begins_and_never_in_the_past(connection: asyncpg.Connection) -> None:
    await make_tenant(connection)
    await apply(connection, target(0.9))
    assert "2027-01-04T11:00:00Z" in await refused(connection, target(0.95))
    past = await refused(connection, begins(NOW - timedelta(seconds=1)) + target(0.95))
    assert past.startswith("line 1: valid_from")
    assert "lies in the past" in past
    assert "2027-01-04T11:00:00Z" in past
    assert await apply(connection, begins(NOW) + target(0.95)) == 2


async def test_what_days_are_counted_by_changes_at_a_local_midnight(connection: asyncpg.Connection) -> None:
    await make_tenant(connection)
    await apply(connection, target(0.9))
    ignoring = "[activity]\nignore_features = ['heartbeat']\n"
    said = await refused(connection, begins(NOW + timedelta(hours=3)) + ignoring)
    assert "midnight in America/New_York" in said
    assert "write 2027-01-05T05:00:00Z" in said
    assert await apply(connection, "valid_from = 2027-01-05\n" + ignoring) == 2


async def test_what_weeks_are_counted_by_changes_on_a_monday(connection: asyncpg.Connection) -> None:
    await make_tenant(connection)
    await apply(connection, target(0.9))
    frequent = "[features.dashboard]\nfrequency = true\n"
    assert "write 2027-01-11T05:00:00Z" in await refused(connection, "valid_from = 2027-01-05\n" + frequent)
    assert await apply(connection, "valid_from = 2027-01-11\n" + frequent) == 2


async def test_what_events_are_counted_with_changes_an_hour_ahead_at_the_least(connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection)
    await apply(connection, target(0.9))
    limit = "[integrations.sap]\nlimit_ms = 500\n"
    said = await refused(connection, begins(NOW + timedelta(minutes=30)) + limit)
    assert "integrations.NAME.limit_ms" in said
    assert "write 2027-01-04T12:00:00Z" in said
    await apply(connection, begins(NOW + timedelta(hours=1)) + limit)
    fold = (await load_fold_configs(connection, [tenant]))[tenant]
    assert fold.version == 2
    assert fold.at(to_us(NOW) + HOUR - 1).limit_ns == {}
    assert fold.at(to_us(NOW) + HOUR).limit_ns == {"sap": 500_000_000}


async def test_a_change_that_is_about_to_begin_cannot_be_taken_back(connection: asyncpg.Connection) -> None:
    await make_tenant(connection)
    await apply(connection, target(0.9))
    await apply(connection, begins(NOW + timedelta(hours=2)) + "[integrations.sap]\nlimit_ms = 500\n")
    almost = NOW + timedelta(minutes=90)
    said = await refused(connection, begins(almost) + target(0.9), now=almost)
    assert "an hour ahead" in said
    assert await apply(connection, begins(almost + timedelta(hours=1)) + target(0.9), now=almost) == 3


async def test_a_time_zone_changes_only_before_there_are_events(connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection)
    assert await apply(connection, "[tenant]\ntimezone = 'Europe/Berlin'\n") == 1
    assert await connection.fetchval("select timezone from tenant where id = $1", tenant) == "Europe/Berlin"
    await give_events(connection, tenant)
    said = await refused(connection, begins(NOW + timedelta(days=1)) + "[tenant]\ntimezone = 'UTC'\n")
    assert said.startswith("line 3: tenant.timezone")
    assert "stays Europe/Berlin" in said
    assert await apply(connection, begins(NOW + timedelta(days=1)) + "[tenant]\ntimezone = 'Europe/Berlin'\n") == 2


async def test_all_versions_share_the_newest_zone(connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection)
    await apply(connection, target(0.9))
    await apply(connection, begins(NOW + timedelta(days=1)) + "[tenant]\ntimezone = 'UTC'\n")
    configs = (await load_configs(connection, [tenant]))[tenant]
    assert {config.timezone for config in configs.versions} == {configs.timezone} == {"UTC"}


async def test_a_file_with_a_mistake_stores_nothing_and_tells_its_beginning_too(connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection)
    await apply(connection, target(0.9))
    said = await refused(connection, begins(NOW - timedelta(days=1)) + "[tenant]\nzone = 'UTC'\n[sloo]\n")
    assert [line.split(":")[0] for line in said.splitlines()] == ["line 1", "line 3", "line 4"]
    assert await connection.fetchval("select count(*) from config_version") == 1
    assert await connection.fetchval("select config_version from tenant where id = $1", tenant) == 1


async def test_the_same_file_again_changes_nothing(connection: asyncpg.Connection) -> None:
    await make_tenant(connection)
    text = target(0.9)
    warnings: list[str] = []
    assert await apply(connection, text) == 1
    assert await apply(connection, text, now=NOW + timedelta(days=30), warnings=warnings) == 1
    assert warnings == ["nothing differs from version 1: it stays the newest"]


async def test_what_was_counted_before_the_first_version_is_said_to_stay(connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection)
    await give_events(connection, tenant)
    warnings: list[str] = []
    await apply(connection, "[activity]\nignore_features = ['heartbeat']\n", warnings=warnings)
    assert ["keep the figures" in each for each in warnings] == [True]


async def test_the_configuration_of_a_tenant_that_is_not_there_is_refused(connection: asyncpg.Connection) -> None:
    with pytest.raises(NotFound, match="tidegauge tenants create"):
        await apply(connection, "")


async def test_files_applied_at_once_become_versions_one_after_the_other(database_url: str) -> None:
    connections = await asyncio.gather(*(asyncpg.connect(database_url) for _ in range(4)))
    try:
        tenant = await make_tenant(connections[0])
        texts = [begins(NOW + timedelta(days=1, hours=index)) + target(index) for index in range(4)]
        versions = await asyncio.gather(*(apply(each, text) for each, text in zip(connections, texts, strict=True)))
        assert sorted(versions) == [1, 2, 3, 4]
        configs = (await load_configs(connections[0], [tenant]))[tenant]
        assert configs.version == 4
        assert to_datetime(max(configs.valid_from_us)) > NOW
    finally:
        for each in connections:
            await each.close()


async def test_a_batch_that_is_being_written_decides_before_the_configuration_does(database_url: str) -> None:
    flushing, applying = await asyncio.gather(*(asyncpg.connect(database_url) for _ in range(2)))
    try:
        tenant = await make_tenant(flushing)
        async with flushing.transaction():
            await flushing.execute("select pg_advisory_xact_lock($1)", TURN)
            await give_events(flushing, tenant)
            change = asyncio.create_task(refused(applying, "[tenant]\ntimezone = 'UTC'\n"))
            done, _ = await asyncio.wait({change}, timeout=0.2)
            assert not done
        assert "stays America/New_York" in await change
    finally:
        await flushing.close()
        await applying.close()


async def test_many_tenants_are_read_at_once(connection: asyncpg.Connection) -> None:
    first, second = await make_tenant(connection), await make_tenant(connection, "other", "UTC")
    await apply(connection, target(0.9))
    assert {tenant: configs.version for tenant, configs in (await load_configs(connection)).items()} == {first: 1, second: 0}
    assert list(await load_configs(connection, [second])) == [second]
    assert await load_configs(connection, []) == {}
