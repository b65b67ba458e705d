"""Alerts on the service itself: whether it runs, keeps up, loses nothing, and whether its figures can be believed."""

from dataclasses import dataclass
from typing import Final

from service.domain.config.alerts import Level
from service.rules.grown import OfProcess
from service.rules.links import Links, annotated
from service.rules.model import Alerting, Group

_REQUESTS: Final = OfProcess("tidegauge_http_request_duration_seconds_count", "5m")
_DEAD: Final = OfProcess("tidegauge_dead_letters_total", "15m")
_CONSUMED: Final = OfProcess("tidegauge_aggregate_events_total", "15m")
_FLUSHES: Final = OfProcess("tidegauge_flush_failures_total", "15m")
_EVALUATIONS: Final = OfProcess("tidegauge_evaluation_failures_total", "15m")
_LOST: Final = OfProcess("tidegauge_source_lost_records_total", "15m")
_NAMES: Final = OfProcess("tidegauge_names_over_limit_total", "1h")
_COUNTERS: Final = (_REQUESTS, _DEAD, _CONSUMED, _FLUSHES, _EVALUATIONS, _LOST, _NAMES)
"""Series of most of these begin with what they are to be told of."""
_MONITORING: Final = '{job="monitoring"}'
"""Prometheus and Alertmanager, which show their counters from 0 on."""


@dataclass(frozen=True, slots=True)
class _Watch:
    """One alert on the service."""

    name: str
    level: Level
    expr: str
    summary: str
    description: str
    for_: str = ""
    doubts: bool = False
    """While it fires, figures of tenants are late or wrong: their alerts are hidden."""


