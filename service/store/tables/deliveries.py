"""Deliveries whose acceptance is told, one by one, until they are final."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text

from service.store.tables.base import metadata

tracked_delivery = Table(
    "tracked_delivery",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("delivery", Text, primary_key=True),
    Column("accepted_us", BigInteger),
    Column("source", Text),
    Column("id", Text),
    Column("account", Text),
    Column("integration", Text),
    Column("direction", Text),
    Column("limit_ns", BigInteger),
    Column("is_excluded", Boolean),
    Column("final_us", BigInteger),
    postgresql_with={"fillfactor": "70"},
    comment="Of integrations that declare tracks_accepted: the earliest acceptance by (time, source, id), the earliest final",
)
Index(
    "tracked_delivery_open_idx",
    tracked_delivery.c.tenant,
    tracked_delivery.c.accepted_us,
    postgresql_where=tracked_delivery.c.final_us.is_(None),
)
Index("tracked_delivery_final_idx", tracked_delivery.c.tenant, tracked_delivery.c.final_us)
