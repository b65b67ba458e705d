"""The tables `[[target]]` and `[[goal]]`: what a KPI should reach, and by when."""

import re
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from service.domain.config.about import About, Op, in_its_unit
from service.domain.config.base import Day, Several, check_name, incomplete, known_kpis
from service.domain.config.terms import Number, Whole

Range = tuple[Number, Number]
MAX_WINDOWS_IN_A_ROW: Final = 400
MAX_DAYS_AFTER: Final = 3_650
_AFTER = re.compile(r"milestone:(?P<milestone>[^+]*[^\s+])\s*(?:\+\s*(?P<days>[1-9][0-9]{0,3})d)?")


class Target(About):
    """A target and its limit, in the KPI's unit: an `op` with a number, or a range with a wider one."""

    op: Op | None = None
    target: Number | None = None
    range: Range | None = None
    limit: Number | Range | None = None
    benchmark: Range | None = None

    @property
    def specificity(self) -> int:
        """How much it says: one for a statistic, one for each dimension, one for a window."""
        selector = self.selector
        return (selector.statistic is not None) + len(selector.where) + (self.window is not None)

    @field_validator("target", "range", "limit", "benchmark", mode="before")
    @classmethod
    def _in_the_unit(cls, written: Any, info: ValidationInfo) -> Any:  # the file's own value, of any type
        return in_its_unit(written, info)

    @model_validator(mode="after")
    def _is_sound(self, info: ValidationInfo) -> Self:
        left_out = incomplete(self.selector, known_kpis(info), chooses=True)
        said = [left_out, self._wrong_range() if self.range else self._wrong_op()]
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


def _after(text: str) -> str:
    match = _AFTER.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is no due date: write "milestone:NAME", or with days after it, as "milestone:go_live + 30d"')
    check_name(match["milestone"])
    if match["days"] and int(match["days"]) > MAX_DAYS_AFTER:
        raise ValueError(f'"{text}" lies more than {MAX_DAYS_AFTER} days after it, the limit: write a nearer date')
    return text


def due_days(due_after: str) -> tuple[str, int]:
    """The milestone of a `due_after`, and how many days after it."""
    match = _AFTER.fullmatch(due_after)
    if match is None:
        raise ValueError(f"{due_after!r} was checked when it was declared")
    return match["milestone"], int(match["days"] or 0)


class Goal(About):
    """A target that is to be reached by a date, or in a number of windows one after the other."""

    op: Op
    target: Number
    windows_in_a_row: Annotated[Whole, Field(ge=1, le=MAX_WINDOWS_IN_A_ROW)] = 1
    """Windows, one after the other, that have to meet it."""
    due: Day | None = None
    due_after: Annotated[str, AfterValidator(_after)] | None = None
    """`milestone:NAME + DAYSd`: so many local days after the account that is named reached its milestone, of several the last."""

    @field_validator("target", mode="before")
    @classmethod
    def _in_the_unit(cls, written: Any, info: ValidationInfo) -> Any:  # the file's own value, of any type
        return in_its_unit(written, info)

    @model_validator(mode="after")
    def _is_sound(self, info: ValidationInfo) -> Self:
        said = [incomplete(self.selector, known_kpis(info), chooses=True)]
        if self.due is not None and self.due_after is not None:
            said.append("`due` and `due_after` are both there: write one of them")
        if self.due is None and self.due_after is None and "windows_in_a_row" not in self.model_fields_set:
            said.append("a goal needs `due`, `due_after` or `windows_in_a_row`: without any of them it is a [[target]]")
        if wrong := [((), message) for message in said if message]:
            raise Several(wrong)
        return self
