"""Cases of alerts on tenants' figures: what each rule of acme.toml and of the defaults should do, written down by hand."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tests.rules.promtool import Case, Check, everywhere


@dataclass(frozen=True, slots=True)
class Figure:
    """A rule, the series that it reads, a value that is too bad and one that is just well."""

    alert: str
    tenant: str
    selector: str
    window: str
    metric: str
    bad: float
    well: float
    labels: str = ""
    """Labels of the series beside tenant, window and stat."""
    stat: str = ""
    minutes: int = 0
    """How long it has to be so."""
    keep: int = 15
    """How many minutes it is kept."""
    beside: tuple[str, str, int] | None = field(default=None)
    """A count of events that is needed: metric, stat, the least."""

    @property
    def rule(self) -> dict[str, str]:
        """Labels that tell the rule from others."""
        return {"tenant": self.tenant, "selector": self.selector, "window": self.window}

    def series(self, values: str, *, events: int | None = None) -> dict[str, str]:
        """The figure's series, and that of its events."""
        found = everywhere(self.metric, self._labels(self.stat), values)
        if self.beside is not None:
            metric, stat, least = self.beside
            found |= everywhere(metric, self._labels(stat), f"{least if events is None else events}x200")
        return found

    def _labels(self, stat: str) -> str:
        of = f'tenant="{self.tenant}",window="{self.window}"'
        return of + (f',stat="{stat}"' if stat else "") + (f",{self.labels}" if self.labels else "")


ON_TIME: Final = "tidegauge_delivery_on_time_ratio"
LATENCY: Final = "tidegauge_request_latency_seconds"
COUNT: Final = "tidegauge_request_latency"
BENEVITY: Final = 'integration="benevity"'
FIGURES: Final = (
    # What acme declares to be told of.
    Figure(
        "KpiAlert",
        "acme",
        "delivery_on_time{integration=benevity}",
        "1h",
        ON_TIME,
        0.899,
        0.9,
        BENEVITY,
        keep=5,
        beside=("tidegauge_deliveries", "", 50),
    ),
    Figure(
        "KpiAlert", "acme", "request_latency.p99", "5m", LATENCY, 2.0, 1.999, stat="p99", minutes=15, beside=(COUNT, "count", 100)
    ),
    Figure("KpiAlert", "acme", "period_retention", "7d", "tidegauge_period_retention_ratio", 0.84, 0.85, minutes=240, keep=60),
    Figure("KpiAlert", "acme", "mrr", "month", "tidegauge_mrr", 1_000_000, 1_000_001, 'currency="USD"'),
    # Limits of its targets: ten minutes.
    Figure("KpiLimitBroken", "acme", "request_latency.p95", "7d", LATENCY, 0.651, 0.65, stat="p95", minutes=10),
    Figure("KpiLimitBroken", "acme", "delivery_on_time{integration=benevity}", "7d", ON_TIME, 0.899, 0.9, BENEVITY, minutes=10),
    Figure("KpiLimitBroken", "acme", "average_dau", "7d", "tidegauge_average_dau", 5.9, 6, minutes=10),
    Figure(
        "KpiLimitBroken",
        "acme",
        "mttr.mean{severity=P0,P1}",
        "7d",
        "tidegauge_mttr_seconds",
        7_200,
        7_199,
        'severity="P1"',
        stat="mean",
        minutes=10,
    ),
    Figure("KpiLimitBroken", "acme", "incidents{severity=P0,P1}", "7d", "tidegauge_incidents", 3, 2, 'severity="P0"', minutes=10),
    # What it is told of without asking.
    Figure(
        "FeatureAdoptionLow",
        "acme",
        "feature_adoption{feature=csv_export}",
        "28d",
        "tidegauge_feature_adoption_ratio",
        0.239,
        0.24,
        'feature="csv_export"',
        minutes=60,
    ),
    Figure(
        "SourceSilent",
        "acme",
        "freshness.age{source=billing}",
        "1h",
        "tidegauge_freshness_seconds",
        901,
        900,
        'source="billing"',
        stat="age",
        minutes=5,
    ),
    Figure(
        "SourceSilent",
        "acme",
        "freshness.age{source=sap (eu)}",
        "1h",
        "tidegauge_freshness_seconds",
        86_401,
        86_400,
        'source="sap (eu)"',
        stat="age",
        minutes=5,
    ),
    Figure(
        "SourceSilent",
        "acme",
        "freshness.age{source=*}",
        "1h",
        "tidegauge_freshness_seconds",
        7_201,
        7_200,
        'source="crm"',
        stat="age",
        minutes=5,
    ),
    # The defaults: of the catalog's row "alerts".
    Figure("KpiAlert", "plain", "availability", "1h", "tidegauge_availability_ratio", 0.9989, 0.999, keep=5),
    Figure(
        "KpiAlert",
        "plain",
        "error_rate",
        "5m",
        "tidegauge_error_rate_ratio",
        0.0101,
        0.01,
        keep=5,
        beside=("tidegauge_requests", "", 100),
    ),
    Figure("KpiAlert", "plain", "request_latency.p95", "5m", LATENCY, 0.501, 0.5, stat="p95", beside=(COUNT, "count", 100)),
    Figure("KpiAlert", "plain", "period_retention", "7d", "tidegauge_period_retention_ratio", 0.849, 0.85),
    Figure("KpiAlert", "plain", "customer_churn", "month", "tidegauge_customer_churn_ratio", 0.0301, 0.03, keep=60),
)
WORSE: Final = (
    ("availability", "tidegauge_availability_ratio", "", "", False),
    ("request_latency.p95", LATENCY, "p95", "", True),
    ("delivery_on_time{integration=benevity}", ON_TIME, "", BENEVITY, False),
    ("average_dau", "tidegauge_average_dau", "", "", False),
    ("mttr.mean{severity=P0,P1}", "tidegauge_mttr_seconds", "mean", 'severity="P0"', True),
    ("incidents{severity=P0,P1}", "tidegauge_incidents", "", 'severity="P0"', True),
    ("wau", "tidegauge_wau", "", "", False),
)
"""Selector, metric, statistic, labels, whether more is worse: figures of acme with weeks, on its scorecard or with a target."""


