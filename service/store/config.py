"""What tenants declare: its versions, stored whole and read for many tenants at once."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import groupby

import asyncpg

from service.clock import to_us
from service.domain.config import InvalidConfiguration, KnownKpis, Mistake, TenantConfig
from service.domain.config.changes import beginning_us, refusals
from service.domain.config.document import Document, Form
from service.domain.config.mistakes import shown
from service.domain.config.read import calendar_of, checked
from service.domain.config.toml import toml_of
from service.domain.config.versions import FOR_EVER_US, StoredVersion, TenantConfigs, configs_of
from service.domain.foldconfig import TenantFoldConfig
from service.domain.topics import ANY_TOPIC
from service.errors import NotFound, VersionMoved
from service.store import slo_counters
from service.store.config_checks import Rules, check_outside, warnings
from service.store.engine import Connection
from service.store.flush import TURN

# Waits until no batch is being written: its events would be counted with what this changes.
TAKE_TURN = "select pg_advisory_xact_lock($1)"

# The tenant whose configuration changes, held until the new version is committed: versions have no gaps.
LOCK_TENANT = "select id, timezone, config_version from tenant where name = $1 for update"

# Whether anything was ever counted for a tenant: then its days are cut, and its time zone stays.
HAS_DATA = "select exists (select from tenant_hours where tenant = $1)"

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


# One version of a tenant's file, as it was handed in.
LOAD_SOURCE = "select source from config_version where tenant = $1 and version = $2"


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a configuration that has no mistake, or would become of it."""

    version: int
    """Its number; the newest one's where nothing differs from it."""
    valid_from_us: int
    before: TenantConfig
    """What would count at its beginning without it."""
    config: TenantConfig
    warnings: tuple[str, ...]
    """A sentence for each thing that is declared and does not do what it seems to."""
    is_new: bool = True


async def apply_config(
    connection: Connection,
    tenant: str,
    text: str,
    *,
    now_us: int,
    known_kpis: KnownKpis,
    log_prefix: str = "",
    topics: tuple[str, ...] = (ANY_TOPIC,),
    warn: Callable[[str], None] | None = None,
) -> int:
    """Check a tenant's file whole, store it as its next version, and return that version's number.

    `warn` gets each warning. Raises InvalidConfiguration with every mistake, NotFound.
    """
    applied = await change_config(connection, tenant, text, Rules(now_us, known_kpis, log_prefix, topics))
    if warn is not None:
        for sentence in applied.warnings:
            warn(sentence)
    return applied.version


async def change_config(
    connection: Connection,
    tenant: str,
    text: str,
    rules: Rules,
    *,
    form: Form = "toml",
    replaces: int | None = None,
    dry_run: bool = False,
) -> Applied:
    """Check a text whole, and store it as the tenant's next version, unless that is only tried or nothing differs.

    The newest version goes up in the same transaction, and its SLOs have their counters from then on. With `replaces`, only if
    that is the newest version (0: none).
    Raises InvalidConfiguration with every mistake, NotFound, VersionMoved.
    """
    async with connection.transaction():
        if not dry_run:
            await connection.execute(TAKE_TURN, TURN)
        row = await connection.fetchrow(LOCK_TENANT, tenant)
        if row is None:
            raise NotFound(f"there is no tenant {tenant}: create it with `tidegauge tenants create {tenant} --timezone ZONE`")
        if replaces is not None and replaces != row["config_version"]:
            raise VersionMoved(row["config_version"])
        configs = (await load_configs(connection, [row["id"]]))[row["id"]]
        has_data: bool = await connection.fetchval(HAS_DATA, row["id"])
        document = Document(text, form)
        config = await asyncio.to_thread(_checked, document, configs, rules, has_data=has_data)
        if configs.version and configs.newest == config:
            same = (f"nothing differs from version {configs.version}: it stays the newest",)
            return Applied(configs.version, configs.valid_from_us[-1], config, config, same, is_new=False)
        await check_outside(connection, row["id"], tenant, document, config, configs, rules)
        applied = _next(configs, config, has_data=has_data)
        if not dry_run:
            valid_from = config.valid_from if configs.version else None
            source = text if form == "toml" else toml_of(config.model_dump(by_alias=True, exclude_unset=True, exclude_none=True))
            await connection.execute(INSERT_VERSION, row["id"], applied.version, valid_from, source, config.to_json())
            await connection.execute(RAISE_VERSION, row["id"], applied.version, config.timezone)
            await slo_counters.declare(connection, await load_configs(connection, [row["id"]]), now_us=rules.now_us)
    return applied


async def load_configs(connection: Connection, tenants: Collection[int] | None = None) -> dict[int, TenantConfigs]:
    """Every version of these tenants, or of all, by tenant; ids that are no tenants are left out."""
    rows = await connection.fetch(LOAD_VERSIONS, None if tenants is None else list(tenants))
    return {tenant: _configs(list(group)) for tenant, group in groupby(rows, key=lambda row: row["id"])}


async def load_source(connection: Connection, tenant: int, version: int) -> str:
    """A version's file as it was handed in; "" for version 0, and where there is none."""
    return await connection.fetchval(LOAD_SOURCE, tenant, version) or ""


async def load_fold_configs(connection: Connection, tenants: Collection[int]) -> dict[int, TenantFoldConfig]:
    """What folds need of these tenants' configuration, by tenant; ids that are no tenants are left out."""
    return {tenant: configs.to_fold() for tenant, configs in (await load_configs(connection, tenants)).items()}


def _checked(document: Document, configs: TenantConfigs, rules: Rules, *, has_data: bool) -> TenantConfig:
    """The text's configuration; raises InvalidConfiguration with its mistakes and with those of its beginning, at once."""
    mistakes: list[Mistake] = []
    try:
        config = checked(document, known_kpis=rules.known_kpis, timezone=configs.timezone)
    except InvalidConfiguration as error:
        mistakes = error.mistakes
        head = calendar_of(document, timezone=configs.timezone)
        if head is None:
            raise
        config = head
    wrong = refusals(configs, config, now_us=rules.now_us, has_data=has_data, is_whole=not mistakes)
    if not mistakes and (not wrong or configs.newest == config):
        return config
    mistakes += [Mistake(shown(each.path), document.line_of(each.path), each.message) for each in wrong]
    raise InvalidConfiguration(sorted(mistakes, key=lambda each: each.line))


def _next(configs: TenantConfigs, config: TenantConfig, *, has_data: bool) -> Applied:
    """The version that a checked configuration becomes."""
    begins_us = beginning_us(configs, config)
    if begins_us is None:
        raise ValueError("a later version without its beginning is refused before it comes here")
    said = tuple(warnings(configs, config, begins_us, has_data=has_data))
    before = configs.at(begins_us).in_zone(config.timezone)
    return Applied(configs.version + 1, begins_us, before, config, said)


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
