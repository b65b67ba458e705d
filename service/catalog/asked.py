"""What a question is split and filtered by, as the relations that are made for it name it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question is split and filtered by, and how its parameters are called."""

    by: tuple[str, ...]
    filtered: tuple[str, ...]

    @classmethod
    def of(cls, by: tuple[str, ...], filtered: frozenset[str]) -> "Asked":
        """Filters are numbered in the order of their names."""
        return cls(by, tuple(sorted(filtered)))

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

    def trait(self, dimension: str) -> str:
        """The name of a trait, without `user.`, as a parameter."""
        where = ("by_name", self.by) if dimension in self.by else ("filter_name", self.filtered)
        return f"substr(:{where[0]}_{where[1].index(dimension)}, 6)"

    def dims(self, columns: Mapping[str, str]) -> str:
        """The dimensions asked for as jsonb, each from its column; one that has none is left out."""
        pairs = [f":by_name_{number}, {columns[name]}" for number, name in enumerate(self.by) if name in columns]
        return f"jsonb_build_object({', '.join(pairs)})" if pairs else "'{}'::jsonb"
