"""Who works on what, how far it came, and what became of every event."""

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    func,
)

from service.store.tables.base import metadata

worker = Table(
    "worker",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("role", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("beat_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    comment="Processes that are alive, by their heartbeats: how many share the partitions",
)

lease = Table(
    "lease",
    metadata,
    Column("resource", Text, primary_key=True),
    Column("owner", Uuid),
    Column("epoch", BigInteger, nullable=False, server_default="0"),
    Column("expires_at", DateTime(timezone=True)),
    Column("backend_pid", Integer),
    Column("backend_start", DateTime(timezone=True)),
    postgresql_with={"fillfactor": "50"},
    comment="Who holds a partition (`log/GENERATION/PARTITION`) or a role (`evaluate`), by Postgres's clock",
)

partition_progress = Table(
    "partition_progress",
    metadata,
    Column("generation", Integer, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False, server_default="0"),
    Column("events", BigInteger, nullable=False, server_default="0"),
    Column("newest_received_us", BigInteger, nullable=False, server_default="0"),
    Column("drained_us", BigInteger, nullable=False, server_default="0"),
    postgresql_with={"fillfactor": "50"},
    comment="The next offset to be read, moved by compare-and-swap; drained_us: when it was last seen empty",
)

producer_progress = Table(
    "producer_progress",
    metadata,
    Column("generation", Integer, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("producer", Text, primary_key=True),
    Column("next_sequence", BigInteger, nullable=False),
    Column("gaps", BigInteger, nullable=False, server_default="0"),
    Column("seen_us", BigInteger, nullable=False),
    comment="The next sequence expected of a producer in a partition: a gap in the log shows here",
)

ledger = Table(
    "ledger",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("stored", BigInteger, nullable=False, server_default="0"),
    Column("duplicate", BigInteger, nullable=False, server_default="0"),
    Column("dead_lettered", BigInteger, nullable=False, server_default="0"),
    postgresql_with={"fillfactor": "70"},
    comment="Events consumed by outcome, by UTC day of receipt; their sum is what was appended and is not pending",
)

seen_ids = Table(
    "seen_ids",
    metadata,
    Column("generation", Integer, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("hour", Integer, primary_key=True),
    Column("first_offset", BigInteger, primary_key=True),
    Column("hashes", LargeBinary, nullable=False),
    Column("written_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    comment="16-byte hashes of stored events, sorted, packed; hour: of the event's time since 1970",
)

tenant_hours = Table(
    "tenant_hours",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("had", Integer, nullable=False, server_default="0"),
    Column("closed", Integer, nullable=False, server_default="0"),
    comment="24-bit masks of UTC hours: that had stored events; whose ids are gone",
)

tenant_dirty = Table(
    "tenant_dirty",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("flush", BigInteger, nullable=False, server_default="0"),
    Column("newest_us", BigInteger, nullable=False, server_default="0"),
    Column("oldest_us", BigInteger, nullable=False, server_default="0"),
    postgresql_with={"fillfactor": "50"},
    comment="Counts flushes that touched a tenant: what the evaluator looks at, and the tenant's version in ETags",
)

dead_letter = Table(
    "dead_letter",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("id_hash", LargeBinary, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("id", Text, nullable=False),
    Column("time", Text, nullable=False, server_default=""),
    Column("detail", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("origin", Text, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("count", BigInteger, nullable=False, server_default="1"),
    Column("state", Text, nullable=False, server_default="open"),
    comment="Events that were refused, as they came; sending the same again only raises the count",
)
Index("dead_letter_newest_idx", dead_letter.c.tenant, dead_letter.c.received_at.desc())
