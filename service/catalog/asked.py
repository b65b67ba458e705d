"""What a question is split and filtered by, as the relations that are made for it name it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_TRAIT, _BAND, _METER = "account.", "band.", "band.meter:"
BANDS: Final = ("band.mrr", "band.size", "band.tenure_months")
"""Beside these `band.meter:NAME`."""
SLICED: Final = frozenset({":from", ":below"})
"""Among the names of filters: accounts are looked at from one on, and below another (paging.py)."""


def is_of_account(dimension: str) -> bool:
    """Whether a dimension is a trait or a band of accounts: `account.NAME`, `band.NAME`."""
    prefixed = any(dimension.startswith(prefix) and len(dimension) > len(prefix) for prefix in (_TRAIT, _METER))
    return prefixed or dimension in BANDS


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question is split and filtered by, and how its parameters are called."""

    by: tuple[str, ...]
    filtered: tuple[str, ...]
    slice: frozenset[str] = field(default=frozenset(), kw_only=True)
    """Which ends a slice of accounts has, of `SLICED`; the filter by account then names them, and says no more than the ends."""

    @classmethod
    def of(cls, by: tuple[str, ...], filtered: frozenset[str]) -> "Asked":
        """Filters are numbered in the order of their names."""
        return cls(by, tuple(sorted(filtered - SLICED)), slice=filtered & SLICED)

    @property
    def more(self) -> tuple[str, ...]:
        """Conditions beside the filters, where each window has some of its own."""
        return ()

    @property
    def marks(self) -> tuple[str, ...]:
        """Columns of the windows that rows keep, where each window chooses for itself: `is_whole`, `is_chosen`."""
        return ()

    def names(self, dimension: str) -> bool:
        """Whether it is split or filtered by a dimension."""
        return dimension in self.by or dimension in self.filtered

    def values(self, dimension: str) -> str:
        """The values that a filter allows (text[])."""
        return f":filter_value_{self.filtered.index(dimension)}"

    @property
    def traits(self) -> list[str]:
        """The users' traits that are asked for, as `user.NAME`."""
        return sorted({name for name in (*self.by, *self.filtered) if name.startswith("user.")})

    @property
    def groups(self) -> list[str]:
        """The traits and bands of accounts that are asked for, as `account.NAME` and `band.NAME`."""
        return sorted({name for name in (*self.by, *self.filtered) if is_of_account(name)})

    @property
    def of_accounts(self) -> bool:
        """Whether accounts are told apart or chosen, by themselves, a trait or a band."""
        return self.names("account") or bool(self.groups)

    @property
    def by_accounts(self) -> bool:
        """Whether it is split by accounts, a trait of theirs or a band: what names no account is not shown."""
        return "account" in self.by or any(is_of_account(name) for name in self.by)

    def trait(self, dimension: str) -> str:
        """The name of a trait, without `user.` or what else stands before the point, as a parameter."""
        where = ("by_name", self.by) if dimension in self.by else ("filter_name", self.filtered)
        return f"substr(:{where[0]}_{where[1].index(dimension)}, {dimension.index('.') + 2})"

    def dims(self, columns: Mapping[str, str]) -> str:
        """The dimensions asked for as jsonb, each from its column; one that has none is left out."""
        pairs = [f":by_name_{number}, {columns[name]}" for number, name in enumerate(self.by) if name in columns]
        return f"jsonb_build_object({', '.join(pairs)})" if pairs else "'{}'::jsonb"
