"""Cases of alerts on the service itself and of those for all tenants, written down by hand."""

from dataclasses import dataclass, field
from typing import Final

from tests.rules.promtool import Case, Check

JOB: Final = 'instance="aggregate-1",job="tidegauge"'
SECOND: Final = 'instance="aggregate-2",job="tidegauge"'
PROMETHEUS: Final = 'instance="prometheus",job="monitoring"'
ALERTMANAGER: Final = 'instance="alertmanager",job="monitoring"'
OUR_RULES: Final = 'rule_group="/etc/prometheus/rules/tidegauge-slo.yml;tidegauge-slo"'


@dataclass(frozen=True, slots=True)
class Watch:
    """A rule; series under which it has to fire, at which minute first, and others under which it may not."""

    alert: str
    bad: dict[str, str]
    first: int
    """The minute at which it fires; not one before."""
    well: dict[str, str]
    until: int = 40
    rule: dict[str, str] = field(default_factory=dict)
    missing_fires: bool = False
    """Whether the very absence is what it tells of."""

    def cases(self) -> list[Case]:
        """What becomes of it."""
        fires = [*([Check(self.first - 1)] if self.first else []), Check(self.first, 1)]
        missing = Case(self.alert, self.rule, ("missing",), {}, [Check(self.until, 1 if self.missing_fires else None)])
        return [
            Case(self.alert, self.rule, ("fires",), self.bad, fires, alone=self.alert),
            Case(self.alert, self.rule, ("silent",), self.well, [Check(self.first), Check(self.until)], alone=self.alert),
            missing,
        ]


def of(name: str, labels: str = "", values: str = "1x60", *, job: str = JOB) -> dict[str, str]:
    """One series."""
    return {f"{name}{{{labels}{',' if labels else ''}{job}}}": values}


