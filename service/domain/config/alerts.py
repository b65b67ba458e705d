"""The tables `[[alert]]` and `[[slo]]`: what somebody is told of, at once or when an error budget burns."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Final, Literal, Self, cast

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from service.domain.config.about import About, Op, in_its_unit
from service.domain.config.base import Name, Several, Share, Table, incomplete, known_kpis, unknown_dimensions
from service.domain.config.terms import Number, Stretch, Values, Whole, check_once
from service.domain.selector import Selector
from service.domain.slo import FACTS_OF, EventKind, Selection

MAX_ALERTS: Final = 500
MAX_SLOS: Final = 200

Level = Literal["critical", "warning", "information"]
SloKind = Literal["delivery_on_time", "request_success", "request_latency", "availability", "freshness", "usage", "meter"]
KPI_OF: Final[Mapping[SloKind, str]] = {
    "delivery_on_time": "delivery_on_time",
    "request_success": "api_success",
    "request_latency": "request_latency",
    "availability": "availability",
    "freshness": "freshness",
    "usage": "feature_failures",
    "meter": "meter",
}
"""The KPI that an SLO of each kind is about, for its dimensions."""
_AS_NOW: Final = ("account.", "band.")
"""Dimensions of what accounts are at some time: no event names them."""
_NS_PER_MS: Final = 1_000_000
_PER_UNIT: Final = 10**9


class Alert(About):
    """`[[alert]]`: a figure that is told of when it has been beyond a value for a while."""

    chooses: ClassVar[bool] = False
    """What somebody has to choose first is not kept live."""
    op: Op
    value: Number
    level: Level = "warning"
    """critical: at once; warning: within 4 hours; information: daily."""
    for_: Stretch | None = Field(default=None, alias="for")
    """How long it has to be so; None: it is told of at once."""
    min_events: Annotated[Whole, Field(ge=0, le=1_000_000_000)] = 0
    """Fewer requests or deliveries in the window tell nobody."""

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
    Alert(kpi="error_rate", op=">", value=0.01, level="critical", min_events=100),
    Alert(kpi="request_latency.p95", op=">", value=500, level="warning", min_events=100),
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
    op: Op | None = None
    value: Annotated[Number, Field(ge=-1e15, le=1e15)] | None = None
    """Of `meter`: a measurement is good when it is `op` (`<=`) this, in the meter's unit."""
    objective: Annotated[Share, Field(gt=0, lt=1)]
    window: Literal["28d", "30d", "month", "quarter"] = "30d"
    min_events: Annotated[Whole, Field(ge=0, le=1_000_000_000)] = 0
    """Fewer events in the window page nobody."""

    @field_validator("where")
    @classmethod
    def _dimensions(cls, where: dict[str, Values], info: ValidationInfo) -> dict[str, Values]:
        if "kind" not in info.data:
            return where
        wrong = unknown_dimensions(Selector(KPI_OF[info.data["kind"]], None, where), known_kpis(info))
        wrong += [
            (key, f"{key} is of what accounts are now, and no event names it: choose accounts by `account`")
            for key in where
            if key.startswith(_AS_NOW)
        ]
        if wrong:
            raise Several([((key,), message) for key, message in wrong])
        return where

    @model_validator(mode="after")
    def _has_its_limit(self) -> Self:
        if self.kind == "request_latency" and self.limit_ms is None:
            raise ValueError("an SLO of request_latency needs `limit_ms`: up to which latency is a request good?")
        if self.kind != "request_latency" and self.limit_ms is not None:
            raise ValueError(f"`limit_ms` is of request_latency, and this is {self.kind}: leave it out")
        if self.kind == "meter" and (self.value is None or "meter" not in self.where):
            raise ValueError("an SLO of a meter needs `where = { meter = … }` and `value`: which measurement is good?")
        if self.kind != "meter" and (self.op is not None or self.value is not None):
            raise ValueError(f"`op` and `value` are of meter, and this is {self.kind}: leave them out")
        return self

    def selection(self, features_of: Callable[[str], tuple[str, ...]]) -> Selection | None:
        """Which events it is about, groups of features in full; None where it is about time."""
        if self.kind not in FACTS_OF:
            return None
        return Selection(
            self.name,
            cast("EventKind", self.kind),
            tuple(sorted((name, _meant(name, values, features_of)) for name, values in self.where.items())),
            self.op or "<=",
            self._bound(),
        )

    def _bound(self) -> int | None:
        if self.limit_ms is not None:
            return round(Fraction(str(self.limit_ms)) * _NS_PER_MS)
        return None if self.value is None else round(Fraction(str(self.value)) * _PER_UNIT)


def _meant(name: str, values: tuple[str, ...], features_of: Callable[[str], tuple[str, ...]]) -> frozenset[str]:
    return frozenset(each for value in values for each in (features_of(value) if name == "feature" else (value,)))


def _each_once(slos: tuple[Slo, ...]) -> tuple[Slo, ...]:
    check_once((each.name for each in slos), "name", "an SLO")
    return slos


DEFAULT_SLOS: Final = (
    Slo(name="availability", kind="availability", objective=0.999),
    Slo(name="request-success", kind="request_success", objective=0.999),
    Slo(name="delivery-on-time", kind="delivery_on_time", objective=0.95),
)
Slos = Annotated[tuple[Slo, ...], Field(max_length=MAX_SLOS), AfterValidator(_each_once)]
