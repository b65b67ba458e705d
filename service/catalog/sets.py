"""Several sets of users at once, as bits: who used something, who had reached what; and how many are in which of them.

Sets are read like active users (population.py): by users, or by seats where accounts are asked for. They are told apart
by `label` (and by `day`, where a set is one of many of its kind), become users where they have to, and are joined,
cut and counted last, so that a user with several seats is one user in every set.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from service.catalog.accounts import Accounts
from service.catalog.asked import Asked
from service.catalog.masks import BLOCK, BLOCKS_A_CHUNK
from service.catalog.population import Population
from service.catalog.weeks import active_rows
from service.store.reached import DAY, FIRST_USE, GIVEN_STATUS, MONTH

FIRST_USES: Final = str(FIRST_USE)
STATUSES: Final = str(GIVEN_STATUS)


@dataclass(frozen=True, slots=True)
class Source:
    """One set of each window `w`, or a set a day: statements that give `chunk, bits`, and how it is told apart."""

    body: str
    """With `{read}` in the place of the conditions on tenant, population and chunks."""
    day: str = ""
    """An expression over the body that tells sets of its kind apart, a date; "": there is one."""
    label: str = ""
    """An expression over `w` in place of the set's name."""
    wins: str = ""
    """What it is read for, in place of the other sets' windows."""


def active(first: str, last: str) -> Source:
    """Who was active between two days, expressions over `w`, both included."""
    return Source(active_rows(first, last, "0"))


def up_to(what: str, day: str) -> Source:
    """Who had reached something, or used anything, by the end of a day: whole months, and the days of one that goes on.

    A month of which nothing is told behind that day, as of the newest one, is read as a whole, too: it is one row a chunk.
    """
    month = f"date_trunc('month', ({day} + 1)::timestamp)::date"
    told = f"from reached where {{read}} and what = {what}"
    goes_on = f"exists (select {told} and span = '{DAY}' and since > {day} and since < {month} + interval '1 month')"
    return Source(
        f"select chunk, bits {told} and span = '{MONTH}'"
        f" and since < case when {goes_on} then {month} else ({month} + interval '1 month')::date end\n"
        f"  union all\n  select chunk, bits {told} and span = '{DAY}'"
        f" and since between {month} and case when {goes_on} then {day} else {month} - 1 end"
    )


def ever(what: str) -> Source:
    """Who has reached something at all."""
    return Source(f"select chunk, bits from reached where {{read}} and what = {what} and span = '{MONTH}'")


def milestone(name: str) -> str:
    """What is reached with a milestone, of which `name` is an expression over `w`; nothing where nobody ever did."""
    return f"(select n.id from name n where n.tenant = w.tenant and n.kind = 'milestone' and n.name = {name})"


