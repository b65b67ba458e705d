"""A bounded map of what Postgres gave out for good: ids and ordinals never change, so they never go stale."""

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Known(Generic[K, V]):
    """The most recently used entries, at most `most`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def split(self, keys: Iterable[K]) -> tuple[dict[K, V], list[K]]:
        """Tell what is known from what has to be asked for."""
        known: dict[K, V] = {}
        unknown: list[K] = []
        entries = self._entries
        for key in keys:
            value = entries.pop(key, None)
            if value is None:
                unknown.append(key)
            else:
                # Put back at the end: a plain dict keeps the order of insertion.
                known[key] = entries[key] = value
        return known, unknown

    def learn(self, found: Mapping[K, V]) -> None:
        """Remember entries, letting go of those that were not used for longest."""
        entries = self._entries
        for key, value in found.items():
            entries.pop(key, None)
            entries[key] = value
        if len(entries) > self._most:
            # A tenth at a time: finding the oldest walks over what was deleted before.
            for key in list(entries)[: len(entries) - self._most + self._most // 10]:
                del entries[key]
