"""What a configuration is checked against beside itself: Postgres, other tenants, the event log, what counts already."""

from collections.abc import Iterator
from dataclasses import dataclass

from service.clock import to_datetime
from service.domain.config import InvalidConfiguration, KnownKpis, Mistake, TenantConfig
from service.domain.config.counted import differing
from service.domain.config.document import Document
from service.domain.config.kafka_source import is_of_the_log
from service.domain.config.mistakes import shown
from service.domain.config.versions import TenantConfigs
from service.domain.topics import ANY_TOPIC, is_allowed
from service.store.engine import Connection
from service.store.sources import bound_elsewhere

# Whether Postgres knows a time zone: it has names of its own, and a query would fail on one that only we know.
KNOWS_TIMEZONE = "select exists (select from pg_timezone_names where name = $1)"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a configuration is checked against beside itself."""

    now_us: int
    known_kpis: KnownKpis
    log_prefix: str = ""
    """What the event log's own topics in Kafka begin with."""
    topics: tuple[str, ...] = (ANY_TOPIC,)
    """Patterns of the topics that tenants may read."""


async def check_outside(
    connection: Connection,
    tenant: int,
    name: str,
    document: Document,
    config: TenantConfig,
    configs: TenantConfigs,
    rules: Rules,
) -> None:
    """What only Postgres and the operator know: time zones, and whose the topics are; raises InvalidConfiguration."""
    if config.timezone != configs.timezone and not await connection.fetchval(KNOWS_TIMEZONE, config.timezone):
        message = f"Postgres does not know the time zone {config.timezone}: write another IANA name for it"
        raise InvalidConfiguration([Mistake("tenant.timezone", document.line_of(("tenant", "timezone")), message)])
    begins = config.valid_from if configs.version and config.valid_from is not None else to_datetime(rules.now_us)
    topics = [each.topic for each in config.kafka_sources]
    taken = await bound_elsewhere(connection, tenant, topics, begins=begins)
    why = {topic: f"is bound to the tenant {other}: a topic belongs to one tenant" for topic, other in taken.items()}
    refused = [topic for topic in topics if not is_allowed(topic, name, rules.topics)]
    why |= dict.fromkeys(
        refused,
        f"is none that the tenant {name} may read: this installation allows {', '.join(rules.topics)} "
        "(TIDEGAUGE_KAFKA_SOURCE_TOPICS); name one of these, or ask those who run it",
    )
    ours = [topic for topic in topics if rules.log_prefix and is_of_the_log(topic, rules.log_prefix)]
    why |= dict.fromkeys(ours, "is the event log's own: name a topic that holds events")
    paths = [(("kafka_source", index, "topic"), topic) for index, topic in enumerate(topics) if topic in why]
    if paths:
        raise InvalidConfiguration(
            [Mistake(shown(path), document.line_of(path), f"{topic} {why[topic]}") for path, topic in paths]
        )


def warnings(configs: TenantConfigs, config: TenantConfig, begins_us: int, *, has_data: bool) -> Iterator[str]:
    """What is declared and does not do what it seems to, and what goes with it, a sentence each."""
    if configs.version:
        replaced = [begins for begins in configs.valid_from_us if begins >= begins_us]
        if replaced:
            first = to_datetime(replaced[0]).isoformat().replace("+00:00", "Z")
            yield f"what was to begin {first}{' or later' if len(replaced) > 1 else ''} is replaced by it and never counts"
        return
    if config.valid_from is not None:
        yield "valid_from does not count: a tenant's first version reaches back for ever"
    counted = differing(TenantConfig().in_zone(config.timezone), config) if has_data else ()
    if counted:
        yield (
            "events that were counted before this first version keep the figures that they were counted with: "
            f"{', '.join(counted)} count for those that come from now on"
        )
