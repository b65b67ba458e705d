"""A bounded map of what Postgres gave out for good: ids and ordinals never change, so they never go stale."""

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Known(Generic[K, V]):
    """About the most recently used entries, at most `most`, in two generations.

    The older one goes when the younger has grown to half of the bound; what was asked for meanwhile has moved up.
    So a look-up of many keys is one call each of a dict, which an order of use for every key would not allow.
    """

    def __init__(self, most: int) -> None:
        self._half = most // 2
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, keys: Sequence[K]) -> list[V | None]:
        """Values in the order of the keys, None for what is not known."""
        found: list[V | None] = list(map(self._young.get, keys))
        if self._old:
            for place, value in enumerate(found):
                if value is None and (older := self._old.pop(keys[place], None)) is not None:
                    found[place] = self._young[keys[place]] = older
            self._age()
        return found

    def split(self, keys: Sequence[K]) -> tuple[dict[K, V], list[K]]:
        """Tell what is known from what has to be asked for."""
        known: dict[K, V] = {}
        unknown: list[K] = []
        for key, value in zip(keys, self.get(keys), strict=True):
            if value is None:
                unknown.append(key)
            else:
                known[key] = value
        return known, unknown

    def learn(self, found: Mapping[K, V]) -> None:
        """Remember entries; newer values of a key replace older ones."""
        for key, value in found.items():
            self._old.pop(key, None)
            self._young[key] = value
        self._age()

    def _age(self) -> None:
        if len(self._young) > self._half:
            self._old, self._young = self._young, {}
