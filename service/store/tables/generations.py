"""How the log goes from one generation to the next."""

from sqlalchemy import BigInteger, Column, DateTime, Integer, Table, Text, func

from service.store.tables.base import metadata

repartition = Table(
    "repartition",
    metadata,
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("log_kind", Text, nullable=False),
    Column("partitions", Integer, nullable=False),
    Column("former_kind", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("begun_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("sealed_at", DateTime(timezone=True)),
    Column("switched_at", DateTime(timezone=True)),
    comment="Generations of the log that were opened by `tidegauge repartition`, and how far each one came",
)

copied_ids = Table(
    "copied_ids",
    metadata,
    Column("generation", Integer, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("hour", Integer, primary_key=True),
    Column("first_offset", BigInteger, primary_key=True),
    Column("bytes", BigInteger, nullable=False),
    Column("copied_as", BigInteger, nullable=False),
    comment="Rows of seen_ids that a repartition under way has copied, as long as they were then; empty at rest",
)
