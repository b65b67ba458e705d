"""How a customer stands, or the tenant as a whole: the decision, health by category, and churn risk with every reason."""

from dataclasses import dataclass, replace

from service.catalog.runner import scene
from service.catalog.score_churn import churn_risks
from service.catalog.score_health import healths
from service.catalog.scores import Scene, ending
from service.catalog.scoring import HEALTH
from service.catalog.windows import Window, window_earlier
from service.domain.churn import ChurnRisk
from service.domain.health import CATEGORY_POINTS, FULL_POINTS, GREEN_FROM, YELLOW_FROM, Category, Health
from service.domain.scorecard import decide
from service.reports import layout
from service.reports.model import Cell, Grid
from service.reports.numbers import NO_VALUE, readable
from service.reports.reading import Reader

NOW, BEFORE = 0, 1
_RULE = f"go from {GREEN_FROM} points on, conditional go from {YELLOW_FROM} on, no go below"
_NO_SCORE = "no KPI of health has both a value and a target in this window"
_NO_KPI = "no KPI of it has both a value and a target"


@dataclass(frozen=True, slots=True)
class Standing:
    """Health and churn risk of whom the report is of; None where there is none of them."""

    health: Health | None
    risk: ChurnRisk | None = None
    risk_before: ChurnRisk | None = None


async def read_standing(reader: Reader, *, with_risk: bool) -> Standing:
    """Of the report's account, or without one of the tenant as a whole, which has no single risk."""
    account, tenant = reader.account, reader.ground.tenant
    health_kpi = reader.catalog.kpis[HEALTH]
    of_health = reader.window if health_kpi.takes(reader.window.name) else ending(reader.window, health_kpi.head.default_window)

    def over(*windows: Window) -> Scene:
        keyed = [replace(window, key=key) for key, window in enumerate(windows)]
        accounts = (account,) if account else None
        declared = reader.ground.declared(reader.window)
        return scene(reader.snapshot, reader.catalog.kpis, keyed, accounts, declared, reader.ground.kept)

    health = (await healths(over(of_health), split=bool(account)))[tenant, NOW].get(account)
    if not with_risk:
        return Standing(health)
    risks = await churn_risks(over(reader.window, window_earlier(reader.window, "week", whole_days=True)))
    return Standing(health, risks[tenant, NOW].get(account), risks[tenant, BEFORE].get(account))


def decision(ask: layout.Decision, standing: Standing) -> Grid:
    """Go or no go, and the score that it comes from."""
    health = standing.health
    decided = decide(None if health is None else health.score)
    if health is None or health.band is None or decided is None:
        row = Cell("none", note=_NO_SCORE), Cell(NO_VALUE, is_number=True), Cell(_RULE)
    else:
        word = decided.replace("_", " ")
        row = Cell(word, health.band), Cell(f"{health.score} of 100", is_number=True), Cell(_RULE)
    return Grid(ask.title, ("decision", "health score", "rule"), (row,))


def health_grid(ask: layout.Health, standing: Standing) -> Grid:
    """The points of each category, and every point that is lost."""
    health = standing.health
    if health is None:
        return Grid(ask.title, _HEALTH_COLUMNS, (), "There is no health score: nothing is known of the account in this window.")
    rows = [(Cell(each.name), _points(each), Cell(_lost(each))) for each in health.categories]
    said = "of the categories that have points" if health.is_partial else ""
    whole = Cell(NO_VALUE if health.score is None else f"{health.score} of {FULL_POINTS}", health.band, is_number=True)
    return Grid(ask.title, _HEALTH_COLUMNS, (*rows, (Cell("health score", note=said), whole, Cell(_lost_of_all(health)))))


_HEALTH_COLUMNS = ("category", "points", "lost by, in points of the row")


def _points(category: Category) -> Cell:
    return Cell(NO_VALUE if category.points is None else f"{category.points} of {CATEGORY_POINTS}", is_number=True)


def _lost(category: Category) -> str:
    if category.points is None:
        return _NO_KPI
    lost = sorted((each for each in category.kpis if each.lost), key=lambda each: (-each.lost, each.kpi))
    return "; ".join(f"{each.kpi} (−{each.lost})" for each in lost)


def _lost_of_all(health: Health) -> str:
    """What each KPI costs the score, where that is not what it costs its category: the others stand for one without points."""
    if not health.is_partial:
        return ""
    lost = sorted((each for category in health.categories for each in category.kpis if each.cost), key=lambda e: (-e.cost, e.kpi))
    return "; ".join(f"{each.kpi} (−{each.cost})" for each in lost)


def risk_grid(ask: layout.Risk, standing: Standing, account: str) -> Grid:
    """Every reason with its points, and their sum beside that of a week before."""
    risk, before = standing.risk, standing.risk_before
    columns = ("reason", "points")
    if risk is None:
        return Grid(ask.title, columns, (), f"{account or 'The tenant'} is no customer as of the window's end: no risk is told.")
    rows = [(Cell(each.sentence), Cell(f"{each.points:+d}", is_number=True)) for each in risk.reasons]
    earlier = "" if before is None else f"a week before {readable(before.score, '')}, {before.band}"
    return Grid(ask.title, columns, (*rows, (Cell("churn risk", note=earlier), Cell(f"{risk.score}", risk.band, is_number=True))))