CONSUMED: Final = of("tidegauge_aggregate_events_total", 'outcome="stored"', "0+1000x60")
WATCHES: Final = (
    Watch("TargetDown", of("up", values="1x9 0x30"), 12, of("up", values="1x9 0x1 1x40") | {'up{job="monitoring"}': "0x60"}),
    Watch(
        "ApiAbsent",
        of("tidegauge_build_info", 'role="aggregate"'),
        2,
        of("tidegauge_build_info", 'role="api"'),
        missing_fires=True,
    ),
    Watch(
        "AggregatorAbsent",
        of("tidegauge_leases", values="2x9 0x30"),
        12,
        of("tidegauge_leases", values="0x60") | of("tidegauge_leases", values="4x60", job=SECOND),
        missing_fires=True,
    ),
    Watch(
        "EvaluatorAbsent",
        of("tidegauge_evaluator_active", values="1x9 0x30"),
        12,
        of("tidegauge_evaluator_active", values="0x60") | of("tidegauge_evaluator_active", values="1x60", job=SECOND),
        missing_fires=True,
    ),
    Watch(
        "AggregateLag",
        of("tidegauge_aggregate_lag_seconds", 'partition="2"', "0x9 61x30"),
        15,
        of("tidegauge_aggregate_lag_seconds", 'partition="2"', "60x60"),
    ),
    Watch(
        "WatermarkStandsStill",
        of("tidegauge_watermark_age_seconds", values="1x9 301x40")
        | of("tidegauge_watermark_age_seconds", values="302x50", job=SECOND),
        12,
        # One aggregator that has lost its database knows no better; another one does.
        of("tidegauge_watermark_age_seconds", values="900x60") | of("tidegauge_watermark_age_seconds", values="2x60", job=SECOND),
    ),
    Watch(
        "LedgerOutOfBalance",
        of("tidegauge_ledger_mistakes", values="0x9 1x40") | of("tidegauge_evaluator_active"),
        10,
        # What one that stands by has found once counts no more.
        of("tidegauge_ledger_mistakes", values="1x60")
        | of("tidegauge_evaluator_active", values="0x60")
        | of("tidegauge_ledger_mistakes", values="0x60", job=SECOND)
        | of("tidegauge_evaluator_active", job=SECOND),
    ),
    Watch(
        # 20 of 1,000 a minute from the 10th minute on: 1 % of 15 minutes is passed after 8 of them, and it lasts 5.
        "DeadLettersRise",
        CONSUMED | of("tidegauge_dead_letters_total", 'reason="too_late"', "0x9 0+20x50"),
        10 + 8 + 5,
        # Nine of a thousand; and nineteen of nearly nothing.
        CONSUMED | of("tidegauge_dead_letters_total", 'reason="too_late"', "0+9x60"),
    ),
    Watch(
        # 4 of 100 a minute from the 10th on: 1 % of five minutes is passed after 2 of them, ten of them after 3, and it lasts 2.
        "ApiAnswersErrors",
        of("tidegauge_http_request_duration_seconds_count", 'code="202"', "0+96x60")
        | of("tidegauge_http_request_duration_seconds_count", 'code="503"', "0x9 0+4x50"),
        10 + 3 + 2,
        of("tidegauge_http_request_duration_seconds_count", 'code="202"', "0+1x60")
        | of("tidegauge_http_request_duration_seconds_count", 'code="500"', "0x9 1x50"),
    ),
    Watch(
        "LogBacklogNearLimit",
        of("tidegauge_log_backlog_events", values="0x9 801x40") | of("tidegauge_log_backlog_limit_events", values="1000x60"),
        15,
        of("tidegauge_log_backlog_events", values="800x60") | of("tidegauge_log_backlog_limit_events", values="1000x60"),
    ),
    Watch(
        "EventsVisibleLate",
        of("tidegauge_event_visible_delay_seconds_bucket", 'le="5.0"', "0x60")
        | of("tidegauge_event_visible_delay_seconds_bucket", 'le="10.0"', "0+10x60")
        | of("tidegauge_event_visible_delay_seconds_bucket", 'le="+Inf"', "0+10x60"),
        1 + 10,
        of("tidegauge_event_visible_delay_seconds_bucket", 'le="5.0"', "0+10x60")
        | of("tidegauge_event_visible_delay_seconds_bucket", 'le="10.0"', "0+10x60")
        | of("tidegauge_event_visible_delay_seconds_bucket", 'le="+Inf"', "0+10x60"),
    ),
    Watch(
        "FlushesFail",
        of("tidegauge_flush_failures_total", 'cause="store"', "0x9 0+1x50"),
        10 + 6 + 5,
        of("tidegauge_flush_failures_total", 'cause="store"', "0x9 5x50")
        | of("tidegauge_flush_failures_total", 'cause="lease"', "0+9x60"),
    ),
    Watch(
        "EvaluationsFail",
        of("tidegauge_evaluation_failures_total", 'kpi="nps"', "0x9 1x50"),
        10 + 5,
        of("tidegauge_evaluation_failures_total", 'kpi="nps"', "3x60"),
    ),
    Watch("ReportsLate", of("tidegauge_reports_late", values="0x9 1x40"), 15, of("tidegauge_reports_late", values="0x60")),
    Watch(
        # The series is there with its first loss; a source that was away for too long tells of it as it begins.
        "SourceRecordsLost",
        of("tidegauge_source_lost_records_total", 'topic="orders",partition="0"', "_x9 5x50")
        | of("tidegauge_source_lost_records_created", 'topic="orders",partition="0"', "_x9 510x50"),
        9,
        # A loss of an hour ago, which a gap of a few scrapes does not make a new one.
        of("tidegauge_source_lost_records_total", 'topic="orders",partition="0"', "0x9 5x29 _x4 5x60"),
        until=57,
    ),
    Watch(
        "SourceLagGrows",
        of("tidegauge_source_lag_records", 'topic="orders",partition="0"', "10001+10x60"),
        1 + 10,
        # Much, and less every minute.
        of("tidegauge_source_lag_records", 'topic="orders",partition="0"', "90000-10x60")
        | of("tidegauge_source_lag_records", 'topic="small",partition="0"', "0+100x60"),
    ),
    Watch(
        "DatabasePoolExhausted",
        of("tidegauge_database_pool_connections", 'pool="log",state="used"', "1x9 4x40")
        | of("tidegauge_database_pool_limit_connections", 'pool="log"', "4x60"),
        15,
        # Three roles behind one address (`tidegauge up`), each with a pool of its own that is not all used.
        {
            series: values
            for process in ("api", "aggregate", "evaluate")
            for series, values in (
                of("tidegauge_database_pool_connections", f'pool="log",state="used",process="{process}"', "3x60")
                | of("tidegauge_database_pool_limit_connections", f'pool="log",process="{process}"', "4x60")
            ).items()
        },
    ),
    Watch(
        "NamesOverLimit",
        of("tidegauge_names_over_limit_total", 'kind="feature"', "0x9 1x40"),
        10,
        of("tidegauge_names_over_limit_total", 'kind="feature"', "7x60"),
    ),
    Watch(
        "KpiSeriesHidden",
        of("tidegauge_kpi_series_hidden", 'tenant="acme"', "0x9 3x40"),
        25,
        of("tidegauge_kpi_series_hidden", 'tenant="acme"', "0x60"),
    ),
    Watch(
        "MonitoringReloadFailed",
        of("alertmanager_config_last_reload_successful", values="1x9 0x40", job=ALERTMANAGER)
        | of("prometheus_config_last_reload_successful", job=PROMETHEUS),
        15,
        # A file that is just being written, and a Prometheus of somebody else.
        of("prometheus_config_last_reload_successful", values="1x9 0x3 1x50", job=PROMETHEUS)
        | of("prometheus_config_last_reload_successful", values="0x60", job='instance="theirs",job="prometheus"'),
    ),
    Watch(
        # Five failures a minute, the first of them at the 11th.
        "RulesFail",
        of("prometheus_rule_evaluation_failures_total", OUR_RULES, "0x9 0+5x50", job=PROMETHEUS),
        11 + 10,
        # One that was too slow for once, and rules of somebody else.
        of("prometheus_rule_evaluation_failures_total", OUR_RULES, "0x9 1x50", job=PROMETHEUS)
        | of("prometheus_rule_evaluation_failures_total", 'rule_group="/etc/their.yml;theirs"', "0+5x60", job=PROMETHEUS),
    ),
    Watch(
        "NotificationsFail",
        of("alertmanager_notifications_failed_total", 'integration="webhook"', "0x9 1x50", job=ALERTMANAGER),
        10,
        of("alertmanager_notifications_failed_total", 'integration="webhook"', "3x60", job=ALERTMANAGER),
    ),
)
