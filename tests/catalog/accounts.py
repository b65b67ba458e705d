"""Writing what events of customers left behind: dated values of accounts, and steps of feedback, recoveries and items."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from service.catalog import Catalog, Question, Window, declared_of, run
from service.domain.config import TenantConfig
from service.store.engine import Connection


@dataclass(frozen=True, slots=True)
class Said:
    """What one event said of an account: fields as they are kept, such as `mrr="100 USD"`."""

    at_us: int
    account: str
    fields: Mapping[str, str] = field(default_factory=dict)
    traits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One event of feedback, of a recovery or of an item."""

    at_us: int
    subject: str
    fields: Mapping[str, Any]
    account: str = ""
    id: str = ""


async def store_accounts(connection: Connection, tenant: int, said: Iterable[Said]) -> None:
    """Write the dated values, the traits and when each account was first heard of."""
    ordered = sorted(said, key=lambda one: one.at_us)
    dated = [
        (tenant, "account", name, one.account, one.account, one.at_us, "/s", f"{number:06}", value)
        for number, one in enumerate(ordered)
        for name, value in one.fields.items()
    ]
    columns = ("tenant", "kind", "field", "who", "account", "time_us", "source", "id", "value")
    await connection.copy_records_to_table("state_history", records=dated, columns=columns)
    traits = {(one.account, name): (one.at_us, value) for one in ordered for name, value in one.traits.items()}
    newest = [
        (tenant, "account", f"trait.{name}", who, who, at_us, "/s", "t", value) for (who, name), (at_us, value) in traits.items()
    ]
    await connection.copy_records_to_table("state", records=newest, columns=columns)
    first = {one.account: one.at_us for one in reversed(ordered)}
    known = [(tenant, "account", "~known", who, who, at_us, "/s", "k") for who, at_us in first.items()]
    names = ("tenant", "kind", "milestone", "who", "account", "time_us", "source", "id")
    await connection.copy_records_to_table("milestone", records=known, columns=names)


async def store_family(connection: asyncpg.Connection, tenant: int, family: str, steps: Iterable[Step]) -> None:
    """Write the steps of a family."""
    rows = [
        (tenant, family, one.subject, one.at_us, "/s", one.id or f"{number:06}", one.account, json.dumps(one.fields))
        for number, one in enumerate(steps)
    ]
    columns = ("tenant", "family", "subject", "time_us", "source", "id", "account", "fields")
    await connection.copy_records_to_table("step", records=rows, columns=columns)


@dataclass
class Desk:
    """Where KPIs of one tenant are asked for."""

    catalog: Catalog
    connection: asyncpg.Connection
    window: Window
    config: dict[str, Any] = field(default_factory=dict)

    async def ask(
        self, kpi: str, *by: str, statistic: str | None = None, parameters: Mapping[str, str] | None = None, **filters: str
    ) -> dict[Any, float | None]:
        """Values by statistic, or of one statistic by the values of the split; `account__NAME` filters by `account.NAME`."""
        only = {name.replace("__", "."): tuple(values.split(",")) for name, values in filters.items()}
        wanted = () if statistic is None else (statistic,)
        declared = {self.window.tenant: declared_of(TenantConfig.model_validate(self.config))}
        asked = Question(by=by, filters=only, statistics=wanted, parameters=parameters or {})
        found = await run(self.connection, self.catalog.kpis[kpi], [self.window], asked, declared=declared)
        if not by:
            return {value.statistic: value.value for value in found if statistic is None or value.statistic == statistic}
        return {
            (value.dims[by[0]] if len(by) == 1 else tuple(value.dims[name] for name in by)): value.value
            for value in found
            if value.statistic == (statistic or "")
        }

    async def one(self, kpi: str, statistic: str = "", **filters: str) -> float | None:
        """One figure."""
        return (await self.ask(kpi, statistic=statistic, parameters=None, **filters))[statistic]
