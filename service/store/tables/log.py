"""The event log in Postgres: counters a partition, and the records."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table

from service.store.tables.base import metadata

log_partition = Table(
    "log_partition",
    metadata,
    Column("generation", Integer, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("start_offset", BigInteger, nullable=False, server_default="0"),
    Column("next_offset", BigInteger, nullable=False, server_default="0"),
    Column("events", BigInteger, nullable=False, server_default="0"),
    Column("sealed_offset", BigInteger),
    postgresql_with={"fillfactor": "50"},
    comment="Locked in order by an append, so that offsets become visible in order; "
    "sealed_offset: nothing is appended from there on",
)

log_record = Table(
    "log_record",
    metadata,
    Column("generation", Integer, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("events", Integer, nullable=False),
    Column("appended_us", BigInteger, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    comment="A record of the log: a batch of events as MessagePack rows",
)
