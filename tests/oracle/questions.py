"""What is asked of which KPI, and which loop knows the answer."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from service.catalog import Window
from tests.oracle import amounts, cases, counted, deliveries, moves, people, seconds, shares, weekly
from tests.oracle.wanted import Filters, Wanted
from tests.oracle.world import World

Figures = Callable[[World, Window, Sequence[str], Filters], Wanted]
Asked = tuple[tuple[str, ...], dict[str, tuple[str, ...]]]

OF_REQUESTS: tuple[Asked, ...] = (
    ((), {}),
    (("service",), {}),
    (("account",), {}),
    (("status",), {}),
    (("service", "error_kind"), {}),
    ((), {"account": ("acme",)}),
    (("region", "method"), {"account": ("acme", "beta")}),
    ((), {"service": ("api",), "status": ("404", "timeout")}),
    (("account",), {"route": ("/",)}),
    (("route",), {"region": ("",), "method": ("", "GET")}),
)
OF_DELIVERIES: tuple[Asked, ...] = (
    ((), {}),
    (("integration",), {}),
    (("integration", "direction"), {"direction": ("inbound",)}),
    (("account",), {}),
    (("account", "integration"), {"account": ("acme", "core")}),
    ((), {"integration": ("sap",)}),
)
OF_USES: tuple[Asked, ...] = (
    ((), {}),
    (("feature",), {}),
    (("account", "feature"), {}),
    (("feature",), {"feature": ("export", "csv_export", "search")}),
    ((), {"feature": ("export",), "account": ("acme", "beta")}),
    (("account",), {}),
    (("account", "ok"), {}),
    (("account",), {"feature": ("export", "search")}),
    (("ok",), {"account": ("beta",)}),
    (("property.plan",), {}),
)
OF_METERS: tuple[Asked, ...] = (
    ((), {"meter": ("lcp",)}),
    (("meter",), {}),
    (("meter", "account"), {}),
    (("attribute.page",), {"meter": ("lcp",)}),
    ((), {"meter": ("cost",), "account": ("acme",)}),
    ((), {"meter": ("cost",), "currency": ("EUR",)}),
    ((), {"meter": ("lcp",), "attribute.page": ("", "home"), "unit": ("",)}),
)
OF_USERS: tuple[Asked, ...] = (
    ((), {}),
    (("account",), {}),
    (("feature",), {}),
    (("account", "feature"), {}),
    (("user.role",), {}),
    (("account", "user.region"), {}),
    ((), {"account": ("acme",)}),
    ((), {"account": ("acme", "beta")}),
    (("user.role",), {"account": ("acme", "core")}),
    ((), {"feature": ("export",)}),
    (("feature",), {"feature": ("export", "audit"), "user.role": ("admin", "")}),
    ((), {"user.role": ("member",), "account": ("beta",)}),
)
OF_USES_BY_USER: tuple[Asked, ...] = (
    (("user.role",), {}),
    (("feature", "user.region"), {}),
    (("account", "user.role"), {}),
    (("account", "feature", "user.role"), {}),
    ((), {"user.role": ("admin", "")}),
    (("user.role", "user.region"), {"feature": ("csv_export",)}),
    (("feature",), {"feature": ("export", "csv_export"), "user.role": ("member",)}),
    (("user.role",), {"account": ("acme", "beta"), "feature": ("csv_export",)}),
)
OF_FREQUENCY: tuple[Asked, ...] = (
    *((by, filters) for by, filters in OF_USES_BY_USER if "feature" in by or len(filters.get("feature", ())) == 1),
    (("feature",), {}),
    (("account", "feature"), {}),
)
OF_PEOPLE = tuple((by, filters) for by, filters in OF_USERS if "feature" not in {*by, *filters})
OF_FEATURES = tuple((by, filters) for by, filters in OF_USERS if "feature" in {*by, *filters})
OF_HEATMAP = tuple(((*by, "weekday"), filters) for by, filters in OF_FEATURES if "feature" in by)
OF_SECONDS: tuple[Asked, ...] = (
    ((), {}),
    (("component",), {}),
    (("account",), {}),
    (("monitor",), {}),
    (("component", "region"), {}),
    ((), {"component": ("api",)}),
    (("component",), {"component": ("mail", "undeclared")}),
    ((), {"account": ("acme",)}),
    (("component",), {"account": ("acme", "beta")}),
    ((), {"monitor": ("second",)}),
)
OF_CASES: tuple[Asked, ...] = (
    ((), {}),
    (("severity",), {}),
    (("service", "kind"), {}),
    (("account",), {}),
    (("account", "severity"), {"severity": ("P0", "P1")}),
    (("severity",), {"severity": ("P0", "P2"), "service": ("api", "")}),
    ((), {"account": ("acme",)}),
    ((), {"cause": ("",)}),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A KPI, how the oracle knows it, and what of it is asked."""

    kpi: str
    figures: Figures
    questions: tuple[Asked, ...]
    apart: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()


