"""What can be added up: series and their facts a minute, a quarter of an hour and a local day."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Date,
    DateTime,
    Identity,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import BIT, JSONB

from service.store.tables.base import metadata

series = Table(
    "series",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("tenant", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("dims", JSONB, nullable=False),
    comment="kind: usage, session, delivery, request, meter; account '' is platform-wide; insert-only",
)
# Dimensions may be longer than an index entry; a digest that can be steered would let two of them share an id.
Index(
    "series_key",
    series.c.tenant,
    series.c.kind,
    series.c.account,
    func.sha256(func.jsonb_send(series.c.dims)),
    unique=True,
)
# Uses of named features, whatever the account.
Index(
    "series_feature",
    series.c.tenant,
    series.c.dims.op("->>")("feature"),
    postgresql_where=series.c.kind == "usage",
)


def _measures() -> list[Column]:  # type: ignore[type-arg]
    return [
        Column("n", BigInteger, nullable=False),
        Column("total", Numeric, nullable=False),
        Column("least", Numeric),
        Column("greatest", Numeric),
        Column("newest_us", BigInteger),
        Column("newest_source", Text),
        Column("newest_id", Text),
        Column("newest_value", Numeric),
        Column("histogram", ARRAY(BigInteger)),
    ]


fact_minute = Table(
    "fact_minute",
    metadata,
    Column("series", BigInteger, primary_key=True),
    Column("bucket", DateTime(timezone=True), primary_key=True),
    *_measures(),
    postgresql_partition_by="RANGE (bucket)",
    comment="n: what is counted; total, least, greatest: nanoseconds or 1e-9 units, exact; histogram: see domain/histogram.py",
)

fact_quarter = Table(
    "fact_quarter",
    metadata,
    Column("series", BigInteger, primary_key=True),
    Column("bucket", DateTime(timezone=True), primary_key=True),
    *_measures(),
    postgresql_partition_by="RANGE (bucket)",
    comment="As fact_minute, by quarters of an hour (every time zone's day begins on one)",
)

fact_day = Table(
    "fact_day",
    metadata,
    Column("series", BigInteger, primary_key=True),
    Column("day", Date, primary_key=True),
    *_measures(),
    postgresql_with={"fillfactor": "45"},
    comment="As fact_minute, by the tenant's local days; kept for ever",
)

probe_quarter = Table(
    "probe_quarter",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("component", Text, primary_key=True),
    Column("monitor", Text, primary_key=True),
    Column("region", Text, primary_key=True),
    Column("bucket", DateTime(timezone=True), primary_key=True),
    Column("up", BIT(900), nullable=False),
    Column("down", BIT(900), nullable=False),
    Column("degraded", BIT(900), nullable=False),
    Column("planned", BIT(900), nullable=False),
    Column("excluded", BIT(900), nullable=False),
    Column("probes", BigInteger, nullable=False),
    Column("probes_up", BigInteger, nullable=False),
    postgresql_partition_by="RANGE (bucket)",
    comment="A bit a second that a monitor spoke for; probes count in the quarter they began in",
)
