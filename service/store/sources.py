"""Which topic of Kafka is bound to which tenant."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from service.clock import to_datetime
from service.store.engine import Connection

# Every topic that is bound at an instant: of each tenant's versions that have begun, the one stored last counts.
_BINDINGS = """
select t.id as tenant, t.name, s.source ->> 'topic' as topic, coalesce((s.source ->> 'backfill')::boolean, false) as backfill
from tenant t
join lateral (
    select v.parsed -> 'kafka_source' as sources
    from config_version v
    where v.tenant = t.id and v.version <= t.config_version and (v.valid_from is null or v.valid_from <= $1)
    order by v.version desc
    limit 1
) v on jsonb_typeof(v.sources) = 'array'
cross join lateral jsonb_array_elements(v.sources) as s (source)
order by t.id
"""

# Other tenants' versions that have one of these topics and count at some time from an instant on: those that no later
# version replaces by then.
_BOUND_ELSEWHERE = """
select s.source ->> 'topic' as topic, min(t.name) as tenant
from tenant t
join config_version v on v.tenant = t.id and v.version <= t.config_version
cross join lateral jsonb_array_elements(
    case jsonb_typeof(v.parsed -> 'kafka_source') when 'array' then v.parsed -> 'kafka_source' else '[]' end
) as s (source)
where t.id <> $1 and s.source ->> 'topic' = any($2::text[])
    and not exists (
        select from config_version later
        where later.tenant = v.tenant and later.version > v.version and later.version <= t.config_version
            and later.valid_from <= greatest(v.valid_from, $3)
    )
group by 1
"""


@dataclass(frozen=True, slots=True)
class Binding:
    """Whose the events of a topic are."""

    topic: str
    tenant: int
    name: str
    """The tenant's name, for logs."""
    backfill: bool


async def bindings(connection: Connection, *, now_us: int) -> dict[str, Binding]:
    """Every topic that is bound at this instant."""
    rows = await connection.fetch(_BINDINGS, to_datetime(now_us))
    return {row["topic"]: Binding(row["topic"], row["tenant"], row["name"], row["backfill"]) for row in rows}


async def bound_elsewhere(connection: Connection, tenant: int, topics: Collection[str], *, begins: datetime) -> Mapping[str, str]:
    """Those of the topics that another tenant has at `begins` or will have later, with that tenant's name."""
    if not topics:
        return {}
    rows = await connection.fetch(_BOUND_ELSEWHERE, tenant, list(topics), begins)
    return {row["topic"]: row["tenant"] for row in rows}
