"""First uses and activity by period, laid side by side: of some users at a time, all sets that cohorts are made of."""

from dataclasses import dataclass
from typing import Final

from service.catalog.cut_last import CutLast
from service.catalog.sets import FIRST_USES, up_to
from service.catalog.weeks import active_rows
from service.store.reached import DAY, MONTH

_MONDAY: Final = "date '0001-01-01'"
"""Periods are numbered from it on: the first day of a year, of a month and of a week."""
_ARRAYS: Final = (
    "array_agg(at) as at, array_agg(bits) as bits,\n"
    "    sum(bit_count(bits)::int) filter (where at >= 0) = bit_count(bit_or(bits) filter (where at >= 0)) as is_apart"
)
"""Sets, and whether nobody is in two of those of first uses."""
_LAID: Final = "d.at, d.bits, d.is_apart"


def number_of(day: str, unit: str) -> str:
    """The number of the day, week or month that a day lies in."""
    month = f"12 * extract(year from {day})::int + extract(month from {day})::int - 13"
    return f"case {unit} when 'day' then {day} - {_MONDAY} when 'week' then ({day} - {_MONDAY}) / 7 else {month} end"


def start_of(number: str, unit: str) -> str:
    """The first day of a numbered period."""
    month = f"({_MONDAY} + ({number}) * interval '1 month')::date"
    return f"case {unit} when 'day' then {_MONDAY} + ({number}) when 'week' then {_MONDAY} + 7 * ({number}) else {month} end"


@dataclass(frozen=True, slots=True)
class Lanes(CutLast):
    """The sets of `cohort_lanes`: who used something for the first time in a period, and who was active in one.

    `at` says which set a row belongs to: the number of the period of first uses, or below 0, -1 less the number of the period of
    activity, so that both kinds make one array. First uses before all cohorts stand just before them.
    """

    @property
    def keys(self) -> list[str]:
        """What tells rows apart, beside their piece of the bits."""
        return ["tenant", "win", "unit", "at", *self._accounts.shown]

    @property
    def lane(self) -> list[str]:
        """What a row of all sets of some users is told apart by."""
        return [*self.whose_before_traits[:-1], "unit", "part"]

    def laid(self) -> list[tuple[str, str]]:
        """Named parts, the last of which is `laid`: `lane, first, last, low, ages[, chosen], at, bits, is_apart`."""
        parts = self.before_masks()
        if self.is_masked:
            return [*parts, ("laid", f"{self._as_read()}\n  union all\n  {self._united('shared')}")]
        if self.expands:
            return [*parts, ("laid", self._united(parts[-1][0]))]
        return [*(part for part in parts if part[0] in self.parts_of_seats - {"seen"}), ("laid", self._as_read())]

    @property
    def _known(self) -> str:
        """What cells are made by, of the lane `w`."""
        chosen = ", w.chosen" if "cohort" in self.asked.filtered else ""
        return f"w.first, w.last, w.low, w.ages{chosen}"

    def _as_read(self) -> str:
        shown = {name: f"null::text as {name}" for name in self._accounts.shown} if self.is_masked else {}
        kept = ", ".join(shown.get(name, f"{'d' if name == 'part' else 'w'}.{name}") for name in self.lane)
        return (
            f"select {kept}, {self._known}, {_LAID} from cohort_lanes w{self.reading()[1]}\n  cross join lateral (\n"
            f"    select part, {_ARRAYS} from (\n  {self._rows()}\n    ) r group by part\n  ) d"
        )

    def _united(self, source: str) -> str:
        whose = ", ".join(self.lane)
        kept = ", ".join(f"d.{name}" for name in self.lane)
        return (
            f"select {kept}, {self._known}, {_LAID} from (\n    select {whose}, {_ARRAYS} from {source} group by {whose}\n"
            "  ) d join cohort_lanes w on w.tenant = d.tenant and w.win = d.win and w.unit = d.unit"
        )

    def _seen(self) -> str:
        """Fenced (`offset 0`): read once, it would be put into loops over whatever it is joined with, and be read for each."""
        sets = f"cross join lateral (\n  {self._rows()}\n) a offset 0"
        return f"select w.tenant, w.win, w.unit, a.*\nfrom cohort_lanes w{self.reading()[1]}\n{sets}"

    def _rows(self) -> str:
        """Days as they are, for they are most of all rows; weeks and months of first uses are united, and months of activity."""
        read, _ = self.reading()
        low, after, first, after_last = (
            start_of(number, "w.unit") for number in ("w.low", "w.high + 1", "w.first", "w.last + 1")
        )
        told, active = f"from reached where {read} and what = {FIRST_USES}", f"where {read} and feature = 0"
        born = f"since >= {low} and since < {after}"
        births = f"{told} and span = '{DAY}' and {born}"
        before = up_to(FIRST_USES, f"({low} - 1)").body.replace("{read}", read)
        month = active_rows(f"({start_of('p', 'w.unit')})", f"({start_of('p + 1', 'w.unit')} - 1)", "0").replace("{read}", read)
        month_of_birth = number_of("since", "'month'")
        bodies = (
            f"select w.low - 1 as at, chunk as part, bit_or(bits) as bits from (\n  {before}\n  ) r group by chunk",
            f"select since - {_MONDAY}, chunk, bits {births} and w.unit = 'day'",
            f"select (since - {_MONDAY}) / 7, chunk, bit_or(bits) {births} and w.unit = 'week' group by 1, 2",
            f"select {month_of_birth}, chunk, bits {told} and span = '{MONTH}' and {born} and w.unit = 'month'",
            f"select -1 - (day - {_MONDAY}), chunk, bits from activity_day {active} and w.unit = 'day'\n"
            f"    and day >= {first} and day < {after_last}",
            f"select -1 - (week - {_MONDAY}) / 7, chunk, bits from activity_week {active} and w.unit = 'week'\n"
            f"    and week >= {first} and week < {after_last}",
            f"select -1 - p, chunk, bit_or(bits) from unnest(w.months) p cross join lateral (\n  {month}\n  ) r group by 1, 2",
        )
        return "\n  union all\n  ".join(bodies)
