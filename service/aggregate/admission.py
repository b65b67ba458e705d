"""Admission of names under a tenant's limits, before the fold: what is over a limit counts under `~other`."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import asyncpg
import polars as pl

from service.aggregate.cache import Known
from service.aggregate.folds import FOLDS, Fold
from service.aggregate.grouping import codes, grouped_rows
from service.domain.foldconfig import TenantFoldConfig
from service.store.names import OTHER, Name, admit

PROPERTY = "property"
KNOWN_NAMES = 200_000
"""Names that are remembered, of all tenants."""
DECLARED = 1_000_000
"""The limit of names that a configuration declares: it has one of its own."""

Configs = Mapping[int, TenantFoldConfig]


@dataclass(frozen=True, slots=True)
class Limits:
    """How many names of one kind a tenant may have."""

    names: int
    values: int
    """Values of one attribute or trait; a declared property has its own limit."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """Events whose names are under their limits."""

    frames: dict[str, pl.DataFrame]
    over_limit: Mapping[str, int]
    """Events counted under `~other`, by kind of name."""


class Admission:
    """Asks Postgres for names that it has not seen admitted before."""

    def __init__(self, pool: asyncpg.Pool, limits: Limits) -> None:
        self._pool = pool
        self._limits = limits
        self._known: Known[Name, int] = Known(KNOWN_NAMES)

    async def ids(self, limits: Mapping[Name, int]) -> dict[Name, int]:
        """Ids of those names that are admitted under these limits; the others are left out."""
        known, unknown = self._known.split(list(limits))
        if unknown:
            async with self._pool.acquire() as connection:
                found = await admit(connection, {name: limits[name] for name in unknown})
            self._known.learn(found)
            known |= found
        return known

    async def feature_ids(self, features: Collection[tuple[int, str]]) -> dict[tuple[int, str], int]:
        """Ids of features of tenants that have been admitted, `~other` among them."""
        names = {Name(tenant, "feature", feature): self._limits.names for tenant, feature in features}
        return {(name.tenant, name.name): key for name, key in (await self.ids(names)).items()}

    async def milestone_ids(self, milestones: Collection[tuple[int, str]]) -> dict[tuple[int, str], int]:
        """Ids of milestones of tenants: sent ones have been admitted, derived ones are declared, and count as admitted."""
        names = {Name(tenant, "milestone", milestone): DECLARED for tenant, milestone in milestones}
        return {(name.tenant, name.name): key for name, key in (await self.ids(names)).items()}

    async def refused_sources(self, sources: pl.DataFrame) -> pl.DataFrame:
        """Those of these sources (tenant, source) that are beyond the tenant's limit of names."""
        pairs = sources.select("tenant", "source").unique().filter(pl.col("source") != "")
        names = {Name(tenant, "source", source): self._limits.names for tenant, source in pairs.iter_rows()}
        known = await self.ids(names)
        over = [(name.tenant, name.name) for name in names if name not in known]
        return pl.DataFrame(over, schema={"tenant": pl.Int32, "source": pl.String}, orient="row")

    async def admit(self, frames: Mapping[str, pl.DataFrame], configs: Configs) -> Admitted:
        """Replace what is over the limits; frames without any are handed on as they are."""
        names = {name for family, frame in frames.items() for name in _names(frame, FOLDS[family], configs)}
        refused = names - (await self.ids(dict.fromkeys(names, self._limits.names))).keys()
        # Keys first: what an unknown number of keys could have as values is not asked for.
        values: dict[Name, int] = {}
        for family, frame in frames.items():
            values |= _values(frame, FOLDS[family], configs, refused, self._limits.values)
        refused |= values.keys() - (await self.ids(values)).keys()
        if not refused:
            return Admitted(dict(frames), {})
        counts: Counter[str] = Counter()
        replaced = {family: _replace(frame, FOLDS[family], refused, counts) for family, frame in frames.items()}
        return Admitted(replaced, counts)


