"""Splits and filters by account, by account trait and by band, for any rows that have an account.

`Accounts(asked, "c.account")` gives a relation its `join` (to `account_groups`, which is then made by itself), the `columns`
of `account`, `account.NAME` and `band.NAME` for `Asked.dims`, and the `conditions` that rows must meet. Where none of these
dimensions is asked for, all three are empty, so a relation that always writes them down takes every one of them.
"""

from dataclasses import dataclass
from typing import Final

from service.catalog.asked import Asked

GROUPS: Final = "account_groups"
_ALIAS: Final = "grouped"
OF_BLOCKS: Final = "b.account"
"""The account of a block of seats: where accounts are filtered by, no other's are read (`blocks`), so none is looked at again."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """The account of a row, an expression of SQL ("" where it names none), and what a question asks of it."""

    asked: Asked
    account: str

    def join(self, of: str) -> str:
        """Joins what is known of accounts at the end of each window; `of` is an alias that has `tenant` and `win`."""
        if not self.asked.groups:
            return ""
        return f"\njoin {GROUPS} {_ALIAS} on {_ALIAS}.tenant = {of}.tenant and {_ALIAS}.win = {of}.win"

    @property
    def columns(self) -> dict[str, str]:
        """Each dimension's value, "" where the account has none."""
        return {"account": self.account} | self.values

    @property
    def values(self) -> dict[str, str]:
        """The values of traits and bands alone."""
        return {name: f"coalesce({_ALIAS}.{column_of(self.asked, name)} ->> {self.account}, '')" for name in self.asked.groups}

    @property
    def shown(self) -> dict[str, str]:
        """The columns that it is split by, by the names under which a relation passes them on: `account`, `group_0` and so on."""
        return {plain_name(self.asked, name): column for name, column in self.columns.items() if name in self.asked.by}

    def conditions(self, *, platform_wide: bool = False) -> list[str]:
        """What a row must meet: the filters; and to name an account where it is split by accounts, or by what groups them.

        `platform_wide`: for chosen accounts, not split by them, what names no account counts too.
        """
        none = f" or {self.account} = ''" if platform_wide and not self.asked.by_accounts else ""
        met = [
            f"({column} = any({self.asked.values(name)}){none})"
            for name, column in self.columns.items()
            if name in self.asked.filtered and not (name == "account" and (self.asked.slice or self.account == OF_BLOCKS))
        ]
        met += in_slice(self.asked.slice, self.account) if self.account != OF_BLOCKS else []
        is_named = self.asked.by_accounts or (self.asked.groups and not none)
        return [*met, f"{self.account} <> ''"] if is_named else met


def in_slice(ends: frozenset[str], account: str) -> list[str]:
    """Conditions on an account's name, by the ends that a slice of accounts has.

    They are cheap however many accounts it has: an array of names is searched from its beginning for every row.
    """
    told = {":from": f"{account} >= :slice_from", ":below": f"{account} < :slice_below"}
    return [condition for end, condition in told.items() if end in ends]


def column_of(asked: Asked, dimension: str) -> str:
    """The column of `account_groups` that holds a trait or a band."""
    return f"v{asked.groups.index(dimension)}"


def plain_name(asked: Asked, dimension: str) -> str:
    """What a relation calls the column of a dimension of accounts."""
    return "account" if dimension == "account" else f"group_{asked.groups.index(dimension)}"
