"""A scorecard's rows: declared KPIs with target, limit, actual, status and benchmark, of all of a tenant or of one account."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from service.catalog import Catalog, Kpi, Question, Value, Window, catalog_of, window_before
from service.catalog.choices import choices_of, question_of
from service.catalog.comparing import changed, part_before
from service.catalog.together import Desk
from service.catalog.windows import same_part
from service.domain.config import TenantConfig
from service.domain.scorecard import ScorecardRow, summarise
from service.domain.selector import Selector, parse_selector
from service.domain.targets import Judgement, judge
from service.errors import NotFound
from service.expose.answers import Body, number, unit_of, window_body
from service.expose.ground import Ground
from service.lifecycle import side_by_side

NOT_BY_ACCOUNT: Final = "not_by_account"
OTHER_ACCOUNT: Final = "other_account"
_WITHOUT: Final[Mapping[str, str]] = {
    NOT_BY_ACCOUNT: "not counted by account: the scorecard without an account shows the tenant's figure",
    OTHER_ACCOUNT: "the row is declared for another account",
}
_PLATFORM_WIDE: Final = "with what is platform-wide"
_ACCOUNT: Final = "account"


@dataclass(frozen=True, slots=True)
class _Row:
    """A row that is declared, and the part of it that is asked for."""

    kpi: Kpi
    selector: Selector
    where: Mapping[str, tuple[str, ...]]
    """The selector's choices, and the account's."""
    reason: Literal["", "not_by_account", "other_account"] = ""
    """Why it has no figure for the account."""
    is_mixed: bool = False
    """What is platform-wide counts for the account, too."""

    @classmethod
    def of(cls, kpi: Kpi, selector: Selector, account: str) -> "_Row":
        """The row of one account; of the whole tenant where that is ""."""
        if not account:
            return cls(kpi, selector, selector.where)
        if not kpi.splits_by(_ACCOUNT):
            return cls(kpi, selector, selector.where, NOT_BY_ACCOUNT)
        if account not in selector.where.get(_ACCOUNT, (account,)):
            return cls(kpi, selector, selector.where, OTHER_ACCOUNT)
        return cls(kpi, selector, {**selector.where, _ACCOUNT: (account,)}, is_mixed=kpi.head.platform_wide)

    @property
    def statistic(self) -> str:
        """The one that it names, or the KPI's own choice."""
        return self.selector.statistic or self.kpi.head.default_statistic

    @property
    def question(self) -> Question:
        """What its KPI is asked."""
        return question_of(self.kpi, self.where, (self.statistic,), spread=True)


async def scorecard_body(
    desk: Desk, catalog: Catalog, ground: Ground, name: str, window: Window, *, account: str = ""
) -> dict[str, Any]:
    """A scorecard for a window, of the whole tenant or of one account, as it is answered; raises NotFound."""
    config = ground.config(window)
    declared = config.scorecards.get(name)
    if declared is None:
        known = ", ".join(config.scorecards) or "none: declare one as [scorecard.NAME]"
        raise NotFound(f"there is no scorecard {name}; there is {known}")
    kpis = catalog_of(catalog, config).kpis
    rows: list[_Row] = []
    for text in declared.rows:
        selector = parse_selector(text)
        kpi = kpis.get(selector.kpi)
        if kpi is None:
            raise NotFound(f"the scorecard {name} names {selector.kpi}, which is no KPI of this version")
        rows.append(_Row.of(kpi, selector, account))
    read = await side_by_side(_read(desk, config, row, window) for row in rows)
    summary = summarise([status for _, status in read], declared.critical)
    return {
        "name": name,
        "account": account or None,
        "window": window_body(window),
        "before": window_body(same_part(window, window_before(window))),
        "provisional": ground.is_provisional(window),
        "met": summary.met,
        "judged": summary.judged,
        "share_met": summary.share_met,
        "state": summary.state,
        "unjudged_critical": summary.unjudged_critical,
        "rows": [row for row, _ in read],
    }


async def _read(desk: Desk, config: TenantConfig, row: _Row, window: Window) -> tuple[Body, ScorecardRow]:
    """One row, beside what was before."""
    windows = window, part_before(row.kpi, window)
    if row.reason:
        nothing = Value(window.tenant, window.key, row.statistic, None, reason=row.reason, note=_WITHOUT[row.reason])
        return _body(config, row, windows, nothing, nothing)
    return _body(config, row, windows, *await _values(desk, row, windows))


async def _values(desk: Desk, row: _Row, windows: Sequence[Window]) -> list[Value]:
    """The figure of a row for each of the windows."""
    keyed = [replace(window, key=number) for number, window in enumerate(windows)]
    values = await desk.ask(row.kpi, keyed, row.question)
    plain = [
        [value for value in values if (value.window, value.statistic) == (number, row.statistic)] for number in range(len(keyed))
    ]
    # Where units are kept apart and there are several, the row of the whole says that they are not added up.
    return [next((value for value in each if not value.dims), each[0]) for each in plain]


def _body(
    config: TenantConfig, row: _Row, windows: tuple[Window, Window], value: Value, before: Value
) -> tuple[Body, ScorecardRow]:
    kpi, selector, (window, window_of_before) = row.kpi, row.selector, windows
    change = changed(kpi, value.statistic, (value, window), (before, window_of_before))
    statistic = kpi.statistics[value.statistic]
    judgement = judge(
        config,
        kpi=kpi.id,
        statistic=selector.statistic,
        dims={**row.question.filters, **value.dims},
        window=window.name or None,
        value=value.value,
        adds_up=statistic.kind == "count",
        apart=kpi.head.apart,
        choices=choices_of(kpi, row.question),
    )
    body = {
        "row": str(selector),
        "title": statistic.title,
        "value": value.value,
        "numerator": number(value.numerator),
        "denominator": number(value.denominator),
        "unit": unit_of(kpi, value),
        "before": before.value,
        "absolute": change.absolute,
        "points": change.points,
        "relative": change.relative,
        "trend": change.trend,
        "verdict": change.verdict,
        "p": change.p,
        "few": change.few,
        **_target(judgement),
        "status": judgement.status,
        "reason": value.reason or judgement.reason or None,
        "note": "; ".join(each for each in (value.note, _PLATFORM_WIDE if row.is_mixed else "") if each) or None,
    }
    return body, ScorecardRow(str(selector), judgement.status)


def _target(judgement: Judgement) -> Body:
    """What a value is judged by; a range has two ends."""
    is_range = judgement.range is not None
    return {
        "op": judgement.op or None,
        "target": judgement.range if is_range else judgement.target,
        "limit": judgement.range_limit if is_range else judgement.limit,
        "benchmark": judgement.benchmark,
    }
