"""Sets that are made before they are cut: traits and groups of accounts tell apart what is left of them, not each of them."""

from collections.abc import Collection
from dataclasses import dataclass

from service.catalog.looked_up import trait
from service.catalog.masks import CHUNK, NOBODY
from service.catalog.sets import Sets


@dataclass(frozen=True, slots=True)
class CutLast(Sets):
    """Sets of users of which something is made by chunk, and then cut by what a question splits and filters by.

    Seats are masked by groups of accounts (masks.py) last, too; users who have several are put together from the start.
    """

    @property
    def is_plain(self) -> bool:
        """Whether users are counted as they are read: neither traits nor accounts are asked for."""
        return not (self.with_account or self.asked.traits)

    def before_masks(self) -> list[tuple[str, str]]:
        """The parts before traits; where seats are cut last, `seen`, `masks` and `shared`: users of several, by their groups."""
        parts = self.before_traits()
        return [*(part for part in parts if part[0] != "taken"), ("shared", self._shared())] if self.is_masked else parts

    def _shared(self) -> str:
        """Seats of users who have several, as users, by what groups their accounts."""
        accounts = self._accounts
        kept = ", ".join(f"s.{key}" for key in self.keys if key not in accounts.shown)
        shown = "".join(f", {column} as {name}" for name, column in accounts.shown.items())
        conditions = "".join(f" and {condition}" for condition in accounts.conditions())
        places = ", ".join(str(place) for place in range(1, 2 + len(self.keys)))
        return (
            f"select {kept}{shown}, -1 - b.user_ordinal / {CHUNK} as part,"
            f" bit_or(set_bit({NOBODY}, b.user_ordinal % {CHUNK}, 1)) as bits\n"
            f"from seen s{accounts.join('s')}\njoin sharing b on b.tenant = s.tenant and b.part = s.part"
            f" and get_bit(s.bits, b.ordinal % {CHUNK}) = 1{conditions}\ngroup by {places}"
        )

    def rows(self) -> tuple[list[tuple[str, str]], str]:
        """Named parts, and the rows of all sets (`keys`, `part`, `bits`), as they are before they are cut.

        Of seats that are cut last, each set's stand there without a group, beside the users of several with theirs.
        """
        parts = self.before_masks()
        if self.is_of_seats:
            return [part for part in parts if part[0] in self.parts_of_seats], "seen"
        if not self.is_masked:
            return parts, parts[-1][0]
        columns = ", ".join([*self.keys, "part", "bits"])
        groups = self._accounts.shown
        blank = ", ".join(f"null::text as {name}" if name in groups else name for name in [*self.keys, "part", "bits"])
        read = f"select {blank} from (\n{self._seen()}\n) s"
        return parts, f"(\n{read}\nunion all\nselect {columns} from shared\n)"

    def told_apart(self, made: str, counts: Collection[str], by: Collection[str] = ()) -> str:
        """How many users of each row of `made` (`whose_before_traits`, `by` and a column of bits a count) are of which split.

        Rows are counted before they are sorted by whoever adds them up (`offset 0`).
        """
        return self._under_masks(made, counts, by) if self.is_masked else self._under_traits(made, counts, by)

    def _under_masks(self, made: str, counts: Collection[str], by: Collection[str]) -> str:
        kept = ", ".join(f"m.{name}" for name in ("tenant", "win", *by))
        groups = "".join(f", coalesce(k.{name}, m.{name}) as {name}" for name in self.shown)
        numbers = ", ".join(f"bit_count(m.{name} & coalesce(k.bits, ~{NOBODY}))::int as {name}" for name in counts)
        return (
            f"select {kept}{groups}, {numbers} from {made} m\n"
            "left join masks k on k.tenant = m.tenant and k.win = m.win and k.part = m.part\n"
            "where m.part < 0 or k.part is not null offset 0"
        )

    def _under_traits(self, made: str, counts: Collection[str], by: Collection[str]) -> str:
        traits = range(len(self.asked.traits))
        columns = [f"m.{name}" for name in (*self.whose_before_traits[:-1], *by)]
        columns += [f"coalesce(t{number}.value, '') as value_{number}" for number in traits]
        masks = "".join(f" & coalesce(t{number}.bits, ~{NOBODY})" for number in traits)
        joins = "".join(
            f"\nleft join (\n{trait(self.asked, name)}\n) t{number} on t{number}.tenant = m.tenant and t{number}.part = m.part"
            for number, name in enumerate(self.asked.traits)
        )
        conditions = [
            f"coalesce(t{number}.value, '') = any({self.asked.values(name)})"
            for number, name in enumerate(self.asked.traits)
            if name in self.asked.filtered
        ]
        where = f"\nwhere {' and '.join(conditions)}" if conditions else ""
        numbers = ", ".join(f"bit_count(m.{name}{masks})::int as {name}" for name in counts)
        return f"select {', '.join(columns)}, {numbers}\nfrom {made} m{joins}{where} offset 0"
