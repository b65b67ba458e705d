"""Dated values, milestones and steps: what describes users, accounts and cases."""

from sqlalchemy import BigInteger, Column, Computed, Index, Integer, PrimaryKeyConstraint, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from service.store.tables.base import metadata


def _event() -> Column:  # type: ignore[type-arg]
    # Stands for source and id in the key: both at their longest would not fit into an index entry.
    return Column("event", Uuid, Computed("md5(source || chr(10) || id)::uuid", persisted=True), primary_key=True)


state = Table(
    "state",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("who", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("field", Text, primary_key=True),
    Column("time_us", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("value", Text, nullable=False),
    comment="kind: user (account); field: trait.NAME …; the newest by (time, source, id) wins",
)

state_history = Table(
    "state_history",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("field", Text, primary_key=True),
    Column("who", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("time_us", BigInteger, primary_key=True),
    Column("source", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("value", Text, nullable=False),
    _event(),
    comment="All dated values of fields that are asked for as of a date (status)",
)

# Finds the few who may have left, so that all the others are counted from the key alone.
Index(
    "state_history_deactivated_idx",
    state_history.c.tenant,
    state_history.c.kind,
    state_history.c.field,
    state_history.c.who,
    postgresql_where=state_history.c.value == "deactivated",
)

milestone = Table(
    "milestone",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("milestone", Text, primary_key=True),
    Column("who", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("time_us", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("id", Text, nullable=False),
    comment="kind: user (account); the earliest by (time, source, id)",
)
Index("milestone_when_idx", milestone.c.tenant, milestone.c.kind, milestone.c.milestone, milestone.c.time_us)

first_reached = Table(
    "first_reached",
    metadata,
    Column("tenant", Integer, nullable=False),
    Column("what", BigInteger, nullable=False),
    Column("user_ordinal", Integer, nullable=False),
    Column("time_us", BigInteger, nullable=False),
    Column("account", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("id", Text, nullable=False),
    # With the time, so that the starts of many users are read from the key alone.
    PrimaryKeyConstraint("tenant", "what", "user_ordinal", postgresql_include=["time_us"]),
    comment="When, and in which account, a user first reached a milestone of any account (what: its name.id); made of milestone",
)
Index(
    "first_reached_when_idx",
    first_reached.c.tenant,
    first_reached.c.what,
    first_reached.c.time_us,
    postgresql_include=["user_ordinal", "account"],
)

step = Table(
    "step",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("family", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("time_us", BigInteger, primary_key=True),
    Column("source", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("fields", JSONB, nullable=False),
    _event(),
    comment="The steps of incidents (tickets, cases …), a set: states and durations are derived from it",
)
Index("step_when_idx", step.c.tenant, step.c.family, step.c.time_us)
