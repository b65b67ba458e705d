"""Settings of a process, from the environment: TIDEGAUGE_… ."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.errors import InvalidSettings


class Settings(BaseSettings):
    """What an operator can set; `tidegauge settings` lists it with its meaning and value."""

    model_config = SettingsConfigDict(env_prefix="TIDEGAUGE_", extra="ignore", frozen=True)

    host: str = Field("127.0.0.1", description="Address that the API listens on")
    port: int = Field(8080, ge=0, le=65535, description="Port that the API listens on")
    data: Path = Field(Path(".tidegauge"), description="Directory of the embedded Postgres and its logs")
    database_url: str | None = Field(
        None, description="Postgres to use (postgresql://user:password@host/database); none: the embedded one"
    )
    kafka_bootstrap: str | None = Field(
        None, description="Brokers that keep the event log (HOST:PORT,…); none: it lies in Postgres"
    )
    kafka_topic_prefix: str = Field(
        "tidegauge-log", pattern=r"^[a-zA-Z0-9._-]{1,200}$", description="The log's topics are named PREFIX-GENERATION"
    )
    kafka_replication_factor: int | None = Field(
        None, ge=1, le=32, description="Copies of the log's topics; none: 3, or 1 where a single broker is allowed"
    )
    kafka_min_insync_replicas: int | None = Field(
        None, ge=1, le=32, description="Copies that must have a record before it counts as durable; none: 2, or 1 likewise"
    )
    allow_single_broker: bool = Field(
        default=False, description="Take events though one broker's loss may lose acknowledged ones (fewer than 2 copies in sync)"
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How brokers are spoken to"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How a user proves itself, with SASL_PLAINTEXT and SASL_SSL"
    )
    kafka_sasl_username: str | None = Field(None, description="User at the brokers")
    kafka_sasl_password: SecretStr | None = Field(None, description="Password at the brokers")
    kafka_ca_file: Path | None = Field(None, description="PEM file of who signs the brokers' certificates; none: the system's")
    kafka_cert_file: Path | None = Field(None, description="PEM file of our own certificate, where brokers want one")
    kafka_key_file: Path | None = Field(None, description="PEM file of our certificate's key")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged")
    log_format: Literal["json", "console"] = Field("json", description="Form of the logs")
    partitions: int = Field(4, ge=1, le=256, description="Partitions of the event log; fixed at the first start")
    max_lateness_days: int = Field(7, ge=1, le=30, description="Age up to which an event is taken; fixed at the first start")
    max_skew_s: int = Field(300, ge=0, le=3600, description="How far ahead of receipt an event's time may be")
    log_retention_h: int = Field(192, ge=1, description="Hours that consumed records stay in the log")
    gather_ms: float = Field(2.0, ge=0, le=100, description="How long a busy API gathers events for one append")
    append_backlog_events: int = Field(200_000, ge=1_000, description="Events waiting for an append before 503 is answered")
    max_body_bytes: int = Field(10_000_000, ge=1_000, description="Largest request body, also after decompression")
    max_held_body_bytes: int = Field(
        256_000_000, ge=1_000, description="Request bodies held in memory at the same time before 503 is answered"
    )
    max_request_events: int = Field(10_000, ge=1, description="Most events in a request")
    max_event_bytes: int = Field(256_000, ge=1_000, description="Largest single event")
    max_depth: int = Field(32, ge=4, le=200, description="Deepest nesting of JSON")
    key_requests_per_s: float = Field(2_000.0, gt=0, description="Requests a second and key before 429 is answered")
    key_refresh_s: float = Field(5.0, gt=0, le=10, description="How old a cached key may be; a revoked one stops within it")
    flush_events: int = Field(100_000, ge=100, description="Events that an aggregator takes into one flush at the most")
    flush_interval_s: float = Field(0.25, gt=0, le=10, description="Time between the flushes of an aggregator under low load")
    lease_s: float = Field(10.0, ge=2, le=120, description="Time after which a silent worker's partitions go to others")
    dedupe_cache_mb: int = Field(512, ge=16, description="Memory for ids of events, per aggregator")
    max_names: int = Field(
        1_000, ge=1, description="Names of one kind a tenant (features, routes, meters …); more count under ~other"
    )
    max_values: int = Field(10_000, ge=1, description="Values of one attribute or trait a tenant; more count under ~other")
    query_max_days: int = Field(800, ge=1, description="Longest window of a query")
    query_max_rows: int = Field(10_000, ge=1, description="Most rows of one answer; a cursor leads on")
    query_max_steps: int = Field(3_000, ge=1, description="Most steps of a series")
    metrics_max_series: int = Field(2_000, ge=1, description="Most series a tenant on /metrics/kpis")
    minute_retention_days: int = Field(
        8, ge=2, le=32, description="Days that facts by the minute are kept (max lateness and one)"
    )
    quarter_retention_days: int = Field(400, ge=32, description="Days that facts by quarters of an hour are kept")
    ops_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Port of /metrics, /healthz and /readyz of roles other than the API; 0: any free one, logged",
    )
    siblings: str = Field("", description="NAME=URL,… of other roles' /metrics that the API shows too; set by `tidegauge up`")
    parent_pid: int = Field(0, ge=0, description="Process to die with; set by `tidegauge up`")


def load() -> Settings:
    """Read the environment; raises InvalidSettings with one sentence a mistake."""
    try:
        return Settings()
    except ValidationError as error:
        sentences = [
            f"TIDEGAUGE_{'_'.join(str(part) for part in item['loc']).upper()}={item['input']!s}: {item['msg']}"
            for item in error.errors()
        ]
        raise InvalidSettings("; ".join(sentences)) from error
