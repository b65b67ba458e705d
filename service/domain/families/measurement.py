"""io.tidegauge.measurement.v1: any other number."""

from service.domain.families.decimals import decimal_of
from service.domain.families.envelope import Envelope, Family, Intake, missing
from service.domain.families.fields import Attributes, Count, Currency, Data, Name, Value
from service.domain.families.rows import MeasurementRow
from service.domain.ids import IdHash
from service.domain.numbers import MAX_VALUE
from service.domain.reasons import Reason
from service.errors import EventRefused

_NAMES = ("data.meter", "data.unit")


class MeasurementData(Data, kw_only=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """Fields of a measurement."""

    meter: Name
    value: Value
    unit: Name | None = None
    currency: Currency | None = None
    attributes: Attributes | None = None
    count: Count | None = None


class MeasurementEvent(Envelope, kw_only=True, frozen=True, gc=False, tag="io.tidegauge.measurement.v1"):
    """A measurement, as it is sent."""

    data: MeasurementData


def to_row(event: MeasurementEvent, id_hash: IdHash, time_us: int | None, raw: bytes | None, intake: Intake) -> MeasurementRow:
    """Make the row of a measurement."""
    data = event.data
    number = decimal_of(data.value, "data.value", MAX_VALUE, intake)
    if number is None:
        raise missing("data.value", "a measurement has a value; send a number")
    if data.unit is not None and data.currency is not None:
        raise EventRefused(Reason.NOT_ALLOWED, "data.currency", "a value has a unit or a currency, not both; leave one out")
    unit = data.unit or ""
    names = (data.meter, unit)
    if not intake.names.issuperset(names):
        intake.names.require(_NAMES, names)
    attributes = data.attributes or {}
    if attributes and not intake.names.issuperset(attributes):
        intake.names.require_keys("data.attributes", attributes)
    whole, nano = number
    return MeasurementRow(
        id_hash,
        intake.tenant,
        event.source,
        event.id,
        time_us,
        intake.received_us,
        event.account or "",
        intake.backfill,
        raw,
        data.meter,
        whole,
        nano,
        data.currency or unit,
        data.currency is not None,
        data.count or 1,
        attributes,
    )


FAMILY = Family(
    name="measurement",
    event=MeasurementEvent,
    to_row=to_row,
    title="Any other number",
    example={
        "specversion": "1.0",
        "id": "3f8a2c1e-measurement-1",
        "source": "/shop/web",
        "type": "io.tidegauge.measurement.v1",
        "time": "2025-11-17T09:30:01Z",
        "data": {"meter": "web_vital.lcp", "value": 1.82, "unit": "s", "attributes": {"page": "dashboard"}},
    },
    rules={"not": {"required": ["unit", "currency"]}},
    defaults={"count": 1},
)
