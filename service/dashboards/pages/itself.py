"""The service itself: door, log, aggregation, evaluation and what they run on, an instance a line."""

from grafana_foundation_sdk.models.dashboard import Panel, Threshold

from service.catalog import Catalog
from service.dashboards import links
from service.dashboards.metrics import CHOSEN, Graphs
from service.dashboards.page import Page, Row
from service.dashboards.thresholds import GREEN, RED, YELLOW, none_allowed
from service.dashboards.units import COUNT, SECONDS


def page(catalog: Catalog) -> Page:  # noqa: ARG001  # a page like the others
    """The dashboard for whoever runs tidegauge."""
    graph = Graphs()
    return Page(
        uid=links.ITSELF,
        title="tidegauge itself",
        description="Events in, events counted, how far behind, what failed, and what the processes use.",
        since="now-6h",
        refresh="30s",
        rows=[
            Row("Now", [*_now(graph), *_oddities(graph)]),
            Row("At the door", _door(graph)),
            Row("Aggregation", _aggregation(graph)),
            Row("Evaluation and reports", _evaluation(graph)),
            Row("Topics", [*_topics(graph), *_sources(graph)], folded=True),
            Row("Processes", _processes(graph)),
        ],
    )


def _below(yellow: float, red: float) -> list[Threshold]:
    return [Threshold(color=GREEN), Threshold(value=yellow, color=YELLOW), Threshold(value=red, color=RED)]


def _now(graph: Graphs) -> list[Panel]:
    return [
        graph.figure("tidegauge_build", "Processes that answer", COUNT, 'sum(up{job="tidegauge"})', _at_least(1)),
        graph.figure(
            "tidegauge_watermark_age_seconds",
            "Age of the watermark",
            SECONDS,
            "max(tidegauge_watermark_age_seconds)",
            _below(30, 120),
        ),
        graph.figure(
            "tidegauge_aggregate_lag_events",
            "Events behind",
            COUNT,
            "sum(max by (partition) (tidegauge_aggregate_lag_events))",
            _below(100_000, 1_000_000),
        ),
        graph.figure(
            "tidegauge_event_visible_delay_seconds",
            "Receipt to visible, p95 of an hour",
            SECONDS,
            "histogram_quantile(0.95, sum by (le) (increase(tidegauge_event_visible_delay_seconds_bucket[1h])))",
            _below(2, 10),
        ),
        graph.figure(
            "tidegauge_dead_letters",
            "Dead letters of a day",
            COUNT,
            "sum(increase(tidegauge_dead_letters_total[1d])) or vector(0)",
            none_allowed(),
        ),
        graph.figure(
            "tidegauge_log_gaps", "Gaps in the log", COUNT, "sum(tidegauge_log_gaps_total) or vector(0)", none_allowed()
        ),
    ]


def _at_least(number: float) -> list[Threshold]:
    return [Threshold(color=RED), Threshold(value=number, color=GREEN)]


def _door(graph: Graphs) -> list[Panel]:
    return [
        graph.rate("tidegauge_ingest_events", "Events at the door", "outcome"),
        graph.quantiles("tidegauge_http_request_duration_seconds", "Time of a request", by="route"),
        graph.line(
            "tidegauge_http_request_duration_seconds",
            "Requests by code",
            "reqps",
            (f"sum by (code) (rate(tidegauge_http_request_duration_seconds_count{CHOSEN}[$__rate_interval]))", "{{code}}"),
            stacked=True,
        ),
        graph.quantiles("tidegauge_log_append_duration_seconds", "Time of an append"),
        graph.quantiles("tidegauge_log_append_events", "Events of an append", unit=COUNT),
        graph.line(
            "tidegauge_log_backlog_events",
            "Events that no aggregator has consumed",
            COUNT,
            (f"max(tidegauge_log_backlog_events{CHOSEN})", "backlog"),
            (f"min(tidegauge_log_backlog_limit_events{CHOSEN})", "limit"),
        ),
    ]


def _oddities(graph: Graphs) -> list[Panel]:
    return [
        graph.figure(
            "tidegauge_ledger_mistakes", "Mistakes of the ledger", COUNT, "max(tidegauge_ledger_mistakes)", none_allowed()
        ),
        graph.figure("tidegauge_evaluator_active", "Evaluators at work", COUNT, "sum(tidegauge_evaluator_active)", _at_least(1)),
        graph.figure(
            "tidegauge_log_append_backlog_events",
            "Events waiting for an append",
            COUNT,
            "sum(tidegauge_log_append_backlog_events)",
            _below(50_000, 150_000),
        ),
        graph.figure(
            "tidegauge_ingest_unknown_fields",
            "Unknown fields of a day",
            COUNT,
            "sum(increase(tidegauge_ingest_unknown_fields_total[1d]))",
            _below(1, 1_000_000),
        ),
        graph.figure(
            "tidegauge_ingest_rounded",
            "Numbers rounded in a day",
            COUNT,
            "sum(increase(tidegauge_ingest_rounded_total[1d]))",
            _below(1, 1_000_000),
        ),
        graph.figure(
            "tidegauge_database_pool_limit_connections",
            "Connections to Postgres at most",
            COUNT,
            "sum(tidegauge_database_pool_limit_connections)",
            [],
        ),
    ]


