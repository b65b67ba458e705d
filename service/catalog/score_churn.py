"""Churn risk: the measures of its table for every customer, as of each window's end."""

from dataclasses import replace
from datetime import date

from service.catalog.scores import ByAccount, Place, Scene, ending
from service.catalog.value import Value
from service.catalog.windows import Window
from service.clock import DAY, HOUR, SECOND
from service.domain.churn import ChurnRisk, churn_risk
from service.domain.churn_table import Measure
from service.domain.localtime import EPOCH, day_of
from service.store.standings import Standing

MONTH = "30d"
QUARTER = "90d"
DAYS_OF_MONTH = 30
_SUPPORT = {"survey": ("support_csat",)}
_SCALE = 5
"""The scale that a score of support is told on: others are converted."""


async def churn_risks(scene: Scene) -> dict[Place, dict[str, ChurnRisk]]:
    """The risk of every customer, by window and account."""
    customers = await scene.customers()
    business = await scene.by_account("average_dau", MONTH, parameters={"days": "business"})
    trained = await scene.by_account("training_completion", MONTH)
    active = await scene.by_account("mau", MONTH)
    tickets, escalated = await scene.by_account("tickets", MONTH), await scene.by_account("ticket_escalation", MONTH)
    nps, nps_now = await scene.by_account("nps", QUARTER), await scene.by_account("nps", MONTH)
    support = await scene.by_account("csat", QUARTER, filters=_SUPPORT)
    down, down_for_all = await scene.by_account("downtime", MONTH), await scene.platform("downtime", MONTH)
    earlier = replace(scene, windows=[_month_before(each) for each in scene.windows])
    nps_before = await earlier.by_account("nps", MONTH)
    risks: dict[Place, dict[str, ChurnRisk]] = {}
    for window in scene.windows:
        place = (window.tenant, window.key)
        risks[place] = {}
        for one in customers[place]:
            name = one.account
            fallen = _number(nps_before, place, name), _number(nps_now, place, name)
            support_mean = _number(support, place, name)
            own_downtime_s = _number(down, place, name)
            downtime_s = own_downtime_s if own_downtime_s is not None else _plain(down_for_all.get(place))
            licensed, users = int(one.licensed_users or 0), _number(business, place, name) or 0.0
            measured: dict[Measure, float | None] = {
                **_dates(one, window),
                "dau_share": users / licensed if licensed else None,
                "training_completion": _number(trained, place, name),
                "days_since_use": _unused(one, window, _number(active, place, name)),
                "tickets_or_escalations": max(_number(tickets, place, name) or 0, _numerator(escalated, place, name)),
                "nps": _number(nps, place, name),
                "nps_fall": None if fallen[0] is None or fallen[1] is None else fallen[0] - fallen[1],
                "support_csat": None if support_mean is None else support_mean * _SCALE / _scale(support, place, name),
                "downtime_h": None if downtime_s is None else downtime_s * SECOND / HOUR,
            }
            risks[place][name] = churn_risk(measured, one.signals, scene.config(window.tenant).churn)
    return risks


def _dates(one: Standing, window: Window) -> dict[Measure, float | None]:
    """What the account's dates say on the local day that the window has come to."""
    today = window.last_day
    ends = _day(one.contract_end)
    renewal = _day(one.renewal)
    since = max((each for each in (one.live_us, one.risen_us) if each is not None), default=None)
    return {
        "days_to_contract_end": ends - today if ends is not None and ends >= today else None,
        "days_past_renewal": today - renewal if renewal is not None else None,
        "months_without_rise": None
        if one.live_us is None or one.mrr is None or since is None
        else _months(day_of(since, window.zone), today),
    }


def _unused(one: Standing, window: Window, users: float | None) -> float:
    """0 where somebody used it within a month; else a month, or the days since the account is known if they are fewer."""
    return 0.0 if users else min(DAYS_OF_MONTH, window.last_day - day_of(one.known_us, window.zone))


def _month_before(window: Window) -> Window:
    """A window that ends where the month of another one begins, under its key."""
    month = ending(window, MONTH)
    return replace(month, start_us=month.start_us - DAY, end_us=month.start_us, until_us=month.start_us, name="")


def _months(first: int, last: int) -> float:
    """Whole calendar months between two days."""
    begin, end = (date.fromordinal(EPOCH.toordinal() + day) for day in (first, last))
    return (end.year - begin.year) * 12 + end.month - begin.month - (end.day < begin.day)


def _day(text: str | None) -> int | None:
    return (date.fromisoformat(text) - EPOCH).days if text else None


def _plain(value: Value | None) -> float | None:
    return None if value is None else value.value


def _number(rows: ByAccount, place: Place, account: str) -> float | None:
    return _plain(rows.get(place, {}).get(account))


def _numerator(rows: ByAccount, place: Place, account: str) -> float:
    value = rows.get(place, {}).get(account)
    return float(value.numerator or 0) if value else 0.0


def _scale(rows: ByAccount, place: Place, account: str) -> float:
    return float(rows[place][account].dims.get("scale") or _SCALE)
