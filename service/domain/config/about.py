"""What a part of the file says it is about: a KPI, its statistic, a part of it, a window; and amounts in its unit."""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from service.domain import units
from service.domain.config.base import Several, Table, check_selector, known_kpis, unknown_dimensions
from service.domain.config.terms import Values
from service.domain.selector import Selector, parse_selector
from service.errors import InvalidText

Op = Literal[">=", ">", "<=", "<"]
WindowName = Literal[
    "5m", "30m", "1h", "2h", "6h", "24h", "72h", "1d", "7d", "28d", "30d", "90d", "day", "week", "month", "quarter", "year"
]


def _written(value: object) -> object:
    """A number, or each of a list, as the text that it is asked for with: a status of 500, a limit of 300."""
    if isinstance(value, list):
        return [_written(each) for each in value]
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


class About(Table):
    """The keys `kpi`, `where` and `window` of targets, goals and alerts."""

    chooses: ClassVar[bool] = True
    """Whether parameters and a limit may stand beside dimensions."""

    kpi: str
    """`KPI`, `KPI.STATISTIC`, or a whole selector."""
    where: dict[str, Annotated[Values, BeforeValidator(_written)]] = Field(default_factory=dict, max_length=10)
    window: WindowName | None = None
    """None: of any window."""

    @cached_property
    def selector(self) -> Selector:
        """What it speaks of: `kpi` and `where` in one."""
        named = parse_selector(self.kpi)
        return Selector(named.kpi, named.statistic, {**named.where, **self.where})

    @field_validator("kpi")
    @classmethod
    def _known(cls, text: str, info: ValidationInfo) -> str:
        check_selector(parse_selector(text), known_kpis(info), chooses=cls.chooses)
        return text

    @field_validator("where")
    @classmethod
    def _dimensions(cls, where: dict[str, Values], info: ValidationInfo) -> dict[str, Values]:
        if "kpi" not in info.data:
            return where
        named = parse_selector(info.data["kpi"])
        wrong = unknown_dimensions(Selector(named.kpi, named.statistic, where), known_kpis(info), chooses=cls.chooses)
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


def in_its_unit(written: Any, info: ValidationInfo) -> Any:  # the file's own value, of any type
    """A number, or each of a list, in the unit of the KPI that `info.data` names; other things as they are, for their checks."""
    if isinstance(written, list):
        return tuple(_converted(each, info) for each in written)
    return _converted(written, info)


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
