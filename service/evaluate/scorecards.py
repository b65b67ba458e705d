"""The declared scorecards of the newest windows, kept for dashboards: rows choose what no live value is split by."""

from collections.abc import AsyncIterator, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import asyncpg
import structlog

from service.catalog import Catalog, Kpi, Question, Value, Window, catalog_of, resolve_window, run
from service.catalog.choices import choices_of, question_of
from service.catalog.guarded import FAILED, unless_failed
from service.catalog.shared import Slow, nobody_slow
from service.clock import Clock
from service.domain.config import TenantConfig
from service.domain.selector import Selector, parse_selector
from service.domain.targets import judge
from service.errors import TidegaugeError
from service.evaluate.ground import Ground, Grounds
from service.evaluate.task import Task
from service.store.dirty import Touched, touched_tenants
from service.store.engine import PASSING
from service.store.grafana_scorecards import ScorecardValue, keep_scorecards
from service.telemetry import Telemetry

EVERY_S: Final = 60.0
WINDOWS: Final = ("7d", "28d", "week", "month", "quarter")
MAX_TENANTS: Final = 200
"""Tenants at a time."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Row:
    """A row that a tenant declares, and the KPI that it names."""

    tenant: int
    scorecard: str
    place: int
    text: str
    selector: Selector
    is_critical: bool
    kpi: Kpi

    @property
    def statistic(self) -> str:
        """The one that it names, or the KPI's own choice."""
        return self.selector.statistic or self.kpi.head.default_statistic

    @property
    def question(self) -> Question:
        """What its KPI is asked."""
        return question_of(self.kpi, self.selector.where, (self.statistic,))

    @property
    def asks(self) -> Hashable:
        """Rows, of several tenants and for several statistics, that read the same are answered by one statement."""
        return id(self.kpi), frozenset((name, tuple(values)) for name, values in self.selector.where.items())


@dataclass(slots=True)
class Scorecards:
    """The task that keeps them.

    A tenant is looked at again when a flush touched it, it declares anew, a window moved, or a row failed.
    """

    pool: asyncpg.Pool
    catalog: Catalog
    clock: Clock
    telemetry: Telemetry
    slow: Slow = nobody_slow
    grounds: Grounds = field(default_factory=Grounds)
    seen: dict[int, Hashable] = field(default_factory=dict)

    def task(self) -> Task:
        """What is to be done, and how often."""
        return Task("scorecards", EVERY_S, self.once)

    async def once(self) -> None:
        """Bring the scorecards of all tenants that are due up to now."""
        now_us = self.clock.now_us()
        async with self.pool.acquire() as connection:
            tenants = await touched_tenants(connection)
            windows = {each.tenant: _windows(each, now_us) for each in tenants}
            looks = {each.tenant: _look(each, windows[each.tenant]) for each in tenants}
            due = [each for each in tenants if self.seen.get(each.tenant) != looks[each.tenant]]
            for start in range(0, len(due), MAX_TENANTS):
                few = due[start : start + MAX_TENANTS]
                ground = await self.grounds.now(connection, few, at_us=now_us)
                declared = [
                    row for each in few for row in rows_of(each.tenant, ground.configs[each.tenant].at(now_us), self.catalog)
                ]
                found = [each async for each in self._found(connection, declared, windows, ground)]
                await keep_scorecards(connection, [each.tenant for each in few], found)
                failing = {each.tenant for each in found if each.reason == FAILED}
                self.seen |= {each.tenant: looks[each.tenant] for each in few if each.tenant not in failing}

    async def _found(
        self,
        connection: asyncpg.pool.PoolConnectionProxy,
        rows: Sequence[Row],
        windows: Mapping[int, Sequence[Window]],
        ground: Ground,
    ) -> AsyncIterator[ScorecardValue]:
        groups: dict[Hashable, list[Row]] = {}
        for row in rows:
            groups.setdefault(row.asks, []).append(row)
        for several in groups.values():
            first = several[0]
            tenants = {row.tenant for row in several}
            wanted = [window for tenant in tenants for window in windows[tenant] if first.kpi.takes(window.name)]
            statistics = tuple(dict.fromkeys(row.statistic for row in several))
            question = replace(first.question, statistics=statistics)
            try:
                ask = partial(run, connection, first.kpi, question=question, declared=ground.declared, kept=ground.kept)
                values = await unless_failed(ask, first.kpi, wanted, question, slow=self.slow(first.kpi))
            except PASSING:
                raise
            except (TidegaugeError, asyncpg.PostgresError, TimeoutError) as error:
                self.telemetry.evaluation_failures.labels(kpi=first.kpi.id).inc()
                log.warning("scorecard_row_not_evaluated", row=first.text, error=str(error) or type(error).__name__)
                continue
            for row in several:
                for window in wanted:
                    if window.tenant == row.tenant:
                        yield _judged(row, window, _of(values, row, window), ground)


def rows_of(tenant: int, config: TenantConfig, catalog: Catalog) -> Iterator[Row]:
    """The rows of all scorecards of a tenant; one that names what this version does not have is left out.

    So is one whose statistic is gone: those of other rows and tenants are asked for in the same statement, and would be refused.
    """
    kpis = catalog_of(catalog, config).kpis
    for name, declared in config.scorecards.items():
        critical = {parse_selector(text).key for text in declared.critical}
        for place, text in enumerate(declared.rows, start=1):
            selector = parse_selector(text)
            kpi = kpis.get(selector.kpi)
            if kpi is not None and selector.statistic in {None, *kpi.statistics}:
                yield Row(tenant, name, place, text, selector, selector.key in critical, kpi)


def _windows(each: Touched, now_us: int) -> list[Window]:
    return [resolve_window(each.tenant, each.timezone, now_us=now_us, name=name, key=(each.tenant, name)) for name in WINDOWS]


def _look(each: Touched, windows: Sequence[Window]) -> Hashable:
    return each.flush, each.config_version, tuple((window.start_us, window.end_us) for window in windows)


def _of(values: Sequence[Value], row: Row, window: Window) -> Value | None:
    """The row's figure; where units are kept apart and there are several, the one of the whole says that nothing adds up."""
    found = [value for value in values if (value.window, value.statistic) == (window.key, row.statistic)]
    return next((value for value in found if not value.dims), found[0] if found else None)


def _judged(row: Row, window: Window, value: Value | None, ground: Ground) -> ScorecardValue:
    statistic = row.kpi.statistics[row.statistic]
    figure = value.value if value else None
    judgement = judge(
        ground.configs[row.tenant].at(max(window.start_us, window.until_us - 1)),
        kpi=row.kpi.id,
        statistic=row.selector.statistic,
        dims={**row.question.filters, **(value.dims if value else {})},
        window=window.name,
        value=figure,
        adds_up=statistic.kind == "count",
        apart=row.kpi.head.apart,
        choices=choices_of(row.kpi, row.question),
    )
    return ScorecardValue(
        tenant=row.tenant,
        scorecard=row.scorecard,
        place=row.place,
        window=window.name,
        row=row.text,
        is_critical=row.is_critical,
        kpi=row.kpi.id,
        statistic=row.statistic,
        dims={name: tuple(of) for name, of in row.question.filters.items()},
        title=statistic.title,
        unit=statistic.unit or (value.dims.get("unit") or value.dims.get("currency", "") if value else ""),
        value=figure,
        target=judgement.target,
        limit=judgement.limit,
        status=judgement.status,
        reason=(value.reason if value else "no_data") or judgement.reason or None,
        start_us=window.start_us,
        end_us=window.end_us,
    )
