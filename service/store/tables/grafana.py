"""Who may read which tenant's rows through the schema `grafana`, and what tickets have left: what its views stand on."""

from sqlalchemy import BigInteger, Column, DateTime, Integer, Table, Text, func

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
