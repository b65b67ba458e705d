"""Tickets as they stand: what their steps come to, kept so that no step need be read again."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

from service.store.tables.base import metadata

ticket = Table(
    "ticket",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("opened_us", BigInteger, nullable=False),
    Column("first_response_us", BigInteger),
    Column("escalated_us", BigInteger),
    Column("mitigated_us", BigInteger),
    Column("resolved_us", BigInteger),
    Column("last_us", BigInteger, nullable=False),
    Column("priority", Text),
    Column("category", Text),
    Column("level", Integer),
    Column("first_contact", Boolean),
    Column("blocking", Boolean),
    Column("excluded", Boolean, nullable=False),
    Column("reason", Text),
    Column("gap_from_us", ARRAY(BigInteger), nullable=False),
    Column("gap_to_us", ARRAY(BigInteger), nullable=False),
    Column("idle_us", BigInteger, nullable=False),
    comment="Tickets as known now, derived from their steps by every statement that adds some; gaps: resolved to reopened",
)
Index("ticket_opened_idx", ticket.c.tenant, ticket.c.opened_us, ticket.c.subject)
Index("ticket_resolved_idx", ticket.c.tenant, ticket.c.resolved_us)
Index(
    "ticket_first_response_idx",
    ticket.c.tenant,
    ticket.c.first_response_us,
    postgresql_where=ticket.c.first_response_us.is_not(None),
)
Index("ticket_escalated_idx", ticket.c.tenant, ticket.c.escalated_us, postgresql_where=ticket.c.escalated_us.is_not(None))
Index("ticket_reopened_idx", ticket.c.tenant, ticket.c.last_us, postgresql_where=ticket.c.idle_us > 0)
