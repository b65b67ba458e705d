"""Alerts on figures of all tenants that need no configuration, one rule for everybody: the tenant is a label of the series."""

from typing import Final

from service.domain.config.alerts import Level
from service.rules.figures import KEEP
from service.rules.links import Dashboard, Links, annotated
from service.rules.model import Alerting, Group
from service.rules.promql import newest, series

RISK_EDGES: Final = (20, 40, 60)
"""Points of churn risk above which the next band begins (kpis.md, `churn_risk`)."""
FEWER: Final = 0.8
"""Of the new users of the week before."""
LEAST_NEW_USERS: Final = 20
ALWAYS_S: Final = 3_600
"""A source that was never silent for longer than this always sends."""
_TENANT: Final = "{{ $labels.tenant }}"


def for_everybody(links: Links) -> Group:
    """The group of these alerts."""
    return Group("tidegauge-everybody", (_risk(links), _incident(links), _ticket(links), _fewer(links), _silent(links)))


def _risk(links: Links) -> Alerting:
    """An account that moved to a worse band within the last day."""
    accounts = series("tidegauge_churn_risk", {"window": ("30d",), "stat": ("",)}).replace("}", ',account!=""}')
    now, before = (newest(f"{accounts}{offset}", ("tenant", "account")) for offset in ("", " offset 1d"))
    bands = [" + ".join(f"({risk} > bool {edge})" for edge in RISK_EDGES) for risk in (now, before)]
    return _alert(
        "AccountRiskWorse",
        f"({bands[0]})\n> ({bands[1]})",
        f"{_TENANT}: {{{{ $labels.account }}}} is in a worse band of churn risk than yesterday",
        'It is in band {{ printf "%.0f" $value }} now (0 green, 1 yellow, 2 orange, 3 red), '
        "and should not be in a worse one than a day ago.",
        links,
        kpi="churn_risk",
        level="warning",
        dashboard="accounts",
    )


def _incident(links: Links) -> Alerting:
    """An open incident of security, or a breach of data."""
    incidents = series(
        "tidegauge_open_incidents", {"window": ("1h",), "stat": ("",), "kind": ("security", "data_breach"), "severity": ("",)}
    )
    return _alert(
        "SecurityIncidentOpen",
        f"{newest(incidents, ('tenant', 'kind'))} > 0",
        f"{_TENANT}: an incident of the kind {{{{ $labels.kind }}}} is open",
        'Open incidents of the kind {{ $labels.kind }}: {{ printf "%.0f" $value }}; there should be none.',
        links,
        kpi="open_incidents",
        level="critical",
        dashboard="incidents",
    )


def _ticket(links: Links) -> Alerting:
    """Open tickets whose limits end within the hour; what an evaluator has counted that stands by now counts no more."""
    works = "on (job, instance, process) tidegauge_evaluator_active == 1"
    return _alert(
        "TicketNearLimit",
        f"max by (tenant) (tidegauge_tickets_near_limit and {works}) > 0",
        f"{_TENANT}: limits of tickets end within the hour",
        'Open tickets of which a limit of response or resolution ends within the hour: {{ printf "%.0f" $value }}; '
        "none should get there.",
        links,
        kpi="support_sla",
        level="warning",
        dashboard="support",
    )


def _fewer(links: Links) -> Alerting:
    """Fewer new users than in the week before, where there were enough to tell."""
    users = series("tidegauge_new_users", {"window": ("7d",), "stat": ("",), "account": ("",)})
    now, before = newest(users, ("tenant",)), newest(f"{users} offset 7d", ("tenant",))
    return _alert(
        "FewerNewUsers",
        f"{now} / ({before} >= {LEAST_NEW_USERS}) < {FEWER}",
        f"{_TENANT}: fewer new users than in the week before",
        f"New users of the last 7 days are {{{{ $value | humanizePercentage }}}} of those of the 7 days before; "
        f"to be told of below {FEWER:.0%}, where those were {LEAST_NEW_USERS} or more.",
        links,
        kpi="new_users",
        level="information",
        dashboard="adoption",
        for_="1h",
    )


def _silent(links: Links) -> Alerting:
    """A source that sent nothing for an hour and never did so in the week before."""
    ages = series("tidegauge_freshness_seconds", {"window": ("1h",), "stat": ("age",)}).replace("}", ',source!=""}')
    by = ("tenant", "source")
    now = f"{newest(ages, by)} > {ALWAYS_S}"
    always = f"{newest(f'max_over_time({ages}[6d] offset 1d)', by)} <= {ALWAYS_S}"
    return _alert(
        "SteadySourceSilent",
        f"{now}\nand {always}\nand {newest(f'{ages} offset 7d', by)}",
        f"{_TENANT}: {{{{ $labels.source }}}} always sends, and sends nothing",
        f"Its newest event is {{{{ $value | humanizeDuration }}}} old; in the week before it was never older than {ALWAYS_S} s.",
        links,
        kpi="freshness",
        level="warning",
        dashboard="service-level",
        for_="5m",
    )


def _alert(
    name: str,
    expr: str,
    summary: str,
    description: str,
    links: Links,
    *,
    kpi: str,
    level: Level,
    dashboard: Dashboard,
    for_: str = "",
) -> Alerting:
    notes = annotated(name, summary, description, links, tenant=_TENANT, dashboard=dashboard)
    labels = {"severity": level, "scope": "kpi", "kpi": kpi}
    return Alerting(name, expr, labels, notes, for_=for_, keep_firing_for=KEEP[level])