SHARES = (*deliveries.SHARES, "deliveries", "delivery_recovered", "delivery_latency")
COUNTED = (
    Subject("requests", counted.kpi_requests, OF_REQUESTS),
    Subject("api_success", counted.kpi_api_success, (*OF_REQUESTS[:3], *OF_REQUESTS[5:7])),
    Subject("error_rate", counted.kpi_error_rate, OF_REQUESTS),
    Subject("request_latency", counted.kpi_request_latency, OF_REQUESTS),
    *(Subject(kpi, partial(deliveries.delivery, kpi), OF_DELIVERIES) for kpi in SHARES),
    Subject("feature_uses", amounts.kpi_feature_uses, OF_USES),
    Subject("meter", amounts.kpi_meter, OF_METERS, ("unit", "currency")),
)
OF_DAYS = (
    Subject("wau", people.kpi_active, OF_USERS),
    Subject("mau", people.kpi_active, OF_USERS),
    Subject("average_dau", partial(people.average_dau, kind="all"), OF_USERS),
    Subject("average_dau", partial(people.average_dau, kind="business"), OF_USERS, parameters=(("days", "business"),)),
    Subject("stickiness_weekly", partial(people.stickiness, kind="business"), OF_USERS),
    Subject("stickiness_monthly", partial(people.stickiness, kind="all"), OF_USERS),
    Subject("new_users", people.kpi_new_users, OF_PEOPLE),
    Subject("feature_adoption", partial(people.features, "feature_adoption"), OF_FEATURES),
    Subject("feature_users", partial(people.features, "feature_users"), OF_FEATURES),
    Subject("feature_heatmap", people.kpi_heatmap, OF_HEATMAP),
    Subject("wau_share", partial(shares.share, "provisioned"), OF_USERS),
    Subject("mau_share", partial(shares.share, "activated"), OF_USERS, parameters=(("denominator", "activated"),)),
    Subject("first_value_achieved", partial(shares.kpi_milestone, "first_value"), OF_PEOPLE),
    Subject("ftue_completion", partial(shares.kpi_milestone, "ftue_completed"), OF_PEOPLE),
    *(Subject(name, partial(moves.turnover, name), OF_PEOPLE) for name in moves.TURNOVER),
    Subject("period_retention", moves.kpi_period_retention, OF_PEOPLE),
    Subject("repeat_visit", moves.kpi_repeat_visit, OF_PEOPLE),
    Subject("retention", moves.kpi_retention, OF_PEOPLE),
    Subject("time_to_first_value", shares.kpi_time_to_first_value, OF_PEOPLE),
)
OF_A_DAY = (
    Subject("dau", people.kpi_active, OF_USERS),
    Subject("dau_share", partial(shares.share, "provisioned"), OF_USERS),
)
OF_STATES = (
    *(
        Subject(name, partial(seconds.kpi, name), OF_SECONDS)
        for name in ("availability", "downtime", "planned_downtime", "degraded_time", "probe_coverage")
    ),
    Subject("probe_success", seconds.kpi_probe_success, OF_SECONDS),
    *(Subject(name, partial(cases.incidents, name), OF_CASES) for name in ("incidents", "false_positives", "open_incidents")),
    *(Subject(name, partial(cases.times, name), OF_CASES) for name in ("mttd", "mtta", "mttr")),
)
OF_WEEKS = (
    Subject("feature_uses", partial(weekly.uses_by_user, "feature_uses"), OF_USES_BY_USER),
    Subject("usage_frequency", partial(weekly.uses_by_user, "usage_frequency"), OF_FREQUENCY),
)
SUBJECTS = {"any": COUNTED, "days": OF_DAYS, "weeks": OF_WEEKS, "day": OF_A_DAY, "quarters": OF_STATES}
"""By the kind of windows that they are asked for."""


def some(pick: random.Random, asked: Sequence[Asked], most: int) -> list[Asked]:
    """A few of the questions."""
    return pick.sample(asked, k=min(most, len(asked)))
