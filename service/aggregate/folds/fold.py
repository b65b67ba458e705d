"""What a fold is: one family's columns in, deltas of the rollups out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import polars as pl

from service.aggregate.context import FoldContext
from service.aggregate.deltas import Deltas
from service.domain.foldconfig import FoldConfig


@dataclass(frozen=True, slots=True)
class Fold:
    """How one family becomes deltas, and which of its texts are names under a limit."""

    family: str
    fold: Callable[[pl.DataFrame, FoldContext], Deltas]
    """Events that are to be stored (each once) to deltas. Pure: the same events in any order give the same."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Text column to kind of name: what is over the tenant's limit of that kind arrives as `~other`."""
    maps: Mapping[str, str] = field(default_factory=dict)
    """Map column to kind of its keys; the values of a key K are names of the kind `KIND.K`.

    Of the kind `property` only the declared keys (`FoldConfig.properties`) are read: others need no admission.
    """
    lists: Mapping[str, str] = field(default_factory=dict)
    """List column to kind of name of its elements."""
    unread: frozenset[str] = frozenset()
    """Columns that the fold does not look at: they are not made (of refused events they are, for the dead letters)."""
    reads_all_for: Callable[[FoldConfig], bool] = lambda _: False
    """Declarations for which the fold looks at the unread ones, too."""
