"""What tenants declare: its versions, stored whole and read for many tenants at once."""

from collections.abc import Callable, Collection, Mapping
from itertools import groupby

import asyncpg

from service.clock import to_datetime, to_us
from service.domain.config import InvalidConfiguration, KnownKpis, Mistake, TenantConfig, parse
from service.domain.config.changes import refusals
from service.domain.config.kafka_source import is_of_the_log
from service.domain.config.lines import Lines
from service.domain.config.mistakes import shown
from service.domain.config.read import parse_calendar
from service.domain.config.versions import FOR_EVER_US, StoredVersion, TenantConfigs, configs_of
from service.domain.foldconfig import TenantFoldConfig
from service.errors import NotFound
from service.store.engine import Connection
from service.store.flush import TURN
from service.store.sources import bound_elsewhere

# Waits until no batch is being written: its events would be counted with what this changes.
TAKE_TURN = "select pg_advisory_xact_lock($1)"

# The tenant whose configuration changes, held until the new version is committed: versions have no gaps.
LOCK_TENANT = "select id, timezone, config_version from tenant where name = $1 for update"

# Whether anything was ever counted for a tenant: then its days are cut, and its time zone stays.
HAS_DATA = "select exists (select from tenant_hours where tenant = $1)"

# Whether Postgres knows a time zone: it has names of its own, and a query would fail on one that only we know.
KNOWS_TIMEZONE = "select exists (select from pg_timezone_names where name = $1)"

# Stores a version; valid_from is null for the first one, which reaches back for ever.
INSERT_VERSION = "insert into config_version (tenant, version, valid_from, source, parsed) values ($1, $2, $3, $4, $5)"

# Makes a version the tenant's newest: what was folded with another one is folded again.
RAISE_VERSION = "update tenant set config_version = $2, timezone = $3 where id = $1"

# Tenants with every version that they have, oldest first; a tenant that declared nothing has one row without.
LOAD_VERSIONS = """
select t.id, t.timezone, t.config_version, v.version, v.valid_from, v.parsed
from tenant t
left join config_version v on v.tenant = t.id and v.version <= t.config_version
where $1::int[] is null or t.id = any($1)
order by t.id, v.version
"""


async def apply_config(
    connection: Connection,
    tenant: str,
    text: str,
    *,
    now_us: int,
    known_kpis: KnownKpis,
    log_prefix: str = "",
    warn: Callable[[str], None] | None = None,
) -> int:
    """Check a tenant's file whole, store it as its next version, and return that version's number.

    `log_prefix` is what the event log's own topics in Kafka begin with. `warn` gets a sentence for each thing that is
    declared and does not do what it seems to. The newest version goes up in the same transaction. Raises
    InvalidConfiguration with every mistake, NotFound.
    """
    async with connection.transaction():
        await connection.execute(TAKE_TURN, TURN)
        row = await connection.fetchrow(LOCK_TENANT, tenant)
        if row is None:
            raise NotFound(f"there is no tenant {tenant}: create it with `tidegauge tenants create {tenant} --timezone ZONE`")
        configs = (await load_configs(connection, [row["id"]]))[row["id"]]
        has_data: bool = await connection.fetchval(HAS_DATA, row["id"])
        config = _checked(text, configs, known_kpis, now_us=now_us, has_data=has_data)
        if configs.version and configs.newest == config:
            if warn is not None:
                warn(f"nothing differs from version {configs.version}: it stays the newest")
            return configs.version
        if config.timezone != configs.timezone and not await connection.fetchval(KNOWS_TIMEZONE, config.timezone):
            message = f"Postgres does not know the time zone {config.timezone}: write another IANA name for it"
            raise InvalidConfiguration([Mistake("tenant.timezone", Lines(text).of(("tenant", "timezone")), message)])
        valid_from = config.valid_from if configs.version else None
        topics = [each.topic for each in config.kafka_sources]
        taken = await bound_elsewhere(connection, row["id"], topics, begins=valid_from or to_datetime(now_us))
        ours = [topic for topic in topics if log_prefix and is_of_the_log(topic, log_prefix)]
        if taken or ours:
            raise InvalidConfiguration(_taken(text, config, taken, ours))
        version: int = row["config_version"] + 1
        await connection.execute(INSERT_VERSION, row["id"], version, valid_from, text, config.to_json())
        await connection.execute(RAISE_VERSION, row["id"], version, config.timezone)
    if warn is not None:
        for sentence in _warnings(config, version=version, has_data=has_data):
            warn(sentence)
    return version


