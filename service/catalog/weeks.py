"""Who was active between two days, as rows of bits to be united: weeks, second halves of weeks, and days (docs/adr/0039)."""

from typing import Final

_MONDAY: Final = "date '0001-01-01'"
"""The first day of the first year was one."""


def active_rows(first: str, last: str, feature: str) -> str:
    """`chunk, bits` of one feature, or `any(…)` of several, between two days, expressions over what stands before a lateral join.

    With `{read}` in the place of the conditions on tenant, population and chunks. Nothing that happened before or after the days
    counts: a week, or its half from Thursday on, is read as such only where it lies between them as a whole, or goes beyond the
    last day, where nothing is told of yet. 28 days until today are seven rows of a chunk at the most; of the past, ten.
    """
    begins = f"{first} + (7 - ({first} - {_MONDAY}) % 7) % 7"
    ends = f"{last} + 1 - ({last} + 1 - {_MONDAY}) % 7"
    read = f"where {{read}} and feature = {feature}"
    goes_on = f"{begins} <= {ends} and not exists (select from activity_day {read} and day > {last} and day < {ends} + 7)"
    until = f"(case when {goes_on} then {ends} + 7 else {ends} end)"
    half = f"{begins} - 4"
    has_half = f"{first} <= {half} and {begins} - 1 <= {last}"
    return (
        f"select chunk, bits from activity_week {read} and week >= {begins} and week < {until}\n"
        f"  union all\n"
        f"  select chunk, bits from activity_half {read} and half = {half} and {has_half}\n"
        f"  union all\n"
        f"  select chunk, bits from activity_day {read} and day >= {first}\n"
        f"    and day < (case when {has_half} then {half} else least({begins}, {last} + 1) end)\n"
        f"  union all\n"
        f"  select chunk, bits from activity_day {read} and day between greatest({begins}, {until}) and {last}"
    )
