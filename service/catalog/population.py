"""Reading active users as bits: of what is asked for, by day or once a window, each user once.

Users are bits by ordinal, seats (a user in an account) bits by theirs, each account in blocks of 64 of its own
(docs/adr/0005). Without an account the users are read; with one the seats, and an account's users are the
bits of its blocks. Where several accounts are taken together, seats are read under the accounts' masks (masks.py); where a
user's trait meets an account, active seats are turned into users first. So a user with several seats counts once.
"""

from dataclasses import dataclass
from typing import Final

from service.catalog.accounts import Accounts, plain_name
from service.catalog.asked import Asked
from service.catalog.looked_up import asked_features, blocks, trait
from service.catalog.masks import BLOCK, BLOCKS_A_CHUNK, CHUNK, GROUP_MASKS, GROUP_SHARING, NOBODY, Masks
from service.catalog.planes import in_piece, planes
from service.catalog.weeks import active_rows

WINS: Final = "wins"
"""The windows of a question; where others are read, their masks are made beside them."""


@dataclass(frozen=True, slots=True)
class Population:
    """How active users are read: of what is asked for, or whatever the feature; by day, or once a window."""

    asked: Asked
    daily: bool = False
    any_feature: bool = False
    as_users: bool = False
    """Bits are those of users (chunks of user ordinals), though accounts are asked for."""
    wins: str = WINS

    @property
    def with_feature(self) -> bool:
        """Whether features are told apart."""
        return not self.any_feature and self.asked.names("feature")

    @property
    def with_account(self) -> bool:
        """Whether seats are read."""
        return self.asked.of_accounts

    @property
    def expands(self) -> bool:
        """Whether seats have to become users."""
        return self.with_account and (self.as_users or bool(self.asked.traits) or "account" not in self.asked.by)

    @property
    def keys(self) -> list[str]:
        """What a row is told apart by, beside its piece of the bits."""
        day = ["day"] if self.daily else []
        label = ["label"] if self.with_feature else []
        return ["tenant", "win", *day, *label, *self._accounts.shown]

    def columns(self) -> dict[str, str]:
        """The column of each dimension."""
        columns = {name: f"value_{number}" for number, name in enumerate(self.asked.traits)}
        columns |= {name: plain_name(self.asked, name) for name in ("account", *self.asked.groups)}
        return columns | ({"feature": "label"} if self.with_feature else {})

    @property
    def _accounts(self) -> Accounts:
        """The account of a block of seats, and what groups it."""
        return Accounts(self.asked, "b.account")

    def _parts(self) -> list[tuple[str, str]]:
        """Named parts, the last of which has all."""
        parts = self.before_traits()
        for number, name in enumerate(self.asked.traits):
            last = parts[-1][0]
            parts += [(f"trait_{number}", trait(self.asked, name)), (f"having_{number}", self._having(number, name, last))]
        return parts

    def before_traits(self) -> list[tuple[str, str]]:
        """Named parts, the last of which has all users, whatever their traits."""
        parts = [("asked_features", asked_features(self.asked))] if self.with_feature else []
        if self.with_account:
            parts.append(("blocks", blocks(self.asked)))
        parts.append(("seen", self._seen()))
        if self.is_masked:
            parts += Masks(self.asked, [key for key in self.keys if key not in self._accounts.shown], self.wins).parts()
        elif self.with_account:
            parts.append(("held", self._held()))
            if self.expands:
                parts.append(("persons", self._persons()))
        return parts

    def sql(self) -> str:
        """The bits, as one statement: the keys, the values of traits as `value_N`, `part` and `bits`."""
        *parts, (_, last) = self._parts()
        if not parts:
            return last
        return "with " + ",\n".join(f"{name} as (\n{body}\n)" for name, body in parts) + "\n" + last

    @property
    def is_masked(self) -> bool:
        """Whether seats may be cut by groups of accounts last of all; whoever has several is a user, whose part is below 0."""
        return self.expands and not self.as_users and not self.asked.traits

    def _seen(self) -> str:
        label = "f.label, " if self.with_feature else ""
        return f"select w.tenant, w.win, {label}a.*\n{self._read_for()}\ncross join lateral (\n  {self._read()}\n) a"

    def _read_for(self) -> str:
        """What bits are read for: windows `w`, features `f` where they are told apart, and the chunks `c` of chosen accounts."""
        joins = " join asked_features f on f.tenant = w.tenant" if self.with_feature else ""
        if "account" in self.asked.filtered:
            joins += (
                " join (select tenant, array_agg(distinct part) as chunks from blocks group by tenant) c on c.tenant = w.tenant"
            )
        return f"from {self.wins} w{joins}"

    def _read(self) -> str:
        """The bits of a window and feature: `[day, ]part, bits`."""
        feature = "any(f.features)" if self.with_feature else "0"
        chunks = " and chunk = any(c.chunks)" if "account" in self.asked.filtered else ""
        read = f"tenant = w.tenant and population = '{'seat' if self.with_account else 'user'}'{chunks}"
        days = f"from activity_day\n  where {read} and feature = {feature} and day between w.first_day and w.last_day"
        if self._is_row_by_row:
            # Fenced, as an aggregate is by itself: so the table is never read but by its key.
            return f"select day, chunk as part, bits {days} offset 0"
        if self.daily:
            return f"select day, chunk as part, bit_or(bits) as bits {days} group by day, chunk"
        rows = active_rows("w.first_day", "w.last_day", feature).replace("{read}", read)
        return f"select chunk as part, bit_or(bits) as bits from (\n  {rows}\n  ) r group by chunk"

    def under_masks(self) -> str:
        """How many users of each group of accounts a window and feature have: the keys and `n`, as one statement.

        They are counted where they are read, one window and feature after the other: what `sql` gives are bits of all at once,
        more than fit into memory.
        """
        keys = [key for key in self.keys if key not in ("tenant", "win", "label", *self._accounts.shown)]
        masks = Masks(self.asked, keys, self.wins)
        parts = dict(self.before_traits())
        del parts["seen"], parts["taken"]
        names = "masks", "sharing"
        if self.wins == WINS:
            names = GROUP_MASKS, GROUP_SHARING
            del parts["masks"], parts["sharing"]
            if "account" not in self.asked.filtered:
                del parts["blocks"]
        with_parts = "with " + ",\n".join(f"{name} as (\n{body}\n)" for name, body in parts.items()) + "\n" if parts else ""
        label = "f.label, " if self.with_feature else ""
        return (
            f"{with_parts}select w.tenant, w.win, {label}k.*\n{self._read_for()}{masks.of_windows(names[0])}\n"
            f"cross join lateral (\nwith seen as materialized (\n  {self._read()}\n)\n{masks.counted(names[1])}\n) k"
        )

    def standing_masks(self) -> tuple[str, str]:
        """The bodies of `GROUP_MASKS` and `GROUP_SHARING`; "" where nothing is counted under masks."""
        if not self.is_masked:
            return "", ""
        first = f"with blocks as (\n{blocks(self.asked)}\n)"
        sharing = Masks(self.asked, [], self.wins).standing()[1]
        return (
            f"{first}, sharing as (\nselect * from {GROUP_SHARING}\n), standing as (\n"
            f"{Masks(self.asked, [], self.wins).standing()[0]}\n)\nselect * from standing",
            f"{first}\n{sharing}",
        )

    @property
    def is_kept_by_day(self) -> bool:
        """Whether nothing but the users of whole days is asked for, of each feature by itself: numbers that flushes keep."""
        several = self.with_feature and "feature" in self.asked.filtered
        return self.daily and not (self.with_account or self.asked.traits or several)

    def kept_by_day(self) -> str:
        """`tenant, win, day[, label], n`: the numbers of users by day as they are kept."""
        label, joins, feature = "", "", "0"
        if self.with_feature:
            label, feature = "f.label, ", "f.features[1]"
            joins = f" join (\n{asked_features(self.asked)}\n) f on f.tenant = w.tenant"
        return (
            f"select w.tenant, w.win, {label}a.day, a.n\nfrom {self.wins} w{joins}\ncross join lateral (\n"
            f"  select day, n from active_count\n"
            f"  where tenant = w.tenant and feature = {feature} and day between w.first_day and w.last_day offset 0\n) a"
        )

    @property
    def _is_row_by_row(self) -> bool:
        """A day's bits of one feature are rows as they are: nothing has to be united."""
        return self.daily and not (self.with_feature and "feature" in self.asked.filtered)

    def _held(self) -> str:
        accounts = self._accounts
        keys = [f"s.{key}" for key in self.keys if key not in accounts.shown]
        keys += [f"{column} as {name}" for name, column in accounts.shown.items()]
        conditions = "".join(f" and {condition}" for condition in accounts.conditions())
        return (
            f"select {', '.join(keys)}, b.block as part,"
            f" substring(s.bits from b.block % {BLOCKS_A_CHUNK} * {BLOCK} + 1 for {BLOCK}) as bits\n"
            f"from seen s{accounts.join('s')}\njoin blocks b on b.tenant = s.tenant and b.part = s.part{conditions}"
        )

    def seats_added_up(self, weekday: str = "") -> str:
        """Active seats of days by account: a chunk's days are added up as sets, then cut into blocks.

        Of the days of `counted_days`; or, where an expression says what their `weekday` is, of all days, under that.
        Days times blocks are many rows to sort, and many pieces to count: so they are never made. What a block has is counted
        before it is sorted (`offset 0`), once.
        """
        accounts = self._accounts
        added = ["weekday"] if weekday else []
        keys = [key for key in self.keys if key != "day" and key not in accounts.shown]
        shown = [*(f"d.{key}" for key in (*keys, *added)), *(f"{column} as {name}" for name, column in accounts.shown.items())]
        parts = "".join(f"{name} as (\n{body}\n), " for name, body in self._parts() if name != "held")
        conditions = "".join(f" and {condition}" for condition in accounts.conditions())
        columns = self.columns()
        split = ", ".join(["tenant", "win", *added, *(columns[name] for name in self.asked.by if name in columns)])
        shown_weekday = f", {weekday} as weekday" if weekday else ""
        counted_only = (
            " join (\n    select tenant, win, array_agg(day) as days from counted_days group by tenant, win\n"
            "  ) c using (tenant, win) where day = any(c.days)"
            if not weekday
            else ""
        )
        return (
            f"with {parts}days_of as (\n"
            f"  select {', '.join(keys)}, part{shown_weekday}, array_agg(bits) as bits from seen{counted_only}\n"
            f"  group by {', '.join([*keys, 'part', *added])}\n"
            f"), summed as materialized (\n{planes('days_of', [*keys, 'part', *added], NOBODY)}\n)\n"
            f"select tenant, win, {''.join(f'{name}, ' for name in added)}{self.asked.dims(columns)} as dims, n from (\n"
            f"  select {split}, sum(n) as n from (\n"
            f"    select {', '.join(shown)}, {in_piece('d', f'b.block % {BLOCKS_A_CHUNK} * {BLOCK} + 1 for {BLOCK}')} as n\n"
            f"    from summed d{accounts.join('d')}\n    join blocks b on b.tenant = d.tenant and b.part = d.part{conditions}\n"
            f"    offset 0\n  ) c group by {split}\n) a where n > 0"
        )

    def _persons(self) -> str:
        keys = ", ".join(f"h.{key}" for key in self.keys)
        first = f"h.part * {BLOCK}"
        return (
            f"select {keys}, t.user_ordinal / {CHUNK} as part,"
            f" bit_or(set_bit({NOBODY}, t.user_ordinal % {CHUNK}, 1)) as bits\n"
            f"from held h join seat t on t.tenant = h.tenant and t.ordinal between {first} and {first} + {BLOCK - 1}\n"
            # The case keeps a place outside of the block from being looked up, whichever way the rows are joined.
            f"  and case when t.ordinal between {first} and {first} + {BLOCK - 1}"
            f" then get_bit(h.bits, t.ordinal - {first}) = 1 else false end\n"
            f"group by {keys}, t.user_ordinal / {CHUNK}"
        )

    def _having(self, number: int, name: str, before: str) -> str:
        keys = ", ".join(f"p.{key}" for key in [*self.keys, *(f"value_{n}" for n in range(number))])
        allowed = f"\nwhere coalesce(g.value, '') = any({self.asked.values(name)})" if name in self.asked.filtered else ""
        return (
            f"select {keys}, coalesce(g.value, '') as value_{number}, p.part, p.bits & coalesce(g.bits, ~{NOBODY}) as bits\n"
            f"from {before} p left join trait_{number} g on g.tenant = p.tenant and g.part = p.part{allowed}"
        )


