"""Values of KPIs: the newest of each, and those of closed windows."""

from sqlalchemy import BigInteger, Column, DateTime, Double, Integer, Numeric, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from service.store.tables.base import metadata

kpi_latest = Table(
    "kpi_latest",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("kpi", Text, primary_key=True),
    Column("statistic", Text, primary_key=True),
    Column("window", Text, primary_key=True),
    Column("dims", JSONB, primary_key=True),
    Column("value", Double),
    Column("numerator", Numeric),
    Column("denominator", Numeric),
    Column("target", Double),
    Column("limit", Double),
    Column("status", Text, nullable=False),
    Column("start_at", DateTime(timezone=True), nullable=False),
    Column("end_at", DateTime(timezone=True), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    postgresql_with={"fillfactor": "70"},
    comment="The newest value of every live KPI, in the KPI's own unit: what /metrics/kpis shows",
)

kpi_history = Table(
    "kpi_history",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("kpi", Text, primary_key=True),
    Column("statistic", Text, primary_key=True),
    Column("window", Text, primary_key=True),
    Column("end_at", DateTime(timezone=True), primary_key=True),
    Column("dims", JSONB, primary_key=True),
    Column("start_at", DateTime(timezone=True), nullable=False),
    Column("value", Double),
    Column("numerator", Numeric),
    Column("denominator", Numeric),
    Column("target", Double),
    Column("limit", Double),
    Column("status", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    comment="Values at the close of a window; late events rewrite their row",
)

history_progress = Table(
    "history_progress",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("closed_until_us", BigInteger, nullable=False, server_default="0"),
    Column("touched_from_us", BigInteger),
    comment="Windows that end up to closed_until_us have their history; touched_from_us: the oldest event that came since",
)