def _names(frame: pl.DataFrame, fold: Fold, configs: Configs) -> Iterator[Name]:
    """Names in columns and lists, and the keys of maps."""
    for column, kind in fold.names.items():
        for tenant, name in grouped_rows(frame.select("tenant", column, *codes(frame, column)))[0].iter_rows():
            if name:
                yield Name(tenant, kind, name)
    for column, kind in fold.maps.items():
        for tenant, key in _pairs(frame, column).select("tenant", "key").unique().iter_rows():
            if kind != PROPERTY or _declared(configs[tenant], key) is not None:
                yield Name(tenant, kind, key)
    for column, kind in fold.lists.items():
        for tenant, name in _elements(frame, column).select("tenant", "name").unique().iter_rows():
            yield Name(tenant, kind, name)


def _values(frame: pl.DataFrame, fold: Fold, configs: Configs, refused: Collection[Name], most: int) -> dict[Name, int]:
    """Values of the maps' admitted keys, each with its limit."""
    wanted: dict[Name, int] = {}
    for column, kind in fold.maps.items():
        for tenant, key, value in _pairs(frame, column).select("tenant", "key", "value").unique().iter_rows():
            limit = _declared(configs[tenant], key) if kind == PROPERTY else most
            if value and limit is not None and Name(tenant, kind, key) not in refused:
                wanted[Name(tenant, f"{kind}.{key}", value)] = limit
    return wanted


def _declared(config: TenantFoldConfig, key: str) -> int | None:
    """How many values a property may have, as declared last; None: it is not read."""
    declared = [version.properties[key] for version in config.versions if key in version.properties]
    return declared[-1] if declared else None


def _pairs(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """Pairs of a map column, a row each, with the row that they are of."""
    filled = frame.select(pl.int_range(pl.len()).alias("row"), "tenant", column).filter(pl.col(column).list.len() > 0)
    return filled.explode(column).unnest(column)


def _elements(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """Elements of a list column, a row each as `name`, with the row that they are of."""
    listed = frame.select(pl.int_range(pl.len()).alias("row"), "tenant", name=column)
    return listed.filter(pl.col("name").list.len() > 0).explode("name")


def _replace(frame: pl.DataFrame, fold: Fold, refused: Collection[Name], counts: Counter[str]) -> pl.DataFrame:
    for column, kind in fold.names.items():
        over = _over(frame.select("tenant", kind=pl.lit(kind), name=column), refused)
        if over.any():
            counts[kind] += int(over.sum())
            frame = frame.with_columns(_or_other(column, over)).drop(codes(frame, column))
    for column, kind in fold.maps.items():
        pairs = _pairs(frame, column)
        over_key = _over(pairs.select("tenant", kind=pl.lit(kind), name="key"), refused)
        over_value = over_key | _over(pairs.select("tenant", kind=pl.lit(f"{kind}.") + pl.col("key"), name="value"), refused)
        if over_value.any():
            counts[kind] += int(over_value.sum())
            mended = pl.struct(_or_other("key", over_key), _or_other("value", over_value))
            frame = frame.with_columns(_rebuilt(frame[column], pairs.select("row", mended.alias(column))))
    for column, kind in fold.lists.items():
        elements = _elements(frame, column)
        over = _over(elements.select("tenant", kind=pl.lit(kind), name="name"), refused)
        if over.any():
            counts[kind] += int(over.sum())
            frame = frame.with_columns(_rebuilt(frame[column], elements.select("row", _or_other("name", over).alias(column))))
    return frame


def _or_other(column: str, over: pl.Series) -> pl.Expr:
    return pl.when(over).then(pl.lit(OTHER)).otherwise(column).alias(column)


def _over(names: pl.DataFrame, refused: Collection[Name]) -> pl.Series:
    """Mark the rows (tenant, kind, name) whose name is refused."""
    schema = {"tenant": pl.Int32(), "kind": pl.String(), "name": pl.String()}
    over = pl.DataFrame(list(refused), schema=schema, orient="row").with_columns(over=True)
    joined = names.join(over, on=["tenant", "kind", "name"], how="left", maintain_order="left")
    return joined["over"].fill_null(value=False)


def _rebuilt(lists: pl.Series, mended: pl.DataFrame) -> pl.Series:
    """The column again, of `mended` elements with the rows that they are of."""
    column = lists.name
    grouped = mended.group_by("row", maintain_order=True).agg(column)
    rows = pl.DataFrame({"row": pl.int_range(len(lists), eager=True)})
    joined = rows.join(grouped, on="row", how="left", maintain_order="left")[column]
    return joined.fill_null(pl.Series([[]], dtype=lists.dtype))