def cases() -> Iterator[Case]:
    """Cases of every figure: told of in time and kept, silent when well, with too few events, of others, and when missing."""
    for place, figure in enumerate(FIGURES):
        begin, wait = 10, figure.minutes
        ended = begin + wait + 20
        values = f"{figure.well}x{begin - 1} {figure.bad}x{wait + 19} {figure.well}x{figure.keep + 30}"
        checks = [
            Check(begin - 1),
            *([Check(begin), Check(begin + wait - 1)] if wait else []),
            Check(begin + wait, 1),
            Check(ended + figure.keep - 1, 1),
            Check(ended + figure.keep),
        ]
        yield Case(figure.alert, figure.rule, ("fires", "silent"), figure.series(values), checks)
        # A swing shorter than it has to last is nobody's business; one that is told of at once has none.
        if wait:
            swing = " ".join([f"{figure.bad}x{wait - 2} {figure.well}"] * 3)
            yield Case(figure.alert, figure.rule, ("silent",), figure.series(swing), [Check(3 * wait - 1)], alone="swing")
        if figure.beside is not None:
            few = figure.series(f"{figure.bad}x{wait + 30}", events=figure.beside[2] - 1)
            yield Case(figure.alert, figure.rule, ("silent",), few, [Check(wait + 30)], alone="few")
        yield from _of_others(figure, place)


def _of_others(figure: Figure, place: int) -> Iterator[Case]:
    """Nothing at all; the figure of somebody else, in another window, of a part where the whole is meant; one that went away."""
    name, bad, late = figure.metric, f"{figure.bad}x{figure.minutes + 30}", figure.minutes + 30
    stat = f'stat="{figure.stat}",' if figure.stat else ""
    labels = f",{figure.labels}" if figure.labels else ""
    part = figure.labels or 'service="api",component="api",integration="sap",reason="price",tier="starter"'
    series = everywhere(name, f'{stat}tenant="other-{place}",window="{figure.window}"{labels}', bad)
    series |= everywhere(name, f'{stat}tenant="{figure.tenant}",window="other-{place}"{labels}', bad)
    if not figure.labels and "{" not in figure.selector and figure.metric not in NO_PARTS:
        series |= everywhere(name, f'{stat}tenant="{figure.tenant}",window="{figure.window}",{part}', bad)
        if figure.beside is not None:
            # There are events enough, of the part and of the whole: only the figure itself is of somebody else.
            metric, counted, least = figure.beside
            of = (f'stat="{counted}",' if counted else "") + f'tenant="{figure.tenant}",window="{figure.window}"'
            series |= everywhere(metric, f"{of},{part}", f"{least}x200") | everywhere(metric, of, f"{least}x200")
    yield Case(figure.alert, figure.rule, ("silent",), series, [Check(late)], alone="others")
    yield Case(figure.alert, figure.rule, ("missing",), {}, [Check(0), Check(late)], alone="missing")
    # It fires, then its series ends: it is kept for its time, and goes.
    begin, wait = 10, figure.minutes
    values = f"{figure.well}x{begin - 1} {figure.bad}x{wait} stale"
    gone = begin + wait + 1
    checks = [Check(begin + wait, 1), Check(gone + figure.keep - 1, 1), Check(gone + figure.keep)]
    yield Case(figure.alert, figure.rule, ("missing",), figure.series(values), checks, alone="gone")


NO_PARTS: Final = frozenset({"tidegauge_average_dau", "tidegauge_period_retention_ratio", "tidegauge_mrr"})
"""Metrics that are not kept by parts."""


def weekly_cases() -> Iterator[Case]:
    """Figures week by week, a sample every six hours: worse three times in a row, and only twice."""
    week, step = 7 * 4, 6 * 60
    for selector, metric, stat, labels, more_is_worse in WORSE:
        of = 'tenant="acme",window="7d"' + (f',stat="{stat}"' if stat else "") + (f",{labels}" if labels else "")
        rule = {"tenant": "acme", "selector": selector}
        worse, pause = ((1, 2, 3, 4), (1, 2, 2, 4)) if more_is_worse else ((4, 3, 2, 1), (4, 3, 3, 1))
        fourth = 3 * week * step
        fires = [Check(fourth), Check(fourth + step, 1), Check(fourth + (week - 1) * step, 1), Check(fourth + (week + 1) * step)]
        after = " ".join(f"{value}x{week - 1}" for value in (*worse, worse[-1]))
        yield Case("KpiWorseThreeWeeks", rule, ("fires", "silent"), everywhere(metric, of, after), fires, interval="6h")
        values = " ".join(f"{value}x{week - 1}" for value in pause)
        silent = [Check(fourth + later * step) for later in (0, 1, 4, week - 1)]
        yield Case("KpiWorseThreeWeeks", rule, ("silent",), everywhere(metric, of, values), silent, interval="6h")
        young = everywhere(metric, of, " ".join(f"{value}x{week - 1}" for value in worse[1:]))
        yield Case("KpiWorseThreeWeeks", rule, ("missing",), young, [Check(2 * week * step + 2 * step)], interval="6h")
