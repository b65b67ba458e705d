"""Reports: prose that fills their blanks, and frozen copies of what was made."""

from sqlalchemy import ARRAY, BigInteger, Column, DateTime, Identity, Index, Integer, LargeBinary, Table, Text, func

from service.store.tables.base import metadata

note = Table(
    "note",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("report", Text, primary_key=True),
    Column("account", Text, primary_key=True, server_default=""),
    Column("start_at", DateTime(timezone=True), primary_key=True),
    Column("blank", Text, primary_key=True),
    Column("text", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    comment="Prose of reports, by the blank that it fills and the beginning of the report's window",
)

report_copy = Table(
    "report_copy",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("tenant", Integer, nullable=False),
    Column("report", Text, nullable=False),
    Column("account", Text, nullable=False, server_default=""),
    Column("due_at", DateTime(timezone=True)),
    Column("start_at", DateTime(timezone=True), nullable=False),
    Column("end_at", DateTime(timezone=True), nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("content", LargeBinary, nullable=False),
    Column("formats", ARRAY(Text), nullable=False, server_default="{}"),
    Column("webhook", Text, nullable=False, server_default=""),
    Column("posted_at", DateTime(timezone=True)),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", DateTime(timezone=True)),
    Column("failure", Text, nullable=False, server_default=""),
    Index("report_copy_due", "tenant", "report", "account", "due_at", unique=True),
    comment="Reports as they were made, never changed; due_at is the time of their schedule, null where one was asked for",
)
