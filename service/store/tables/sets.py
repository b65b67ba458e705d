"""Exact sets of users: ordinals, seats, and who was active on a day or in a week, as bits."""

from sqlalchemy import BigInteger, Column, Date, Index, Integer, Table, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import BIT

from service.store.tables.base import metadata

app_user = Table(
    "app_user",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("ordinal", Integer, nullable=False),
    UniqueConstraint("tenant", "ordinal", name="app_user_ordinal_key"),
    comment="A user's ordinal, given out once",
)

seat = Table(
    "seat",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("user_ordinal", Integer, primary_key=True),
    Column("ordinal", Integer, nullable=False),
    UniqueConstraint("tenant", "ordinal", name="seat_ordinal_key"),
    comment="A user in an account; ordinals come from the account's blocks of 64",
)

Index("seat_user_idx", seat.c.tenant, seat.c.user_ordinal)

shared_seat = Table(
    "shared_seat",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("user_ordinal", Integer, nullable=False),
    comment="Seats of users who have several, in whichever accounts",
)

seat_block = Table(
    "seat_block",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("block", Integer, primary_key=True),
    Column("account", Text, nullable=False),
    Column("used", Integer, nullable=False),
    comment="Block b holds the seat ordinals 64 b … 64 b + 63, of one account",
)
Index("seat_block_account_idx", seat_block.c.tenant, seat_block.c.account)

ordinal_counter = Table(
    "ordinal_counter",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("next_user", Integer, nullable=False, server_default="0"),
    Column("next_block", Integer, nullable=False, server_default="0"),
    comment="The next user ordinal and the next block of seats of a tenant",
)

activity_day = Table(
    "activity_day",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("population", Text, primary_key=True),
    Column("feature", BigInteger, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("chunk", Integer, primary_key=True),
    Column("bits", BIT(2048), nullable=False),
    postgresql_with={"fillfactor": "50"},
    comment="population: user or seat; feature 0 is any that counts, else name.id; bit i of chunk c is ordinal 2048 c + i",
)

activity_week = Table(
    "activity_week",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("population", Text, primary_key=True),
    Column("feature", BigInteger, primary_key=True),
    Column("week", Date, primary_key=True),
    Column("chunk", Integer, primary_key=True),
    Column("bits", BIT(2048), nullable=False),
    postgresql_with={"fillfactor": "50"},
    comment="Who was active in the week that begins on a Monday; made of activity_day, and bits as there",
)

activity_half = Table(
    "activity_half",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("population", Text, primary_key=True),
    Column("feature", BigInteger, primary_key=True),
    Column("half", Date, primary_key=True),
    Column("chunk", Integer, primary_key=True),
    Column("bits", BIT(2048), nullable=False),
    postgresql_with={"fillfactor": "50"},
    comment="Who was active from this Thursday to the Sunday after it; made of activity_day, and bits as there",
)

active_count = Table(
    "active_count",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("feature", BigInteger, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("n", Integer, nullable=False),
    postgresql_with={"fillfactor": "50"},
    comment="How many users were active on a day; feature as in activity_day, of whose bits it is made",
)

reached = Table(
    "reached",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("population", Text, primary_key=True),
    Column("what", BigInteger, primary_key=True),
    Column("span", Text, primary_key=True),
    Column("since", Date, primary_key=True),
    Column("chunk", Integer, primary_key=True),
    Column("bits", BIT(2048), nullable=False),
    postgresql_with={"fillfactor": "50"},
    comment="Who reached something on a day, or in a month that begins on it; what: a milestone's name.id, 0 a first use,"
    " -1 a status; bits as in activity_day",
)

segment = Table(
    "segment",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("dimension", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("chunk", Integer, primary_key=True),
    Column("bits", BIT(2048), nullable=False),
    comment="User traits as they are now, as bits over user ordinals: an index, rebuilt from state",
)

segment_dirty = Table(
    "segment_dirty",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("chunk", Integer, primary_key=True),
    comment="Chunks of users whose traits changed since their segments were built",
)