@dataclass(frozen=True, slots=True)
class Sets(Population):
    """Sets by name, all read for the same split and filters."""

    of: Mapping[str, Source] = field(default_factory=dict)

    @property
    def with_feature(self) -> bool:
        """Sets are of whatever feature: the others of a question are the caller's."""
        return False

    @property
    def keys(self) -> list[str]:
        """What tells rows apart: whose they are, the set and its day, and what is split by."""
        return ["tenant", "win", "label", "day", *self._accounts.shown]

    def _seen(self) -> str:
        return "\nunion all\n".join(self._one(label, source) for label, source in self.of.items())

    def _one(self, name: str, source: Source) -> str:
        read, joins = self.reading()
        label = source.label or f"'{name}'"
        day, shown = (f"{source.day} as day, ", "a.day") if source.day else ("", "null::date as day")
        return (
            f"select w.tenant, w.win, {label} as label, {shown}, a.part, a.bits\n"
            f"from {source.wins or self.wins} w{joins}\ncross join lateral (\n"
            f"  select {day}chunk as part, bit_or(bits) as bits from (\n  {source.body.replace('{read}', read)}\n  ) r\n"
            f"  group by {'1, 2' if day else '1'}\n) a"
        )

    def reading(self) -> tuple[str, str]:
        """The conditions on what is read for `w`, and what they join: the chunks of chosen accounts."""
        read = f"tenant = w.tenant and population = '{'seat' if self.with_account else 'user'}'"
        if "account" not in self.asked.filtered:
            return read, ""
        chunks = "select tenant, array_agg(distinct part) as chunks from blocks group by tenant"
        return f"{read} and chunk = any(c.chunks)", f" join ({chunks}) c on c.tenant = w.tenant"

    @property
    def shown(self) -> list[str]:
        """The columns of the split."""
        columns = self.columns()
        return [columns[name] for name in self.asked.by if name in columns]

    @property
    def whose(self) -> list[str]:
        """What each user stands by in every set: the window, what groups accounts, and the values of traits."""
        values = [f"value_{number}" for number in range(len(self.asked.traits))]
        return [*self.whose_before_traits[:-1], *values, "part"]

    @property
    def whose_before_traits(self) -> list[str]:
        """The same without traits; of seats by the chunk, before it is cut into accounts."""
        return ["tenant", "win", *([] if self.is_of_seats else self._accounts.shown), "part"]

    @property
    def is_of_seats(self) -> bool:
        """Whether each account's users are counted as the seats that they are, without becoming anything else."""
        return self.with_account and not self.expands

    def in_blocks(self, made: str, counts: Collection[str], by: Collection[str] = ()) -> str:
        """`tenant, win[, by], what is split by` and a column a count: bits of seats in `made(…, part, counts)`, by account.

        Sets are cut with each other before they are cut into accounts: once for all of a chunk's 32 blocks.
        """
        accounts = Accounts(self.asked, "c.account")
        kept = ["tenant", "win", *by]
        shown = "".join(f", {column} as {name}" for name, column in accounts.shown.items())
        place = f"c.block % {BLOCKS_A_CHUNK} * {BLOCK} + 1 for {BLOCK}"
        numbers = ", ".join(f"bit_count(substring(m.{name} from {place}))::int as {name}" for name in counts)
        conditions = " and ".join(accounts.conditions())
        keys = ", ".join([*kept, *accounts.shown])
        return (
            f"select {keys}, {', '.join(f'sum({name}) as {name}' for name in counts)} from (\n"
            f"  select {', '.join(f'm.{name}' for name in kept)}{shown}, {numbers}\n"
            f"  from {made} m{accounts.join('m')}\n"
            # Fenced twice: a chunk's blocks are looked up by their key, and what is sorted are numbers.
            f"  cross join lateral (\n    select account, block from seat_block where tenant = m.tenant\n"
            f"      and block between m.part * {BLOCKS_A_CHUNK} and m.part * {BLOCKS_A_CHUNK} + {BLOCKS_A_CHUNK - 1} offset 0\n"
            f"  ) c where {conditions} offset 0\n) s group by {keys}"
        )

    def chunks(self) -> str:
        """The parts that come before what is cut into accounts: which blocks there are, and `seen`, the sets by chunk."""
        return ",\n".join(f"{name} as (\n{body}\n)" for name, body in self._parts() if name in self.parts_of_seats)

    @property
    def parts_of_seats(self) -> set[str]:
        """Of the named parts those that seats are read by: blocks only where accounts are chosen."""
        return {"seen", "blocks"} if "account" in self.asked.filtered else {"seen"}


def counted_sets(asked: Asked, of: Mapping[str, Source], counts: Mapping[str, str], *, wins: str = "wins") -> str:
    """`tenant, win, dims` and a column a count: how many users are in what an expression over the sets' names makes."""
    sets = Sets(asked, of=of, wins=wins)
    shown = "".join(f", {column}" for column in sets.shown)
    columns = ",\n    ".join(
        # Bits of a set with itself taken away are none, as many as the others have.
        f"coalesce(bit_or(bits) filter (where label = '{name}'), bit_or(bits # bits)) as {name}"
        for name in of
    )
    wanted = f"where {' or '.join(f'{name} > 0' for name in counts)}"
    dims = asked.dims(sets.columns())
    if sets.is_of_seats:
        made = ", ".join(f"{expression} as {name}" for name, expression in counts.items())
        return (
            f"with {sets.chunks()}, made as materialized (\n"
            f"  select tenant, win, part, {made} from (\n"
            f"    select tenant, win, part,\n    {columns}\n    from seen group by tenant, win, part\n  ) s\n)\n"
            f"select tenant, win, {dims} as dims, {', '.join(counts)} from (\n{sets.in_blocks('made', counts)}\n) c {wanted}"
        )
    whose = ", ".join(sets.whose)
    numbers = ", ".join(f"sum(bit_count({expression})::int) as {name}" for name, expression in counts.items())
    return (
        f"select tenant, win, {dims} as dims, {', '.join(counts)} from (\n"
        f"  select tenant, win{shown}, {numbers} from (\n"
        f"    select {whose},\n    {columns}\n    from (\n{sets.sql()}\n) b group by {whose}\n"
        f"  ) s group by tenant, win{shown}\n) c {wanted}"
    )
