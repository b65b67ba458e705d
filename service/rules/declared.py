"""What a tenant declares to be told of: `[[alert]]`, and the limits of `[[target]]`."""

from collections.abc import Mapping
from typing import Final

from service.catalog import Kpi
from service.catalog.declared import default_window
from service.domain.config import Target
from service.domain.config.about import Op
from service.domain.config.alerts import Alert
from service.domain.selector import Selector
from service.errors import NotLive
from service.rules.figures import Figure, Tenant
from service.rules.model import Alerting
from service.rules.promql import number, value_text

LIMIT_FOR: Final = "10m"
COUNTED_BY: Final[Mapping[str, str]] = {
    "error_rate": "requests",
    "api_success": "requests",
    "delivery_on_time": "deliveries",
    "delivery_success": "deliveries",
    "delivery_failed": "deliveries",
    "delivery_retried": "deliveries",
    "delivery_exhausted": "deliveries",
    "delivery_dead_lettered": "deliveries",
}
"""The KPI that counts the events of which another one is a share."""
_BROKEN: Final[Mapping[Op, Op]] = {">=": "<", ">": "<=", "<=": ">", "<": ">="}


def alert_of(tenant: Tenant, alert: Alert) -> Alerting:
    """An `[[alert]]`, in the shortest live window where it names none; raises NotLive."""
    figure = tenant.figure(alert.selector, alert.window or _shortest(tenant.kpi(alert.selector.kpi)))
    found = figure.found
    bound = alert.value * found.factor
    expr = f"{found.expr} {alert.op} {number(bound)}"
    if alert.min_events:
        expr += f"\nand {_events(tenant, figure).found.expr} >= {alert.min_events}"
    beyond = f"{alert.op} {value_text(bound, found.unit)}"
    return tenant.alert(
        "KpiAlert", figure, expr, level=alert.level, beyond=beyond, limit=f"to be told of when {beyond}", for_=alert.for_ or ""
    )


def limit_of(tenant: Tenant, target: Target) -> Alerting | None:
    """The limit of a `[[target]]`, in the KPI's usual window where it names none; None: it has no limit. Raises NotLive."""
    if target.limit is None:
        return None
    figure = tenant.figure(target.selector, target.window or _usual(tenant, tenant.kpi(target.selector.kpi)))
    found = figure.found
    if isinstance(target.limit, tuple):
        low, high = (each * found.factor for each in target.limit)
        expr = f"{found.expr} < {number(low)}\nor {found.expr} > {number(high)}"
        beyond = f"outside of {value_text(low, found.unit)} to {value_text(high, found.unit)}"
        wanted = " to ".join(value_text(each * found.factor, found.unit) for each in target.range or ())
    else:
        op, bound = target.op or ">=", target.limit * found.factor
        expr = f"{found.expr} {_BROKEN[op]} {number(bound)}"
        beyond = f"{_BROKEN[op]} {value_text(bound, found.unit)}"
        wanted = f"{op} {value_text((target.target or 0.0) * found.factor, found.unit)}"
    limit = f"target {wanted}, its limit is broken when {beyond}"
    return tenant.alert("KpiLimitBroken", figure, expr, level="warning", beyond=beyond, limit=limit, for_=LIMIT_FOR)


def _events(tenant: Tenant, figure: Figure) -> Figure:
    """What counts the events that a figure is made of; raises NotLive where nothing does."""
    kpi, where, window = figure.kpi, figure.selector.where, figure.found.window
    if kpi.head.kind == "distribution":
        return tenant.figure(Selector(kpi.id, "count", where), window)
    if kpi.id not in COUNTED_BY:
        raise NotLive(f"nothing counts the events of {kpi.id}: leave `min_events` out")
    return tenant.figure(Selector(COUNTED_BY[kpi.id], None, where), window)


def _shortest(kpi: Kpi) -> str:
    return kpi.head.live.windows[0] if kpi.head.live else ""


def _usual(tenant: Tenant, kpi: Kpi) -> str:
    window, live = default_window(kpi.head, tenant.config), kpi.head.live
    return window if live is None or window in live.windows else live.windows[-1]
