"""Values of KPIs, computed for many tenants and windows at once and judged by what each tenant declared."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from service.catalog import Kpi, Question, Shared, Value, Window, run_splits
from service.catalog.choices import choices_of
from service.domain.config import TenantConfig
from service.domain.targets import Choices, Judgement, Status, judge
from service.evaluate.ground import Ground
from service.store.engine import Connection
from service.store.live import LiveValue

_UNJUDGED: Final = Judgement(Status.NONE)


def splits(kpi: Kpi) -> tuple[tuple[str, ...], ...]:
    """The splits that are kept current, but those that add up what the KPI is never added up across."""
    live = kpi.head.live
    wanted = live.by if live else ()
    return tuple(by for by in wanted if all(name in by for name in kpi.head.required))


async def evaluate(
    connection: Connection, kpi: Kpi, windows: Sequence[Window], ground: Ground, shared: Shared | None = None
) -> list[LiveValue]:
    """All live values of a KPI for these windows (of keys that are unique), judged; one statement a split, but for scores.

    What KPIs of one round read alike is `shared`.
    """
    live = kpi.head.live
    statistics = live.statistics if live else ()
    by_key: dict[Hashable, Window] = {window.key: window for window in windows}
    questions = [Question(by=by, statistics=statistics) for by in splits(kpi)]
    values = await run_splits(connection, kpi, windows, questions, declared=ground.declared, kept=ground.kept, shared=shared)
    found = {(v.tenant, v.statistic, v.window, v.end_us, v.dims): v for v in _judged(kpi, values, by_key, ground)}
    return list(found.values())


def _judged(kpi: Kpi, values: Iterable[Value], windows: Mapping[Hashable, Window], ground: Ground) -> Iterable[LiveValue]:
    judges: dict[tuple[Hashable, str], TenantConfig | None] = {}
    choices = choices_of(kpi, Question())
    for value in values:
        window = windows[value.window]
        by = value.window, value.statistic
        if by not in judges:
            judges[by] = _judge_of(kpi, value.statistic, window, ground)
        judgement = _UNJUDGED if (config := judges[by]) is None else _judgement(kpi, value, window, config, choices)
        yield LiveValue(
            tenant=value.tenant,
            statistic=value.statistic,
            window=window.name,
            dims=tuple(sorted(value.dims.items())),
            value=value.value,
            numerator=_decimal(value.numerator),
            denominator=_decimal(value.denominator),
            target=judgement.target,
            limit=judgement.limit,
            status=judgement.status,
            start_us=window.start_us,
            end_us=window.end_us,
        )


def _judge_of(kpi: Kpi, statistic: str, window: Window, ground: Ground) -> TenantConfig | None:
    """What the tenant declared at a window's time; None where it declared no target of a statistic: nothing judges it."""
    config = ground.config(window)
    return config if config.targets_by_kpi.get((kpi.id, statistic or None)) else None


def _judgement(kpi: Kpi, value: Value, window: Window, config: TenantConfig, choices: Choices) -> Judgement:
    return judge(
        config,
        kpi=kpi.id,
        statistic=value.statistic or None,
        dims=value.dims,
        window=window.name or None,
        value=value.value,
        adds_up=kpi.statistics[value.statistic].kind == "count",
        apart=kpi.head.apart,
        choices=choices,
    )


def _decimal(number: int | Decimal | None) -> Decimal | None:
    return None if number is None else Decimal(number)