_WATCHES: Final = (
    _Watch(
        "TargetDown",
        "warning",
        'up{job=~"tidegauge.*"} == 0',
        "{{ $labels.instance }} of {{ $labels.job }} does not answer",
        "Prometheus has had no answer from {{ $labels.instance }} for two minutes (up is {{ $value }}, and should be 1).",
        for_="2m",
    ),
    _Watch(
        "ApiAbsent",
        "critical",
        'absent(tidegauge_build_info{role="api"})',
        "No API runs",
        "Prometheus sees {{ $value }} API too few: none. Events are not taken, and clients are trying again.",
        for_="2m",
    ),
    _Watch(
        "AggregatorAbsent",
        "critical",
        "absent(tidegauge_leases)\nor sum(tidegauge_leases) == 0",
        "No aggregator holds a partition",
        "Events are taken and not counted: no aggregator runs, or none holds a partition; one at the least should hold all.",
        for_="2m",
        doubts=True,
    ),
    _Watch(
        "EvaluatorAbsent",
        "critical",
        "absent(tidegauge_evaluator_active)\nor sum(tidegauge_evaluator_active) == 0",
        "No evaluator works",
        "Figures on /metrics/kpis stand still: no evaluator runs, or none holds the lease; one should.",
        for_="2m",
        doubts=True,
    ),
    _Watch(
        "AggregateLag",
        "warning",
        "max(tidegauge_aggregate_lag_seconds) > 60",
        "Events wait {{ $value | humanizeDuration }} to be counted",
        "A partition was last caught up {{ $value | humanizeDuration }} ago; figures are that late. It should be below 60 s.",
        for_="5m",
        doubts=True,
    ),
    _Watch(
        "WatermarkStandsStill",
        "critical",
        "min(tidegauge_watermark_age_seconds) > 300",
        "The watermark stands still since {{ $value | humanizeDuration }}",
        "A partition has not moved for {{ $value | humanizeDuration }} (limit 5 minutes): windows do not close.",
        for_="2m",
        doubts=True,
    ),
    _Watch(
        "LedgerOutOfBalance",
        "critical",
        "max(tidegauge_ledger_mistakes and tidegauge_evaluator_active == 1) > 0",
        "The ledger does not balance",
        'Sentences of the ledger that do not add up: {{ printf "%.0f" $value }}; there should be none. '
        "`tidegauge check` says which.",
        doubts=True,
    ),
    _Watch(
        "DeadLettersRise",
        "warning",
        f"sum({_DEAD.record}) / sum({_CONSUMED.record}) > 0.01\nand sum({_DEAD.record}) >= 20",
        "{{ $value | humanizePercentage }} of events are dead-lettered",
        "In the last 15 minutes {{ $value | humanizePercentage }} of what was consumed became dead letters; at most 1% should.",
        for_="5m",
    ),
    _Watch(
        "ApiAnswersErrors",
        "critical",
        f'sum({_REQUESTS.record}{{code=~"5.."}}) / sum({_REQUESTS.record}) > 0.01\n'
        f'and sum({_REQUESTS.record}{{code=~"5.."}}) >= 10',
        "{{ $value | humanizePercentage }} of requests end in an error of the server",
        "In the last 5 minutes {{ $value | humanizePercentage }} of requests were answered with 5xx; at most 1% should be.",
        for_="2m",
    ),
    _Watch(
        "LogBacklogNearLimit",
        "critical",
        "max(tidegauge_log_backlog_events) / max(tidegauge_log_backlog_limit_events) > 0.8",
        "The log's backlog is at {{ $value | humanizePercentage }} of its limit",
        "At the limit the API answers 503 and sources wait; it is at {{ $value | humanizePercentage }}, and should be below 80%.",
        for_="5m",
    ),
    _Watch(
        "EventsVisibleLate",
        "warning",
        "histogram_quantile(0.95, sum by (le) (rate(tidegauge_event_visible_delay_seconds_bucket[5m]))) > 5",
        "Events are counted {{ $value | humanizeDuration }} after their receipt",
        "Receipt to commit takes {{ $value | humanizeDuration }} at the 95th percentile; it should be below 2 s, "
        "and is told of above 5 s.",
        for_="10m",
    ),
    _Watch(
        "FlushesFail",
        "warning",
        f'sum({_FLUSHES.record}{{cause="store"}}) > 5',
        "Flushes fail on Postgres",
        'In the last 15 minutes {{ printf "%.0f" $value }} flushes were rolled back by errors of Postgres; at most 5 should be.',
        for_="5m",
    ),
    _Watch(
        "EvaluationsFail",
        "warning",
        f"sum by (kpi) ({_EVALUATIONS.record}) > 0",
        "{{ $labels.kpi }} cannot be evaluated",
        'In the last 15 minutes it failed {{ printf "%.0f" $value }} times; it should never.',
        for_="5m",
    ),
    _Watch(
        "ReportsLate",
        "warning",
        "max(tidegauge_reports_late) > 0",
        "Reports are late",
        'Reports on schedule that are overdue: {{ printf "%.0f" $value }}; there should be none.',
        for_="5m",
    ),
    _Watch(
        "SourceRecordsLost",
        "critical",
        f"sum by (topic) ({_LOST.record}) > 0",
        "Records of {{ $labels.topic }} were dropped before they were read",
        'In the last 15 minutes {{ printf "%.0f" $value }} records were lost; there should be none.',
    ),
    _Watch(
        "SourceLagGrows",
        "warning",
        "sum by (topic) (tidegauge_source_lag_records) > 10000\n"
        "and sum by (topic) (deriv(tidegauge_source_lag_records[10m])) > 0",
        "{{ $labels.topic }} is read slower than it is written",
        'Records that wait: {{ printf "%.0f" $value }}, and growing; it should be below 10000.',
        for_="10m",
    ),
    _Watch(
        "DatabasePoolExhausted",
        "warning",
        'sum by (job, instance, process, pool) (tidegauge_database_pool_connections{state="used"})\n'
        "/ max by (job, instance, process, pool) (tidegauge_database_pool_limit_connections) >= 1",
        "All connections of the pool {{ $labels.pool }} of {{ $labels.instance }} are in use",
        "{{ $value | humanizePercentage }} of its connections have been in use for 5 minutes; it should be less than all.",
        for_="5m",
    ),
    _Watch(
        "NamesOverLimit",
        "information",
        f"sum by (kind) ({_NAMES.record}) > 0",
        "Names of the kind {{ $labels.kind }} are over their limit",
        'In the last hour {{ printf "%.0f" $value }} events were counted under ~other; none should be.',
    ),
    _Watch(
        "KpiSeriesHidden",
        "information",
        "max by (tenant) (tidegauge_kpi_series_hidden) > 0",
        "{{ $labels.tenant }} has more series than /metrics/kpis shows",
        'Hidden are {{ printf "%.0f" $value }}; none should be: alerts on them cannot fire.',
        for_="15m",
    ),
    _Watch(
        "MonitoringReloadFailed",
        "warning",
        f"prometheus_config_last_reload_successful{_MONITORING} == 0\n"
        f"or alertmanager_config_last_reload_successful{_MONITORING} == 0",
        "{{ $labels.instance }} goes on with its configuration of before",
        "{{ $labels.instance }} could not read its newest configuration or rules for five minutes (successful is {{ $value }}, "
        "and should be 1): of what is new there nobody is told.",
        for_="5m",
    ),
    _Watch(
        "RulesFail",
        "critical",
        "sum by (rule_group) (increase(prometheus_rule_evaluation_failures_total"
        '{job="monitoring",rule_group=~".*;tidegauge-.*"}[5m])) > 0',
        "Rules of {{ $labels.rule_group }} cannot be evaluated",
        'In the last 5 minutes they failed {{ printf "%.0f" $value }} times; they should never: their alerts do not fire.',
        for_="10m",
    ),
    _Watch(
        "NotificationsFail",
        "critical",
        f"sum by (integration) (increase(alertmanager_notifications_failed_total{_MONITORING}[15m])) > 0",
        "Alertmanager cannot tell people by {{ $labels.integration }}",
        'In the last 15 minutes {{ printf "%.0f" $value }} notifications were given up; none should be.',
    ),
)
_KEEP: Final[dict[Level, str]] = {"critical": "2m", "warning": "10m", "information": "1h"}


def on_itself(links: Links) -> Group:
    """The group of these alerts, and of what counters grew by before them."""
    recordings = (counter.recording() for counter in _COUNTERS)
    return Group("tidegauge-itself", (*recordings, *(_alert(watch, links) for watch in _WATCHES)))


def _alert(watch: _Watch, links: Links) -> Alerting:
    labels = {"severity": watch.level, "scope": "service"} | ({"hides": "kpis"} if watch.doubts else {})
    notes = annotated(watch.name, watch.summary, watch.description, links, tenant="", dashboard="itself")
    return Alerting(watch.name, watch.expr, labels, notes, for_=watch.for_, keep_firing_for=_KEEP[watch.level])