def _aggregation(graph: Graphs) -> list[Panel]:
    return [
        graph.rate("tidegauge_aggregate_events", "Events consumed", "outcome"),
        graph.line(
            "tidegauge_aggregate_lag_seconds",
            "Age of the oldest event not consumed",
            SECONDS,
            (f"max by (partition) (tidegauge_aggregate_lag_seconds{CHOSEN})", "partition {{partition}}"),
        ),
        graph.line(
            "tidegauge_watermark_age_seconds",
            "Age of the watermark",
            SECONDS,
            (f"max(tidegauge_watermark_age_seconds{CHOSEN})", "age"),
        ),
        graph.quantiles("tidegauge_flush_duration_seconds", "Time of a flush"),
        graph.quantiles("tidegauge_flush_events", "Events of a flush", unit=COUNT),
        graph.quantiles("tidegauge_event_visible_delay_seconds", "Receipt to visible"),
        graph.failures("tidegauge_dead_letters", "Dead letters of an hour", "reason"),
        graph.failures("tidegauge_flush_failures", "Flushes rolled back in an hour", "cause"),
        graph.failures("tidegauge_names_over_limit", "Events under ~other in an hour", "kind"),
        graph.line(
            "tidegauge_leases", "Partitions held", COUNT, (f"sum by (instance) (tidegauge_leases{CHOSEN})", "{{instance}}")
        ),
        graph.line(
            "tidegauge_dedupe_cached_ids",
            "Ids in memory",
            COUNT,
            (f"sum by (instance) (tidegauge_dedupe_cached_ids{CHOSEN})", "{{instance}}"),
        ),
        graph.line(
            "tidegauge_dedupe_cached_bytes",
            "Memory of ids",
            "bytes",
            (f"sum by (instance) (tidegauge_dedupe_cached_bytes{CHOSEN})", "{{instance}}"),
        ),
    ]


def _evaluation(graph: Graphs) -> list[Panel]:
    return [
        graph.quantiles("tidegauge_evaluation_duration_seconds", "Time of a round", by="round"),
        graph.failures("tidegauge_evaluation_failures", "KPIs not evaluated in an hour", "kpi"),
        graph.failures("tidegauge_report_failures", "Reports that failed in an hour", "step"),
        graph.line("tidegauge_reports_late", "Reports that are late", COUNT, (f"max(tidegauge_reports_late{CHOSEN})", "late")),
        graph.line(
            "tidegauge_kpi_files_refused",
            "Files of KPIs refused",
            COUNT,
            (f"max(tidegauge_kpi_files_refused{CHOSEN})", "refused"),
        ),
    ]


def _sources(graph: Graphs) -> list[Panel]:
    return [
        graph.line(
            f"tidegauge_source_{name}", title, COUNT, (f"max by (instance) (tidegauge_source_{name}{CHOSEN})", "{{instance}}")
        )
        for name, title in (
            ("partitions", "Partitions read"),
            ("missing_topics", "Topics missing"),
            ("waits", "Waits for the log"),
        )
    ]


def _topics(graph: Graphs) -> list[Panel]:
    lag = f"max by (topic) (tidegauge_source_lag_records{CHOSEN})"
    return [
        graph.rate("tidegauge_source_events", "Events of topics", "outcome"),
        graph.line("tidegauge_source_lag_records", "Records behind", COUNT, (lag, "{{topic}}")),
        graph.failures("tidegauge_source_failures", "Tried again in an hour", "cause"),
        graph.failures("tidegauge_source_lost_records", "Records lost in an hour", "topic"),
        graph.failures("tidegauge_source_unreadable_records", "Records unreadable in an hour", "topic"),
    ]


def _processes(graph: Graphs) -> list[Panel]:
    # Prometheus's own names: every Python process shows them.
    return [
        graph.line(
            "tidegauge_build",
            "Processes by role",
            COUNT,
            (f"count by (role) (tidegauge_build_info{CHOSEN})", "{{role}}"),
            stacked=True,
        ),
        graph.line(
            "process_cpu_seconds",
            "CPU",
            "suffix: cores",
            (f"rate(process_cpu_seconds_total{CHOSEN}[$__rate_interval])", "{{instance}}"),
        ),
        graph.line(
            "process_resident_memory_bytes", "Memory", "bytes", (f"process_resident_memory_bytes{CHOSEN}", "{{instance}}")
        ),
        graph.line(
            "tidegauge_database_pool_connections",
            "Connections to Postgres in use",
            COUNT,
            (
                'sum by (instance, pool) (tidegauge_database_pool_connections{state="used",instance=~"$instance"})',
                "{{instance}} {{pool}}",
            ),
        ),
    ]
