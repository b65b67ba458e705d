"""Who may do what, and what each tenant declares."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from service.store.tables.base import metadata

installation = Table(
    "installation",
    metadata,
    Column("one", Boolean, primary_key=True, server_default="true"),
    Column("hash_key", LargeBinary, nullable=False),
    Column("log_kind", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("partitions", Integer, nullable=False),
    Column("max_lateness_s", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("one", name="single_row"),
    comment="One row: what may not differ between the processes of an installation",
)

tenant = Table(
    "tenant",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("timezone", Text, nullable=False),
    Column("config_version", Integer, nullable=False, server_default="0"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    comment="One isolated space; config_version is the newest row of config_version (0: defaults)",
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Integer, nullable=False, index=True),
    Column("name", Text, nullable=False, server_default=""),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("revoked_at", DateTime(timezone=True)),
    comment="A key is known only by the SHA-256 of its 256 bits",
)

config_version = Table(
    "config_version",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("valid_from", DateTime(timezone=True)),
    Column("source", Text, nullable=False),
    Column("parsed", JSONB, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # What views of the schema `grafana` read; the rest of a configuration is nobody's there, for it has addresses of webhooks.
    *(
        Column(name, JSONB, Computed(f"parsed -> '{name}'", persisted=True))
        for name in ("scorecard", "funnel", "items", "freshness", "slo")
    ),
    Column("currency", Text, Computed("parsed #>> '{tenant,currency}'", persisted=True)),
    comment="What a tenant declared: the TOML as it came and as checked; the first reaches back for ever",
)

name = Table(
    "name",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("id", BigInteger, Identity(always=True), nullable=False, unique=True),
    comment="Names admitted under the tenant's limits (feature, route, meter …); insert-only",
)