async def load_configs(connection: Connection, tenants: Collection[int] | None = None) -> dict[int, TenantConfigs]:
    """Every version of these tenants, or of all, by tenant; ids that are no tenants are left out."""
    rows = await connection.fetch(LOAD_VERSIONS, None if tenants is None else list(tenants))
    return {tenant: _configs(list(group)) for tenant, group in groupby(rows, key=lambda row: row["id"])}


async def load_fold_configs(connection: Connection, tenants: Collection[int]) -> dict[int, TenantFoldConfig]:
    """What folds need of these tenants' configuration, by tenant; ids that are no tenants are left out."""
    return {tenant: configs.to_fold() for tenant, configs in (await load_configs(connection, tenants)).items()}


def _checked(text: str, configs: TenantConfigs, known: KnownKpis, *, now_us: int, has_data: bool) -> TenantConfig:
    """The file's configuration; raises InvalidConfiguration with its mistakes and with those of its beginning, at once."""
    mistakes: list[Mistake] = []
    try:
        config = parse(text, known_kpis=known, timezone=configs.timezone)
    except InvalidConfiguration as error:
        mistakes = error.mistakes
        head = parse_calendar(text, timezone=configs.timezone)
        if head is None:
            raise
        config = head
    wrong = refusals(configs, config, now_us=now_us, has_data=has_data, is_whole=not mistakes)
    if not mistakes and (not wrong or configs.newest == config):
        return config
    lines = Lines(text)
    mistakes += [Mistake(shown(each.path), lines.of(each.path), each.message) for each in wrong]
    raise InvalidConfiguration(sorted(mistakes, key=lambda each: each.line))


def _taken(text: str, config: TenantConfig, taken: Mapping[str, str], ours: Collection[str]) -> list[Mistake]:
    """A mistake for each topic that another tenant has, for whose its events are could not be told; or that is the log's own."""
    why = {topic: f"is bound to the tenant {tenant}: a topic belongs to one tenant" for topic, tenant in taken.items()}
    why |= dict.fromkeys(ours, "is the event log's own: name a topic that holds events")
    lines = Lines(text)
    paths = [(("kafka_source", index, "topic"), each.topic) for index, each in enumerate(config.kafka_sources)]
    return [Mistake(shown(path), lines.of(path), f"{topic} {why[topic]}") for path, topic in paths if topic in why]


def _configs(rows: list[asyncpg.Record]) -> TenantConfigs:
    stored = [
        StoredVersion(
            row["version"],
            FOR_EVER_US if row["valid_from"] is None else to_us(row["valid_from"]),
            TenantConfig.from_json(row["parsed"]),
        )
        for row in rows
        if row["version"] is not None
    ]
    return configs_of(rows[0]["timezone"], rows[0]["config_version"], stored)


def _warnings(config: TenantConfig, *, version: int, has_data: bool) -> list[str]:
    """What is declared and does not do what it seems to, a sentence each."""
    said = []
    if version == 1 and config.valid_from is not None:
        said.append("valid_from does not count: a tenant's first version reaches back for ever")
    if version == 1 and has_data and config.to_fold() != TenantConfig().in_zone(config.timezone).to_fold():
        said.append(
            "events that were counted before this first version keep the figures that they were counted with: "
            "ignore_features, properties, limit_ms and frequency count for those that come from now on"
        )
    return said
