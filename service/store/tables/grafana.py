"""Who may read which tenant's rows through the schema `grafana`, and what tickets have left: what its views stand on."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Double, Integer, Table, Text, func
from sqlalchemy.dialects.postgresql import JSONB

from service.store.tables.base import metadata

grafana_reader = Table(
    "grafana_reader",
    metadata,
    Column("role", Text, primary_key=True),
    Column("tenant", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    comment="The tenant that a role of Postgres reads; every policy of row level security asks here, by current_user",
)

ticket_due = Table(
    "ticket_due",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("response_due_us", BigInteger),
    Column("mitigation_due_us", BigInteger),
    Column("resolution_due_us", BigInteger),
    Column("escalation", Integer, nullable=False),
    comment="Limits of open tickets that still run or are missed, as the evaluator judges them every minute",
)

scorecard_latest = Table(
    "scorecard_latest",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("scorecard", Text, primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("window", Text, primary_key=True),
    Column("row", Text, nullable=False),
    Column("is_critical", Boolean, nullable=False),
    Column("kpi", Text, nullable=False),
    Column("statistic", Text, nullable=False),
    Column("dims", JSONB, nullable=False),
    Column("title", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("value", Double),
    Column("target", Double),
    Column("limit", Double),
    Column("status", Text, nullable=False),
    Column("reason", Text),
    Column("start_at", DateTime(timezone=True), nullable=False),
    Column("end_at", DateTime(timezone=True), nullable=False),
    postgresql_with={"fillfactor": "70"},
    comment="The rows of declared scorecards in the newest windows, as the evaluator judges them every minute",
)
