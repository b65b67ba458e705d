"""The table `[[target]]`: what a KPI should reach, and what it must."""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field, Strict, ValidationInfo, field_validator, model_validator

from service.domain import units
from service.domain.config.base import MAX_VALUES, Several, Table, check_selector, incomplete, known_kpis, unknown_dimensions
from service.domain.selector import Selector, parse_selector
from service.errors import InvalidText

Op = Literal[">=", ">", "<=", "<"]
WindowName = Literal["5m", "1h", "24h", "1d", "7d", "28d", "30d", "90d", "day", "week", "month", "quarter", "year"]
Number = Annotated[float, Strict()]
Range = tuple[Number, Number]
Values = Annotated[tuple[str, ...], Field(min_length=1, max_length=MAX_VALUES)]


class Target(Table):
    """A target and its limit, in the KPI's unit: an `op` with a number, or a range with a wider one."""

    kpi: str
    """`KPI`, `KPI.STATISTIC`, or a whole selector."""
    where: dict[str, Values] = Field(default_factory=dict, max_length=10)
    window: WindowName | None = None
    """None: of any window."""
    op: Op | None = None
    target: Number | None = None
    range: Range | None = None
    limit: Number | Range | None = None
    benchmark: Range | None = None

    @cached_property
    def selector(self) -> Selector:
        """What it speaks of: `kpi` and `where` in one."""
        named = parse_selector(self.kpi)
        return Selector(named.kpi, named.statistic, {**named.where, **self.where})

    @property
    def specificity(self) -> int:
        """How much it says: one for a statistic, one for each dimension, one for a window."""
        selector = self.selector
        return (selector.statistic is not None) + len(selector.where) + (self.window is not None)

    @field_validator("kpi")
    @classmethod
    def _known(cls, text: str, info: ValidationInfo) -> str:
        check_selector(parse_selector(text), known_kpis(info))
        return text

    @field_validator("where", mode="before")
    @classmethod
    def _lists(cls, where: object) -> object:
        if not isinstance(where, dict):
            return where
        return {key: (values,) if isinstance(values, str) else values for key, values in where.items()}

    @field_validator("where")
    @classmethod
    def _dimensions(cls, where: dict[str, Values], info: ValidationInfo) -> dict[str, Values]:
        if "kpi" not in info.data:
            return where
        named = parse_selector(info.data["kpi"])
        wrong = unknown_dimensions(Selector(named.kpi, named.statistic, where), known_kpis(info))
        wrong += [(key, f"{key} stands in `kpi` already: write it once") for key in where if key in named.where]
        if wrong:
            raise Several([((key,), message) for key, message in wrong])
        return where

    @field_validator("window")
    @classmethod
    def _is_computed(cls, window: WindowName | None, info: ValidationInfo) -> WindowName | None:
        known = known_kpis(info)
        if window is None or "kpi" not in info.data or not isinstance(known, Mapping):
            return window
        kpi = parse_selector(info.data["kpi"]).kpi
        if known[kpi].windows and window not in known[kpi].windows:
            raise ValueError(f"{kpi} has no window {window}; it has {', '.join(known[kpi].windows)}")
        return window

    @field_validator("target", "range", "limit", "benchmark", mode="before")
    @classmethod
    def _in_the_unit(cls, written: Any, info: ValidationInfo) -> Any:  # the file's own value, of any type
        if isinstance(written, list):
            return tuple(_converted(each, info) for each in written)
        return _converted(written, info)

    @model_validator(mode="after")
    def _is_sound(self, info: ValidationInfo) -> Self:
        said = [incomplete(self.selector, known_kpis(info)), self._wrong_range() if self.range else self._wrong_op()]
        if self.benchmark is not None and self.benchmark[0] > self.benchmark[1]:
            said.append("`benchmark` begins above its end: write the lower number first")
        if wrong := [((), message) for message in said if message]:
            raise Several(wrong)
        return self

    def _wrong_op(self) -> str:
        """What is wrong with `op`, `target` and `limit`; "" for nothing."""
        if self.op is None or self.target is None:
            return 'a target needs `op` (">=", ">", "<=", "<") and `target`, or else a `range`'
        if isinstance(self.limit, tuple):
            return "`limit` is a pair: with `op` it is one number"
        if self.limit is None or (self.limit <= self.target if self.op in {">=", ">"} else self.limit >= self.target):
            return ""
        return (
            f"limit {self.limit:g} is stricter than target {self.target:g} under {self.op}: "
            "a limit is what must be met where the target is not"
        )

    def _wrong_range(self) -> str:
        """What is wrong with `range` and `limit`; "" for nothing."""
        low, high = self.range or (0.0, 0.0)
        if self.op is not None or self.target is not None:
            return "`range` stands in place of `op` and `target`: leave them out, or the range"
        if low > high:
            return "`range` begins above its end: write the lower number first"
        if self.limit is None:
            return ""
        if not isinstance(self.limit, tuple):
            return "with `range` a `limit` is a pair of numbers: the wider range"
        return (
            ""
            if self.limit[0] <= low and self.limit[1] >= high
            else "`limit` does not hold the whole `range`: it is the wider of the two"
        )


def _converted(written: object, info: ValidationInfo) -> object:
    """A text with a unit as a number in the KPI's unit; anything else as it is, for its own check to judge."""
    if isinstance(written, float):
        return units.amount(written, "")
    if not isinstance(written, str):
        return written
    known = known_kpis(info)
    if "kpi" not in info.data:
        units.readable(written)
        return 0.0
    selector = parse_selector(info.data["kpi"])
    if not isinstance(known, Mapping):
        raise InvalidText(f'"{written}" cannot be converted, the unit of {selector.kpi} is not known here: write a number')
    unit = known[selector.kpi].unit_of(selector.statistic)
    return units.amount(written, unit or "the unit that its events name")
