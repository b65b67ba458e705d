"""The tables `[[alert]]` and `[[slo]]`: what somebody is told of, at once or when an error budget burns."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from service.domain.config.about import About, Op, in_its_unit
from service.domain.config.base import Name, Several, Share, Table, incomplete, known_kpis, unknown_dimensions
from service.domain.config.terms import Number, Stretch, Values, Whole, check_once
from service.domain.selector import Selector

MAX_ALERTS: Final = 500
MAX_SLOS: Final = 200

Level = Literal["critical", "warning", "information"]
SloKind = Literal["delivery_on_time", "request_success", "request_latency", "availability", "freshness"]
_KPI_OF: Final[Mapping[SloKind, str]] = {
    "delivery_on_time": "delivery_on_time",
    "request_success": "api_success",
    "request_latency": "request_latency",
    "availability": "availability",
    "freshness": "freshness",
}
"""The KPI that an SLO of each kind is about, for its dimensions."""


class Alert(About):
    """`[[alert]]`: a figure that is told of when it has been beyond a value for a while."""

    op: Op
    value: Number
    level: Level = "warning"
    """critical: at once; warning: within 4 hours; information: daily."""
    for_: Stretch | None = Field(default=None, alias="for")
    """How long it has to be so; None: it is told of at once."""

    @field_validator("value", mode="before")
    @classmethod
    def _in_the_unit(cls, written: Any, info: ValidationInfo) -> Any:  # the file's own value, of any type
        return in_its_unit(written, info)

    @model_validator(mode="after")
    def _is_whole(self, info: ValidationInfo) -> Self:
        if said := incomplete(self.selector, known_kpis(info)):
            raise ValueError(said)
        return self


DEFAULT_ALERTS: Final = (
    Alert(kpi="availability", op="<", value=0.999, level="critical"),
    Alert(kpi="error_rate", op=">", value=0.01, level="critical"),
    Alert(kpi="request_latency.p95", op=">", value=500, level="warning"),
    Alert(kpi="period_retention", op="<", value=0.85, level="warning"),
    Alert(kpi="customer_churn", op=">", value=0.03, level="information"),
)
Alerts = Annotated[tuple[Alert, ...], Field(max_length=MAX_ALERTS)]


class Slo(Table):
    """`[[slo]]`: a share of good events, or of good seconds, that is to be reached over a window (F)."""

    name: Name
    kind: SloKind
    where: dict[str, Values] = Field(default_factory=dict, max_length=10)
    limit_ms: Annotated[Number, Field(gt=0, le=34_560_000_000)] | None = None
    """Of `request_latency`: up to here a request is good."""
    objective: Annotated[Share, Field(gt=0, lt=1)]
    window: Literal["28d", "30d", "month", "quarter"] = "30d"
    min_events: Annotated[Whole, Field(ge=0, le=1_000_000_000)] = 0
    """Fewer events in the window page nobody."""

    @field_validator("where")
    @classmethod
    def _dimensions(cls, where: dict[str, Values], info: ValidationInfo) -> dict[str, Values]:
        if "kind" not in info.data:
            return where
        wrong = unknown_dimensions(Selector(_KPI_OF[info.data["kind"]], None, where), known_kpis(info))
        if wrong:
            raise Several([((key,), message) for key, message in wrong])
        return where

    @model_validator(mode="after")
    def _has_its_limit(self) -> Self:
        if self.kind == "request_latency" and self.limit_ms is None:
            raise ValueError("an SLO of request_latency needs `limit_ms`: up to which latency is a request good?")
        if self.kind != "request_latency" and self.limit_ms is not None:
            raise ValueError(f"`limit_ms` is of request_latency, and this is {self.kind}: leave it out")
        return self


def _each_once(slos: tuple[Slo, ...]) -> tuple[Slo, ...]:
    check_once((each.name for each in slos), "name", "an SLO")
    return slos


DEFAULT_SLOS: Final = (
    Slo(name="availability", kind="availability", objective=0.999),
    Slo(name="request-success", kind="request_success", objective=0.999),
    Slo(name="delivery-on-time", kind="delivery_on_time", objective=0.95),
)
Slos = Annotated[tuple[Slo, ...], Field(max_length=MAX_SLOS), AfterValidator(_each_once)]
