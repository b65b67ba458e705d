"""Users of several accounts taken together: a mask of seats for each group of accounts, and users with several seats once."""

from dataclasses import dataclass
from typing import Final

from service.catalog.accounts import Accounts
from service.catalog.asked import Asked

CHUNK = 2_048
"""Ordinals in a row of `activity_day`."""
BLOCK = 64
"""Seats in a block, all of one account."""
NOBODY = f"0::bit({CHUNK})"
BLOCKS_A_CHUNK = CHUNK // BLOCK
GROUP_MASKS: Final = "group_masks"
GROUP_SHARING: Final = "group_sharing"
"""Relations that a statement has once: the masks of its groups at its windows' ends, and seats of users who have several."""


@dataclass(frozen=True, slots=True)
class Masks:
    """Sets of active seats, cut by accounts and counted as users.

    Whoever has one seat alone is that seat: what is active of a group is the bits of a chunk under the group's mask. Only who
    has several seats, few as a rule (`shared_seat`), becomes a user. Both keep apart: the parts of users are below 0.
    """

    asked: Asked
    keys: list[str]
    """What rows of `seen` are told apart by, beside their part and what groups accounts."""
    wins: str

    @property
    def _accounts(self) -> Accounts:
        return Accounts(self.asked, "b.account")

    def standing(self) -> tuple[str, str]:
        """What is made once, whatever is counted under it: the bodies of `GROUP_MASKS` and `GROUP_SHARING`."""
        return self._masks(), self._sharing()

    def parts(self) -> list[tuple[str, str]]:
        """Named parts that stand on `blocks` and `seen`; the last has the keys, what groups accounts, `part` and `bits`."""
        return [("sharing", self._sharing()), ("masks", self._masks()), ("taken", self._taken())]

    def _sharing(self) -> str:
        """Seats of users who have several; of one account alone nobody has."""
        if "account" not in self.asked.filtered:
            # All of the tenant's at once; blocks are not asked one by one, for mostly nobody shares any.
            return (
                "select b.tenant, b.account, b.part, s.ordinal, s.user_ordinal\n"
                "from (select distinct tenant from wins) w\ncross join lateral (\n"
                f"  select tenant, ordinal, user_ordinal, ordinal / {BLOCK} as block from shared_seat\n"
                "  where tenant = w.tenant offset 0\n"
                ") s join blocks b on b.tenant = s.tenant and b.block = s.block"
            )
        several = "" if self.asked.groups else f"\nwhere cardinality({self.asked.values('account')}) > 1"
        return (
            "select b.tenant, b.account, b.part, t.* from blocks b\ncross join lateral (\n"
            "  select ordinal, user_ordinal from shared_seat\n"
            f"  where tenant = b.tenant and ordinal between b.block * {BLOCK} and b.block * {BLOCK} + {BLOCK - 1} offset 0\n"
            f") t{several}"
        )

    def _masks(self) -> str:
        """The seats of each group of accounts by chunk, less those of `sharing`.

        A chunk's blocks are the bits of a number, which is cheap to make; then 64 bits each, by way of its text. Made once,
        whatever is asked for under them: else a mask would be made of its text again for each set.
        """
        accounts = self._accounts
        shown = "".join(f", {column} as {name}" for name, column in accounts.shown.items())
        groups = "".join(f", g.{name}" for name in accounts.shown)
        places = "".join(f", {place + 4}" for place in range(len(accounts.shown)))
        conditions = "".join(f" and {condition}" for condition in accounts.conditions())
        digits = f"g.blocks::bit({BLOCKS_A_CHUNK})::text"
        for digit, block in (("0", "0"), ("1", "f")):
            digits = f"replace({digits}, '{digit}', '{block * (BLOCK // 4)}')"
        return (
            "with made as materialized (\n"
            f"select g.tenant, g.win, g.part{groups}, ('x' || {digits})::bit({CHUNK}) & ~coalesce(s.bits, {NOBODY}) as bits\n"
            f"from (\n  select w.tenant, w.win, b.part{shown},\n"
            f"    bit_or(1 << {BLOCKS_A_CHUNK - 1} - b.block % {BLOCKS_A_CHUNK}) as blocks\n"
            f"  from {self.wins} w{accounts.join('w')}\n  join blocks b on b.tenant = w.tenant{conditions}\n"
            f"  group by 1, 2, 3{places}\n) g\nleft join (\n"
            f"  select tenant, part, bit_or(set_bit({NOBODY}, ordinal % {CHUNK}, 1)) as bits from sharing group by tenant, part\n"
            ") s on s.tenant = g.tenant and s.part = g.part\n) select * from made"
        )

    def of_windows(self, masks: str) -> str:
        """Joins to windows `w` their `masks` as arrays `m`: each window looks at its own, however many others there are."""
        columns = ", ".join(f"array_agg({name}) as {name}" for name in self._of_masks)
        return (
            f" join (select tenant, win, {columns} from {masks} group by tenant, win) m on m.tenant = w.tenant and m.win = w.win"
        )

    @property
    def _of_masks(self) -> list[str]:
        return ["part", "bits", *self._accounts.shown]

    def counted(self, sharing: str) -> str:
        """The keys, what groups accounts and `n`: users of the rows of `seen`, which are all of one window `w`, under its masks.

        Users who have several seats become bits first, of one user whichever of the rows have them. What is joined is joined by
        `full join`, which is never a loop over loops: what finds no other side counts nobody.
        """
        accounts = self._accounts
        kept = "".join(f"s.{key}, " for key in self.keys)
        groups = "".join(f"g.{name}, " for name in accounts.shown)
        shown = "".join(f"{column} as {name}, " for name, column in accounts.shown.items())
        keys = "".join(f"{name}, " for name in (*self.keys, *accounts.shown))
        conditions = "".join(f" and {condition}" for condition in accounts.conditions())
        places = ", ".join(str(place) for place in range(1, 2 + len(self.keys) + len(accounts.shown)))
        grouped = "\n  join (select w.tenant, w.win) o on true" + accounts.join("o") if self.asked.groups else ""
        masks = ", ".join(f"m.{name}" for name in self._of_masks)
        days = "".join(f"b.{key}, " for key in self.keys)
        return (
            f"select {keys}sum(n) as n from (\n"
            f"  select {kept}{groups}bit_count(s.bits & g.bits) as n\n"
            f"  from seen s full join unnest({masks}) as g({', '.join(self._of_masks)}) on g.part = s.part\n"
            f"  union all\n  select {keys}bit_count(bits) from (\n"
            f"  select {days}{shown}b.user_ordinal / {CHUNK} as part,"
            f" bit_or(set_bit({NOBODY}, b.user_ordinal % {CHUNK}, 1)) as bits\n  from (\n"
            f"    select {kept}s.bits, h.account, h.ordinal, h.user_ordinal\n"
            f"    from seen s full join (select * from {sharing} where tenant = w.tenant) h on h.part = s.part offset 0\n"
            f"  ) b{grouped}\n  where get_bit(b.bits, b.ordinal % {CHUNK}) = 1{conditions}\n  group by {places}\n  ) u\n"
            f") n{f' group by {keys[:-2]}' if keys else ''}"
        )

    def _taken(self) -> str:
        accounts = self._accounts
        kept = ", ".join(f"s.{key}" for key in self.keys)
        groups = "".join(f", m.{name}" for name in accounts.shown)
        shown = "".join(f", {column} as {name}" for name, column in accounts.shown.items())
        conditions = "".join(f" and {condition}" for condition in accounts.conditions())
        places = ", ".join(str(place) for place in range(1, 2 + len(self.keys) + len(accounts.shown)))
        return (
            f"select {kept}{groups}, s.part, s.bits & m.bits as bits\n"
            "from seen s join masks m on m.tenant = s.tenant and m.win = s.win and m.part = s.part\n"
            "union all\n"
            f"select {kept}{shown}, -1 - b.user_ordinal / {CHUNK} as part,"
            f" bit_or(set_bit({NOBODY}, b.user_ordinal % {CHUNK}, 1)) as bits\n"
            f"from seen s{accounts.join('s')}\njoin sharing b on b.tenant = s.tenant and b.part = s.part"
            f" and get_bit(s.bits, b.ordinal % {CHUNK}) = 1{conditions}\ngroup by {places}"
        )
