"""What is kept beside facts and bits: open sessions by the minute, uses by user and week or account and day, newest events."""

from sqlalchemy import ARRAY, BigInteger, Column, Date, DateTime, Integer, Numeric, PrimaryKeyConstraint, Table, Text

from service.store.tables.base import metadata

session_quarter = Table(
    "session_quarter",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("bucket", DateTime(timezone=True), primary_key=True),
    Column("unended", ARRAY(Integer), nullable=False),
    Column("opened", ARRAY(Integer), nullable=False),
    postgresql_partition_by="RANGE (bucket)",
    comment="scope: all, or account; a number a minute: unended is starts less starts of what has ended since, opened is"
    " sessions opened less closed, told anew at each UTC midnight that they pass",
)

user_feature_week = Table(
    "user_feature_week",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("feature", BigInteger, primary_key=True),
    Column("week", Date, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("user_ordinal", Integer, primary_key=True),
    Column("uses", Numeric, nullable=False),
    postgresql_with={"fillfactor": "70"},
    comment="Uses (1e-9) of frequency-tracked features by user and local week (its Monday); feature 0 is any that counts",
)

use_day = Table(
    "use_day",
    metadata,
    Column("tenant", Integer, nullable=False),
    Column("day", Date, nullable=False),
    Column("account", Text, nullable=False),
    Column("feature", Text, nullable=False),
    Column("total", Numeric, nullable=False),
    # With the total, so that a month is read from the key alone.
    PrimaryKeyConstraint("tenant", "day", "account", "feature", postgresql_include=["total"]),
    comment="Uses (1e-9) that name an account, by feature and local day, whatever their outcome and properties; made of fact_day",
)

source_quarter = Table(
    "source_quarter",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("bucket", DateTime(timezone=True), primary_key=True),
    Column("newest", ARRAY(BigInteger), nullable=False),
    postgresql_partition_by="RANGE (bucket)",
    comment="By the minute of receipt the newest time of the stored events that came then (microseconds; null: none came)",
)
