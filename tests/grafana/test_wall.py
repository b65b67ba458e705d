"""A role of Grafana reads its tenant's rows through the views, and nothing else, whatever SQL is typed."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import asyncpg
import pytest

from service.store.grafana import create_reader, drop_reader, new_password
from service.store.tenants import tenant_by_name
from tests.grafana.stored import as_role, store_tenants, views

OURS, THEIRS = "pilot", "zzrival"
"""The tenant that the role reads, and one of which no trace may show."""
DENIED = (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidAuthorizationSpecificationError)


@dataclass(frozen=True, slots=True)
class Wall:
    """A database with two tenants, and the role that reads one of them."""

    url: str
    role: str
    theirs: int


@pytest.fixture(scope="module")
def wall(make_database: Callable[[], str]) -> Iterator[Wall]:
    url = make_database()

    async def build() -> Wall:
        connection = await asyncpg.connect(url)
        await store_tenants(connection, OURS, THEIRS)
        reader = await create_reader(connection, await tenant_by_name(connection, OURS), new_password())
        await create_reader(connection, await tenant_by_name(connection, THEIRS), new_password())
        theirs = await connection.fetchval("select id from tenant where name = $1", THEIRS)
        await connection.execute("analyze")
        await connection.close()
        assert reader.open_doors == ()
        return Wall(url, reader.role, theirs)

    async def tear_down() -> None:
        connection = await asyncpg.connect(url)
        for name in (OURS, THEIRS):
            await drop_reader(connection, await tenant_by_name(connection, name))
        await connection.close()

    yield asyncio.run(build())
    asyncio.run(tear_down())


@pytest.fixture
async def reader(wall: Wall) -> AsyncIterator[asyncpg.Connection]:
    connection = await as_role(wall.url, wall.role)
    yield connection
    await connection.close()


@pytest.fixture
async def owner(wall: Wall) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(wall.url)
    yield connection
    await connection.close()


async def test_every_view_shows_rows_of_the_roles_tenant_and_none_of_another(
    reader: asyncpg.Connection, owner: asyncpg.Connection
) -> None:
    for view in await views(owner):
        rows = [str(row) for row in await reader.fetch(f"select * from grafana.{view}")]
        assert rows, view
        assert not [row for row in rows if THEIRS in row], view
        everything = [str(row) for row in await owner.fetch(f"select * from grafana.{view}")]
        assert len(everything) == 2 * len(rows), f"{view}: the owner is asked for no policy"


async def test_base_tables_show_the_columns_that_views_need_and_the_tenants_rows(
    reader: asyncpg.Connection, owner: asyncpg.Connection
) -> None:
    granted = await owner.fetch(
        "select table_name, string_agg(format('%I', column_name), ', ') as columns from information_schema.column_privileges"
        " where table_schema = 'public' and grantee = $1 group by table_name",
        await reader.fetchval("select current_user"),
    )
    assert len(granted) > 15
    for table, columns in granted:
        # Facts say no tenant in themselves: their series do.
        rows = await reader.fetch(f"select {columns} from public.{table}")
        assert rows, table
        assert not [row for row in rows if THEIRS in str(row)], table
        of_both: int = await owner.fetchval(f"select count(*) from public.{table}")
        assert len(rows) * 2 == of_both, table


async def test_no_table_can_be_read_but_by_those_columns(reader: asyncpg.Connection, owner: asyncpg.Connection) -> None:
    tables = await owner.fetch(
        "select format('%I.%I', 'public', c.relname) as name, array_agg(quote_ident(a.attname)) filter"
        " (where not has_column_privilege($1, c.oid, a.attnum, 'select')) as closed"
        " from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') group by c.relname",
        await reader.fetchval("select current_user"),
    )
    for name, closed in tables:
        for columns in (closed[0], "*") if closed else ():
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await reader.fetch(f"select {columns} from {name}")
    closed_of = {name.removeprefix("public."): set(closed or ()) for name, closed in tables}
    assert {"source", "parsed"} <= closed_of["config_version"], "it holds addresses of webhooks"
    assert {"raw", "id"} <= closed_of["dead_letter"]
    assert "hash" in closed_of["api_key"]
    assert "payload" in closed_of["log_record"]


async def test_a_partition_is_no_way_round_the_policy_of_its_table(reader: asyncpg.Connection, owner: asyncpg.Connection) -> None:
    partitions = [
        row[0]
        for row in await owner.fetch(
            "select relname from pg_inherits join pg_class on oid = inhrelid where relkind = 'r' order by 1"
        )
    ]
    assert [name for name in partitions if name.startswith("fact_minute_p")]
    for name in partitions:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader.fetch(f"select * from public.{name}")


@pytest.mark.parametrize(
    "statement",
    [
        "set role tidegauge",
        "set session authorization tidegauge",
        "select set_config('role', 'tidegauge', false)",
        "alter role current_user superuser",
        "alter role current_user bypassrls",
        "alter role current_user connection limit 100",
        "create role another",
        "set session_replication_role = replica",
        "alter table public.ledger disable row level security",
        "drop policy grafana on public.ledger",
        "create policy all_of_it on public.ledger using (true)",
        "insert into public.grafana_reader (role, tenant) values (current_user, 2)",
        "update public.grafana_reader set tenant = 2",
        "insert into public.ledger values (1, 's', current_date, 1, 1, 1)",
        "update public.kpi_latest set value = 0",
        "delete from public.step",
        "truncate public.ledger",
        "drop table public.ledger",
        "create table public.mine (a int)",
        "create table grafana.mine (a int)",
        "create temporary table mine (a int)",
        "select 1 as a into temporary mine",
        "create schema mine",
        "create view grafana.mine as select 1",
        "create or replace view grafana.tenant as select 1",
        "create function grafana.f() returns int language sql as 'select 1'",
        "create function pg_temp.f() returns int language sql as 'select 1'",
        "create operator grafana.=== (leftarg = text, rightarg = text, function = texteq)",
        "create extension vector",
        "create foreign data wrapper other",
        "do $$ begin perform 1; end $$",
        "copy public.ledger (source) from program 'true'",
        "copy (select 1) to program 'true'",
        "copy (select 1) to '/tmp/out'",
        "copy public.api_key to stdout",
        "select pg_read_file('postgresql.conf')",
        "select pg_read_binary_file('postgresql.conf')",
        "select pg_ls_dir('.')",
        "select pg_stat_file('postgresql.conf')",
        "select current_setting('data_directory')",
        "select lo_import('/etc/passwd')",
        "select lo_creat(-1)",
        "select lo_from_bytea(0, 'x')",
        "select pg_advisory_lock(1)",
        "select pg_advisory_xact_lock(1)",
        "select pg_try_advisory_lock(1, 2)",
        "select pg_logical_emit_message(false, 'a', 'b')",
        "begin; lock table public.ledger in access exclusive mode",
        "select last_value from public.name_id_seq",
        "select nextval('public.series_id_seq')",
        "select * from pg_catalog.pg_authid",
        "select * from pg_catalog.pg_statistic",
        "select * from pg_catalog.pg_statistic_ext_data",
        "select * from pg_catalog.pg_hba_file_rules",
        "select * from pg_catalog.pg_backend_memory_contexts",
        "select * from public.api_key",
        "select grafana.grant_readers()",
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'tidegauge'",
        "alter system set fsync = off",
        "alter database template1 connection limit 1",
        "select pg_reload_conf()",
        "listen x; alter role tidegauge password 'x'",
    ],
)
async def test_nothing_is_changed_made_or_looked_at_beside(reader: asyncpg.Connection, statement: str) -> None:
    await reader.execute("set default_transaction_read_only = off")
    with pytest.raises(DENIED) as raised:
        await reader.execute(statement)
    assert str(raised.value)


async def test_no_setting_shows_more(reader: asyncpg.Connection, owner: asyncpg.Connection) -> None:
    before = {view: await reader.fetchval(f"select count(*) from grafana.{view}") for view in await views(owner)}
    for statement in (
        "set search_path = public, pg_catalog",
        "set grafana.tenant = 'zzrival'",
        "set plan_cache_mode = force_generic_plan",
        "set session characteristics as transaction isolation level repeatable read",
        "set enable_indexscan = off; set enable_bitmapscan = off; set enable_nestloop = off",
        "set role none",
        "reset role",
        "reset session authorization",
        "discard all",
    ):
        await reader.execute(statement)
        for view, rows in before.items():
            assert await reader.fetchval(f"select count(*) from grafana.{view}") == rows, f"{statement}: {view}"
    await reader.execute("set row_security = off")
    for view in before:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await reader.fetch(f"select * from grafana.{view}")


async def test_a_condition_that_fails_or_tells_is_not_asked_of_rows_of_others(reader: asyncpg.Connection) -> None:
    told: list[object] = []
    reader.add_log_listener(lambda _, message: told.append(message))
    for table, column in (
        ("ledger", "source"),
        ("ticket", "subject"),
        ("series", "account"),
        ("kpi_latest", "kpi"),
        ("name", "name"),
    ):
        # Would divide by zero, and its error would tell, if it were asked of a row of the other tenant.
        rows = await reader.fetch(f"select {column} from public.{table} where 1 / (1 - ({column} like 'zzrival%')::int) = 1")
        assert rows, table
        with pytest.raises(asyncpg.InvalidTextRepresentationError) as raised:
            await reader.fetch(f"select 1 from public.{table} where {column}::xid8 is null or {column}::int = 1")
        assert THEIRS not in str(raised.value)
    await reader.fetch("select 1 from grafana.dead_letter where 1 / (1 - (detail like 'zzrival%')::int) = 1")
    await reader.fetch("select 1 from grafana.delivery_day where 1 / (1 - (account like 'zzrival%')::int) = 1")
    assert not told


async def test_no_catalog_names_the_other_tenant(reader: asyncpg.Connection, owner: asyncpg.Connection) -> None:
    catalogs = await owner.fetch(
        "select c.oid::regclass::text as name from pg_class c where c.relkind in ('r', 'v')"
        " and c.relnamespace in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"
    )
    assert len(catalogs) > 100
    denied = []
    for row in catalogs:
        try:
            # The name is a parameter, for a session sees its own statement.
            found = await reader.fetchval(f"select count(*) from {row['name']} c where c::text like '%' || $1 || '%'", THEIRS)
        except (asyncpg.InsufficientPrivilegeError, asyncpg.ObjectNotInPrerequisiteStateError):
            denied.append(row["name"])
        else:
            assert found == 0, row["name"]
    assert {"pg_authid", "pg_statistic"} <= set(denied)


async def test_statistics_of_tables_are_hidden(reader: asyncpg.Connection, owner: asyncpg.Connection) -> None:
    asked = "select tablename, attname from pg_stats where schemaname = 'public'"
    assert len(await owner.fetch(asked)) > 50
    assert await reader.fetch(asked) == []
    assert await reader.fetch("select 1 from pg_stats_ext") == []


async def test_estimates_tell_no_word_of_others(reader: asyncpg.Connection, owner: asyncpg.Connection) -> None:
    """What `explain` expects is the same for what another tenant has and for what nobody has, whatever it is compared by."""

    async def expected(condition: str) -> tuple[float, float]:
        plan = json.loads(await reader.fetchval(f"explain (format json) {condition}"))[0]["Plan"]
        return plan["Plan Rows"], plan["Total Cost"]

    for table, column in await words(owner, await reader.fetchval("select current_user")):
        theirs = await owner.fetchval(f"select max({column}) from public.{table} where {column}::text like $1", f"%{THEIRS}%")
        if theirs is None:
            continue
        asked = "select 1 from public.{} where {} {} '{}'"
        for operator in ("=", "<", ">=", "<>"):
            there = await expected(asked.format(table, column, operator, theirs))
            nowhere = await expected(asked.format(table, column, operator, "aaaa"))
            assert there == nowhere, f"{table}.{column} {operator}"


async def test_no_statistics_are_kept_of_columns_that_hold_words_of_tenants(owner: asyncpg.Connection, wall: Wall) -> None:
    for table, column in await words(owner, wall.role):
        named = await owner.fetchval(f"select exists (select from public.{table} where {column}::text like $1)", f"%{THEIRS}%")
        kept = await owner.fetchval(
            "select count(*) from pg_stats"
            " where schemaname = 'public' and tablename ~ ('^' || $1 || '(_p\\d+)?$') and attname = $2",
            table,
            column.strip('"'),
        )
        assert not named or kept == 0, f"{table}.{column}: alter column … set statistics 0"


async def words(owner: asyncpg.Connection, role: str) -> list[tuple[str, str]]:
    """Columns of texts that a role was given."""
    rows = await owner.fetch(
        "select table_name, quote_ident(column_name) as column from information_schema.column_privileges"
        " join information_schema.columns using (table_schema, table_name, column_name)"
        " where table_schema = 'public' and grantee = $1 and data_type = 'text' and table_name <> 'grafana_reader'",
        role,
    )
    return [(row["table_name"], row["column"]) for row in rows]


async def test_a_role_knows_no_other_reader(reader: asyncpg.Connection, wall: Wall) -> None:
    assert [tuple(row) for row in await reader.fetch("select role, tenant from public.grafana_reader")] != []
    assert await reader.fetchval("select count(*) from public.grafana_reader where role <> $1", wall.role) == 0
    assert await reader.fetchval("select count(*) from grafana.tenant") == 1
    assert await reader.fetchval("select count(*) from pg_auth_members where member = current_user::regrole") == 0


async def test_a_role_without_a_tenant_sees_nothing(owner: asyncpg.Connection, wall: Wall) -> None:
    await owner.execute(f"create role nobody_{wall.role} login; grant usage on schema grafana to nobody_{wall.role}")
    await owner.execute(f"grant select on all tables in schema grafana, public to nobody_{wall.role}")
    stranger = await as_role(wall.url, f"nobody_{wall.role}")
    try:
        for view in await views(owner):
            assert await stranger.fetchval(f"select count(*) from grafana.{view}") == 0, view
    finally:
        await stranger.close()
        await owner.execute(f"drop owned by nobody_{wall.role}; drop role nobody_{wall.role}")


async def test_the_owner_is_asked_for_no_policy(owner: asyncpg.Connection) -> None:
    assert await owner.fetch("select relname from pg_class where relforcerowsecurity") == []
    for table in ("ledger", "series", "fact_quarter", "kpi_latest", "activity_day", "step"):
        plan = [row[0] for row in await owner.fetch(f"explain (verbose) select * from {table}")]
        assert not [line for line in plan if "grafana" in line]


async def test_every_table_that_tells_of_tenants_and_is_read_has_a_policy(owner: asyncpg.Connection, wall: Wall) -> None:
    bare = await owner.fetch(
        "select distinct table_name from information_schema.column_privileges p join pg_class c on c.oid = format('public.%I',"
        " p.table_name)::regclass where p.grantee = $1 and p.table_schema = 'public' and not c.relrowsecurity",
        wall.role,
    )
    assert bare == []
    plain = await owner.fetch(
        "select relname from pg_class where relnamespace = 'grafana'::regnamespace and relkind = 'v'"
        " and not coalesce(reloptions @> array['security_invoker=true'], false)"
    )
    assert plain == []
    definers = "select proname from pg_proc where prosecdef and pronamespace in ('public'::regnamespace, 'grafana'::regnamespace)"
    assert await owner.fetch(definers) == []
