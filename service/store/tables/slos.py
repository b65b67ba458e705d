"""Counters of SLOs."""

from sqlalchemy import BigInteger, Column, DateTime, Double, Integer, Table, Text, func

from service.store.tables.base import metadata

slo_counter = Table(
    "slo_counter",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("slo", Text, primary_key=True),
    Column("good", BigInteger, nullable=False, server_default="0"),
    Column("total", BigInteger, nullable=False, server_default="0"),
    Column("objective", Double),
    Column("fed_until_us", BigInteger),
    Column("created_at", DateTime(timezone=True), server_default=func.now()),
    postgresql_with={"fillfactor": "50"},
    comment="Good and all events of an SLO since it is known, only ever growing: live events alone. objective: as declared now "
    "(null: not any more); fed_until_us: how far one that is about time has been counted; created_at: since when it has counted, "
    "from 0 (null: since before that was kept)",
)