def counted(population: Population) -> str:
    """How many users, by the dimensions asked for: `tenant, win[, day], dims, n`; what has none is left out."""
    asked = population.asked
    columns = population.columns()
    if population.is_kept_by_day:
        return f"select tenant, win, day, {asked.dims(columns)} as dims, n from (\n{population.kept_by_day()}\n) c where n > 0"
    shown = [columns[name] for name in asked.by if name in columns]
    keys = ", ".join(["tenant", "win", *(["day"] if population.daily else []), *shown])
    day = "day, " if population.daily else ""
    if population.is_masked:
        rows = f"select {keys}, n from (\n{population.under_masks()}\n) b"
    else:
        # Counted before they are sorted: of a split by features and accounts the bits are more than fit into memory.
        rows = f"select {keys}, bit_count(bits) as n from (\n{population.sql()}\n) b offset 0"
    return (
        f"select tenant, win, {day}{asked.dims(columns)} as dims, n from (\n"
        f"  select {keys}, sum(n) as n from (\n    {rows}\n  ) d group by {keys}\n) c where n > 0"
    )


def added_up(population: Population) -> str:
    """`tenant, win, dims, n`: how many users each day of `counted_days` had, added up, by the dimensions asked for."""
    if population.with_account and not population.expands:
        return population.seats_added_up()
    return (
        "select tenant, win, dims, sum(n) as n from (\n"
        f"{counted(population)}\n) a join counted_days using (tenant, win, day) group by tenant, win, dims"
    )


def added_up_by_weekday(population: Population) -> str:
    """`tenant, win, weekday, dims, n`: how many users each day had, added up: by weekday, or under 0 where that is not asked."""
    weekday = "extract(isodow from day)::int" if population.asked.names("weekday") else "0"
    if population.with_account and not population.expands:
        return population.seats_added_up(weekday)
    return f"select tenant, win, {weekday} as weekday, dims, sum(n) as n from (\n{counted(population)}\n) a group by 1, 2, 3, 4"
