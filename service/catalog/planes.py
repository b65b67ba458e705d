"""Adding up bits of many days at once: sets of 15 days become four, whose members count 1, 2, 4 and 8 days.

Full adders over whole sets, as in carry-save addition (Warren, *Hacker's Delight*, 5-1, "Counting bits in an array"): pieces of
four sets are counted then, in place of pieces of fifteen.
"""

from collections.abc import Iterable
from itertools import count
from typing import Final

DAYS: Final = 15
PLANES: Final = ("ones", "twos", "fours", "eights")

Sum = tuple[str, str]


def planes(source: str, keys: Iterable[str], none: str) -> str:
    """`keys, ones, twos, fours, eights`, a row for each 15 days of `source(keys, bits)`, arrays of sets; `none`: an empty set."""
    days = ", ".join(f"coalesce(d.bits[{DAYS} * g + {day + 1}], {none}) as day_{day}" for day in range(DAYS))
    kept = ", ".join(f"d.{key}" for key in keys)
    steps, names = _steps([f"day_{day}" for day in range(DAYS)])
    joins = "".join(
        f"\ncross join lateral (select {', '.join(f'{what} as {name}' for name, what in step)} offset 0) step_{place}"
        for place, step in enumerate(steps)
    )
    shown = ", ".join(f"{name} as {plane}" for name, plane in zip(names, PLANES, strict=True))
    return (
        f"select {kept}, {shown}\nfrom {source} d\ncross join lateral (\n"
        f"  select {days} from generate_series(0, (cardinality(d.bits) - 1) / {DAYS}) g offset 0\n) days{joins}"
    )


def in_piece(rows: str, place: str) -> str:
    """How many bits of the days of a row of planes are set in a piece of them, such as `17 for 16`."""
    return " + ".join(f"{1 << plane} * bit_count(substring({rows}.{name} from {place}))" for plane, name in enumerate(PLANES))


def _steps(days: list[str]) -> tuple[list[list[Sum]], list[str]]:
    """Adders, each of what those before it gave, as (name, expression); and the names of what is left, one of each weight."""
    numbers = count()
    steps: list[list[Sum]] = []
    left: list[str] = []
    ready = dict.fromkeys(days, 0)
    column = days
    while column:
        carried: list[str] = []
        while len(column) > 1:
            one, two, three, *column = sorted(column, key=ready.__getitem__)
            number, step = next(numbers), max(ready[name] for name in (one, two, three))
            total, carry = f"sum_{number}", f"carry_{number}"
            while len(steps) <= step:
                steps.append([])
            steps[step] += [(total, f"{one} # {two} # {three}"), (carry, f"({one} & {two}) | ({three} & ({one} # {two}))")]
            ready[total] = ready[carry] = step + 1
            column.append(total)
            carried.append(carry)
        left += column
        column = carried
    return steps, left
