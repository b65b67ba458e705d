"""Who was active between two days, as rows of bits to be united: whole weeks, and the days at their edges (docs/adr/0039)."""

from typing import Final

_MONDAY: Final = "date '0001-01-01'"
"""The first day of the first year was one."""


def active_rows(first: str, last: str, feature: str) -> str:
    """`chunk, bits` of one feature, or `any(…)` of several, between two days, expressions over what stands before a lateral join.

    With `{read}` in the place of the conditions on tenant, population and chunks. Only weeks that lie between the days as a whole
    are read as such, so nothing that happened before or after them counts; 28 days are ten rows of a chunk at the most.
    """
    begins = f"{first} + (7 - ({first} - {_MONDAY}) % 7) % 7"
    ends = f"{last} + 1 - ({last} + 1 - {_MONDAY}) % 7"
    read = f"where {{read}} and feature = {feature}"
    return (
        f"select chunk, bits from activity_week {read} and week >= {begins} and week < {ends}\n"
        f"  union all\n"
        f"  select chunk, bits from activity_day {read} and day between {first} and least({begins} - 1, {last})\n"
        f"  union all\n"
        f"  select chunk, bits from activity_day {read} and day between greatest({begins}, {ends}) and {last}"
    )
