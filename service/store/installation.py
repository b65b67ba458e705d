"""The installation: the one row that says what no two processes may see differently."""

import secrets
from dataclasses import dataclass

from service.clock import DAY, SECOND
from service.domain.identity import KEY_BYTES
from service.errors import LogMismatch, StoreUnavailable
from service.settings import Settings
from service.store.engine import FAILURES, Connection

FIRST_GENERATION = 1
EVALUATE_LEASE = "evaluate"

# Only the very first start writes the row; a process that starts at the same time waits for it here.
INSERT_INSTALLATION = """
insert into installation (hash_key, log_kind, generation, partitions, max_lateness_s)
values ($1, $2, $3, $4, $5)
on conflict do nothing
returning true
"""

# What was fixed at the first start.
SELECT_INSTALLATION = "select hash_key, log_kind, generation, partitions, max_lateness_s from installation"

# The counters, the readers' progress and the leases of a new generation, one of each a partition.
INSERT_PARTITIONS = """
with partition as (
    select n from generate_series(0, $2::int - 1) n
), counter as (
    insert into log_partition (generation, partition) select $1, n from partition on conflict do nothing
), progress as (
    insert into partition_progress (generation, partition) select $1, n from partition on conflict do nothing
)
insert into lease (resource)
select format('log/%s/%s', $1::int, n) from partition
union all select $3
on conflict do nothing
"""


@dataclass(frozen=True, slots=True)
class Installation:
    """What was fixed at the first start and holds for every process since."""

    hash_key: bytes
    """The 32-byte key of the id hash (domain/identity.py)."""
    log_kind: str
    """`postgres` or `kafka`."""
    generation: int
    partitions: int
    max_lateness_s: int


async def ensure_installation(connection: Connection, settings: Settings, *, log_kind: str) -> Installation:
    """Fix the installation at its first start, compare with what was fixed at every later one.

    The first start draws the hash key and makes the partitions' counters, progress and leases, all in
    one transaction. Raises LogMismatch, naming every difference with both values and the way out, and
    StoreUnavailable.
    """
    lateness_s = settings.max_lateness_days * DAY // SECOND
    try:
        async with connection.transaction():
            made = await connection.fetchval(
                INSERT_INSTALLATION,
                secrets.token_bytes(KEY_BYTES),
                log_kind,
                FIRST_GENERATION,
                settings.partitions,
                lateness_s,
            )
            if made:
                await connection.execute(INSERT_PARTITIONS, FIRST_GENERATION, settings.partitions, EVALUATE_LEASE)
            fixed = Installation(**dict(await connection.fetchrow(SELECT_INSTALLATION) or {}))
    except FAILURES as error:
        raise StoreUnavailable(f"the installation cannot be read: {str(error) or type(error).__name__}") from error
    # A count that nobody has set is no wish: the installation's holds.
    partitions = settings.partitions if "partitions" in settings.model_fields_set else fixed.partitions
    _compare(fixed, log_kind=log_kind, partitions=partitions, lateness_s=lateness_s)
    return fixed


async def installed(connection: Connection) -> Installation | None:
    """What was fixed, compared with nothing; None: nothing was ever started here."""
    row = await connection.fetchrow(SELECT_INSTALLATION)
    return None if row is None else Installation(**dict(row))


def _compare(fixed: Installation, *, log_kind: str, partitions: int, lateness_s: int) -> None:
    differences = []
    if fixed.log_kind != log_kind:
        differences.append(
            f"its event log is in {fixed.log_kind}, the settings say {log_kind}: "
            f"{_log_setting(fixed.log_kind)}, or move it with `tidegauge repartition`"
        )
    if fixed.partitions != partitions:
        differences.append(
            f"its log has {fixed.partitions} partitions, the settings say {partitions}: "
            f"set TIDEGAUGE_PARTITIONS={fixed.partitions} (or unset it), or change it with `tidegauge repartition`"
        )
    if fixed.max_lateness_s != lateness_s:
        days, wanted = fixed.max_lateness_s * SECOND // DAY, lateness_s * SECOND // DAY
        differences.append(
            f"its events may be {days} days late, the settings say {wanted}: set TIDEGAUGE_MAX_LATENESS_DAYS={days}, "
            f"for ids were kept for that long"
        )
    if differences:
        raise LogMismatch("this database belongs to another installation, or a setting changed: " + "; ".join(differences))


def _log_setting(kind: str) -> str:
    return "set TIDEGAUGE_KAFKA_BOOTSTRAP" if kind == "kafka" else "unset TIDEGAUGE_KAFKA_BOOTSTRAP"
