"""Every metric of the process, named once; and the form of the logs."""

import logging
import sys
from bisect import bisect_left
from collections.abc import Callable

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector

from service import __version__

LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
VISIBLE_BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0)
BATCH_BUCKETS = (1, 10, 100, 1_000, 5_000, 10_000, 50_000, 100_000)


class ManyHistogram(Histogram):
    """A histogram that takes many equal observations at once: an event each would cost more than folding it."""

    def observe_many(self, amount: float, count: int) -> None:
        """Observe `amount` `count` times."""
        self._sum.inc(amount * count)
        self._buckets[bisect_left(self._upper_bounds, amount)].inc(count)


class Telemetry:
    """The metrics of one process, on a registry of its own; those of other roles are there and are not shown.

    Each counter and histogram shows since when it counts (`…_created`): alerts tell by it a series that appears from an old one.
    """

    def __init__(self, role: str) -> None:
        self.registry = registry = CollectorRegistry()
        door = None if role in {"aggregate", "evaluate"} else registry
        fold = None if role in {"api", "evaluate", "import", "source"} else registry
        live = None if role in {"api", "aggregate", "import", "source"} else registry
        shown = None if role in {"aggregate", "import", "source"} else registry
        topics = None if role in {"api", "aggregate", "evaluate", "import"} else registry
        self.build = Info("tidegauge_build", "Version and role of the process", registry=registry)
        self.build.info({"version": __version__, "role": role})
        ProcessCollector(registry=registry)
        # ingest
        self.ingest_events = Counter(
            "tidegauge_ingest_events", "Events at the door, by outcome (accepted or the reason)", ["outcome"], registry=door
        )
        self.ingest_unknown_fields = Counter(
            "tidegauge_ingest_unknown_fields", "Fields of `data` that the contract does not know", registry=door
        )
        self.ingest_rounded = Counter("tidegauge_ingest_rounded", "Numbers rounded to their last kept digit", registry=door)
        self.http_requests = Histogram(
            "tidegauge_http_request_duration_seconds",
            "Requests to the API",
            ["route", "method", "code"],
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.append_seconds = Histogram(
            "tidegauge_log_append_duration_seconds", "Appends to the event log", buckets=LATENCY_BUCKETS_S, registry=door
        )
        self.append_events = Histogram(
            "tidegauge_log_append_events", "Events in one append", buckets=BATCH_BUCKETS, registry=door
        )
        self.append_backlog = Gauge("tidegauge_log_append_backlog_events", "Events waiting for an append", registry=door)
        self.log_backlog = Gauge(
            "tidegauge_log_backlog_events", "Events in the log that no aggregator has consumed", registry=door
        )
        self.log_backlog_limit = Gauge(
            "tidegauge_log_backlog_limit_events", "Events in the log above which the API takes none", registry=door
        )
        # reports
        self.reports_late = Gauge(
            "tidegauge_reports_late", "Reports on schedule that are due for a quarter of an hour and not made", registry=live
        )
        self.report_failures = Counter(
            "tidegauge_report_failures", "Reports that could not be made, or posted to their webhook", ["step"], registry=live
        )
        # source
        self.source_events = Counter(
            "tidegauge_source_events",
            "Events of topics, by outcome (accepted or the reason)",
            ["topic", "outcome"],
            registry=topics,
        )
        self.source_lag = Gauge(
            "tidegauge_source_lag_records", "Records of a topic not yet in the log", ["topic", "partition"], registry=topics
        )
        self.source_lost = Counter(
            "tidegauge_source_lost_records",
            "Records that a topic dropped before they were read",
            ["topic", "partition"],
            registry=topics,
        )
        self.source_unreadable = Counter(
            "tidegauge_source_unreadable_records",
            "Offsets of batches that could not be read: one dead letter a batch says which",
            ["topic"],
            registry=topics,
        )
        self.source_missing = Gauge("tidegauge_source_missing_topics", "Topics that are bound and do not exist", registry=topics)
        self.source_partitions = Gauge("tidegauge_source_partitions", "Partitions that this process reads", registry=topics)
        self.source_waits = Gauge("tidegauge_source_waits", "1 while nothing is read, for the log has no room", registry=topics)
        self.source_failures = Counter(
            "tidegauge_source_failures", "What had to be tried again, by cause (kafka, log or commit)", ["cause"], registry=topics
        )
        # aggregate
        self.consumed = Counter("tidegauge_aggregate_events", "Events consumed, by outcome", ["outcome"], registry=fold)
        self.dead_letters = Counter("tidegauge_dead_letters", "Dead letters, by reason", ["reason"], registry=fold)
        self.flush_seconds = Histogram(
            "tidegauge_flush_duration_seconds", "Flush transactions", buckets=LATENCY_BUCKETS_S, registry=fold
        )
        self.flush_events = Histogram("tidegauge_flush_events", "Events in one flush", buckets=BATCH_BUCKETS, registry=fold)
        self.flush_failures = Counter(
            "tidegauge_flush_failures", "Flushes that were rolled back, by cause", ["cause"], registry=fold
        )
        self.visible_seconds = ManyHistogram(
            "tidegauge_event_visible_delay_seconds",
            "Receipt to commit in the rollups",
            buckets=VISIBLE_BUCKETS_S,
            registry=fold,
        )
        self.lag_events = Gauge(
            "tidegauge_aggregate_lag_events", "Events appended and not yet consumed", ["partition"], registry=fold
        )
        self.lag_seconds = Gauge(
            "tidegauge_aggregate_lag_seconds", "Age of the oldest event not yet consumed", ["partition"], registry=fold
        )
        self.watermark_age = Gauge("tidegauge_watermark_age_seconds", "Age of the watermark", registry=fold)
        self.log_gaps = Counter("tidegauge_log_gaps", "Sequences of a producer that are missing in the log", registry=fold)
        self.leases = Gauge("tidegauge_leases", "Partitions held by this process", registry=fold)
        self.dedupe_ids = Gauge("tidegauge_dedupe_cached_ids", "Ids held in memory", registry=fold)
        self.dedupe_bytes = Gauge("tidegauge_dedupe_cached_bytes", "Memory of the ids held", registry=fold)
        self.names_over_limit = Counter(
            "tidegauge_names_over_limit", "Events counted under ~other, by kind of name", ["kind"], registry=fold
        )
        # evaluate, store
        self.evaluations = Histogram(
            "tidegauge_evaluation_duration_seconds",
            "One round of the evaluator",
            ["round"],
            buckets=LATENCY_BUCKETS_S,
            registry=live,
        )
        self.evaluation_failures = Counter(
            "tidegauge_evaluation_failures", "KPIs that could not be evaluated", ["kpi"], registry=live
        )
        self.evaluator_active = Gauge(
            "tidegauge_evaluator_active",
            "1 while this process holds the lease and evaluates, and does not stand by",
            registry=live,
        )
        self.ledger_mistakes = Gauge(
            "tidegauge_ledger_mistakes",
            "What did not add up when the ledger was last looked at, every five minutes",
            registry=live,
        )
        self.tickets_near_limit = Gauge(
            "tidegauge_tickets_near_limit", "Open tickets of which a limit ends within the hour", ["tenant"], registry=live
        )
        self.kpis_refused = Gauge("tidegauge_kpi_files_refused", "Files of KPIs that were refused at start", registry=shown)
        self.pool_connections = Gauge(
            "tidegauge_database_pool_connections",
            "Connections to Postgres, by pool (general or log) and state (idle or used)",
            ["pool", "state"],
            registry=registry,
        )
        self.pool_limit = Gauge(
            "tidegauge_database_pool_limit_connections", "Most connections of a pool", ["pool"], registry=registry
        )

    def watch_pool(self, name: str, *, limit: Callable[[], int], size: Callable[[], int], idle: Callable[[], int]) -> None:
        """Show a pool's connections, asked for at each scrape."""
        self.pool_connections.labels(name, "idle").set_function(idle)
        self.pool_connections.labels(name, "used").set_function(lambda: size() - idle())
        self.pool_limit.labels(name).set(limit())


def configure_logging(level: str, form: str) -> None:
    """Set the logs up: one event a line on standard error, what libraries say by the standard library included."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared], processors=[remove, renderer]
        )
    )
    # Of libraries only what is the matter: our own events say the rest.
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # What a Kafka client meets comes to us as an error that we log ourselves; its own lines come at each try, many a second.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
