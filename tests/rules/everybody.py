"""Cases of the alerts that are for all tenants, written down by hand; samples come every six hours where weeks matter."""

from collections.abc import Iterator
from typing import Final

from tests.rules.promtool import Case, Check, Why, everywhere

STEP: Final = 6 * 60
DAY: Final = 4
"""Samples of a day."""


def cases() -> Iterator[Case]:
    """What is told at once."""
    incidents = everywhere("tidegauge_open_incidents", 'tenant="acme",window="1h",kind="security"', "0x9 1x20 0x40")
    others = everywhere("tidegauge_open_incidents", 'tenant="acme",window="1h",kind="availability"', "3x60")
    others |= everywhere("tidegauge_open_incidents", 'tenant="acme",window="1h"', "3x60")
    others |= everywhere("tidegauge_open_incidents", 'tenant="acme",window="1h",severity="P0"', "3x60")
    rule = {"tenant": "acme", "kpi": "open_incidents"}
    told = [Check(9), Check(10, 1), Check(30, 1), Check(31 + 4, 1), Check(31 + 5)]
    yield Case("SecurityIncidentOpen", rule, ("fires", "silent"), incidents | others, told, alone="incidents")
    yield Case("SecurityIncidentOpen", rule, ("silent",), others, [Check(0), Check(60)])
    yield Case("SecurityIncidentOpen", rule, ("missing",), {}, [Check(60)])

    yield from _tickets()


def _tickets() -> Iterator[Case]:
    alert, rule = "TicketNearLimit", {"tenant": "acme", "kpi": "support_sla"}
    here, there = 'instance="evaluate-1",job="tidegauge"', 'instance="evaluate-2",job="tidegauge"'
    active = {f"tidegauge_evaluator_active{{{here}}}": "1x60", f"tidegauge_evaluator_active{{{there}}}": "0x60"}
    near = f'tidegauge_tickets_near_limit{{tenant="acme",{here}}}'
    told = [Check(9), Check(10, 1), Check(11 + 14, 1), Check(11 + 15)]
    yield Case(alert, rule, ("fires",), active | {near: "_x10 2x0 stale"}, told, alone="near")
    # What the one that stands by has counted before.
    before = {f'tidegauge_tickets_near_limit{{tenant="acme",{there}}}': "2x60", near: "0x60"}
    yield Case(alert, rule, ("silent",), active | before, [Check(1), Check(60)], alone="near")
    yield Case(alert, rule, ("missing",), active, [Check(60)], alone="near")


def slow_cases() -> Iterator[Case]:
    """What is told against days or weeks before."""
    yield from _risk()
    yield from _new_users()
    yield from _steady_source()


def _risk() -> Iterator[Case]:
    alert, rule = "AccountRiskWorse", {"tenant": "acme", "kpi": "churn_risk"}
    of = 'tenant="acme",window="30d",account="{}"'
    # From yellow (30) to orange (45) after a day: told of for a day, until that was so yesterday, too.
    worse = everywhere("tidegauge_churn_risk", of.format("Smith"), f"30x{DAY - 1} 45x{3 * DAY}")
    checks = [Check((DAY - 1) * STEP), Check(DAY * STEP, 1), Check((2 * DAY - 1) * STEP, 1), Check((2 * DAY + 1) * STEP)]
    yield Case(alert, rule, ("fires",), worse, checks, interval="6h", alone="risk")
    # On the edge of a band; from red to green; the mean of all.
    well = everywhere("tidegauge_churn_risk", of.format("Jones"), f"21x{DAY - 1} 40x{3 * DAY}")
    well |= everywhere("tidegauge_churn_risk", of.format("Better"), f"80x{DAY - 1} 5x{3 * DAY}")
    well |= everywhere("tidegauge_churn_risk", 'tenant="acme",window="30d"', f"5x{DAY - 1} 80x{3 * DAY}")
    yield Case(alert, rule, ("silent",), well, [Check(DAY * STEP), Check(2 * DAY * STEP)], interval="6h")
    # One that was not there yesterday has no band to come from.
    young = everywhere("tidegauge_churn_risk", of.format("New"), f"_x{DAY} 90x2")
    yield Case(alert, rule, ("missing",), young, [Check((DAY + 1) * STEP)], interval="6h")


def _new_users() -> Iterator[Case]:
    alert, week = "FewerNewUsers", 7 * DAY
    told: tuple[tuple[str, int, int, Why, int | None], ...] = (
        ("acme", 20, 15, "fires", 1),
        ("steady", 20, 16, "silent", None),
        ("small", 19, 1, "silent", None),
    )
    for tenant, before, now, why, firing in told:
        rule = {"tenant": tenant, "kpi": "new_users"}
        values = everywhere("tidegauge_new_users", f'tenant="{tenant}",window="7d"', f"{before}x{week - 1} {now}x{2 * week}")
        # It has to be so for an hour: the next sample after it.
        checks = [Check(week * STEP), Check((week + 1) * STEP, firing), Check((2 * week - 1) * STEP, firing)]
        yield Case(alert, rule, (why,), values, checks, interval="6h", alone="users")
    young = everywhere("tidegauge_new_users", 'tenant="acme",window="7d"', f"0x{week - 1}")
    yield Case(alert, {"tenant": "acme", "kpi": "new_users"}, ("missing",), young, [Check((week - 1) * STEP)], interval="6h")


def _steady_source() -> Iterator[Case]:
    alert, week = "SteadySourceSilent", 7 * DAY
    of = 'tenant="{}",window="1h",stat="age",source="/web"'
    # Never older than an hour for a week and a day, then silent; one that slept the night before last; one of today.
    told: tuple[tuple[str, str, Why, int | None], ...] = (
        ("acme", f"60x{week + DAY} 3601x{DAY} 90000x8", "fires", 1),
        ("sleeps", f"60x{week} 9000x1 60x{DAY} 3601x{DAY}", "silent", None),
        ("hourly", f"60x{week + DAY} 3600x{DAY}", "silent", None),
        ("new", f"_x{week} 60x{DAY} 3601x{DAY}", "missing", None),
    )
    silent = week + DAY + 1
    for tenant, values, why, firing in told:
        checks = [Check((silent - 1) * STEP), Check((silent + 1) * STEP, firing)]
        if firing:
            # After a day it is what it is: one that does not always send.
            checks.append(Check((silent + DAY + 3) * STEP))
        rule = {"tenant": tenant, "kpi": "freshness"}
        series = everywhere("tidegauge_freshness_seconds", of.format(tenant), values)
        yield Case(alert, rule, (why,), series, checks, interval="6h", alone="source")
