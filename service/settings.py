"""Settings of a process, from the environment: TIDEGAUGE_… ."""

import difflib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import DirectoryPath, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.domain.topics import ANY_TOPIC, is_pattern
from service.errors import InvalidSettings

KAFKA_PARTITIONS = 12
_OF_TENANT = re.compile(r"[a-z0-9-]{1,63}:[^,\s]+")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,}")
_BROKER = re.compile(r"[^\s,:/]+:[0-9]{1,5}|\[[0-9a-fA-F:.]+\]:[0-9]{1,5}")


class Settings(BaseSettings):
    """What an operator can set; `tidegauge settings` lists it with its meaning and value."""

    model_config = SettingsConfigDict(env_prefix="TIDEGAUGE_", env_ignore_empty=True, extra="ignore", frozen=True)

    host: str = Field("127.0.0.1", description="Address that the API listens on")
    port: int = Field(8080, ge=0, le=65535, description="Port that the API listens on")
    data: Path = Field(Path(".tidegauge"), description="Directory of the embedded Postgres and its logs")
    database_url: str | None = Field(
        None, description="Postgres to use (postgresql://user:password@host/database); none: the embedded one"
    )
    allow_newer_schema: bool = Field(
        default=False,
        description="Let aggregators and evaluators work on the schema of a newer release, which may have moved things",
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
    kafka_source_bootstrap: str | None = Field(
        None, description="Brokers that hold the topics to read events from (HOST:PORT,…); none: those of the event log"
    )
    kafka_source_group: str = Field(
        "tidegauge-source",
        pattern=r"^[a-zA-Z0-9._-]{1,200}$",
        description="Consumer group that reads topics; one an installation",
    )
    kafka_source_topics: str = Field(
        ANY_TOPIC,
        description="Topics that tenants may read: patterns, commas between, `*` for anything, `{tenant}` for the tenant's name",
    )
    kafka_source_max_unpacked_bytes: int = Field(
        64_000_000, ge=1_000_000, description="What one compressed batch of a topic's records may come to"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged")
    log_format: Literal["json", "console"] = Field("json", description="Form of the logs")
    partitions: int = Field(
        4, ge=1, le=256, description="Partitions of the event log, 12 by default where Kafka keeps it; fixed at the first start"
    )
    max_lateness_days: int = Field(7, ge=1, le=30, description="Age up to which an event is taken; fixed at the first start")
    max_skew_s: int = Field(300, ge=0, le=3600, description="How far ahead of receipt an event's time may be")
    slo_live_s: int = Field(
        900,
        ge=60,
        le=86_400,
        description="Age up to which an event feeds the counters of SLOs; an older one repairs the budget alone",
    )
    log_retention_h: int = Field(192, ge=1, description="Hours that consumed records stay in the log")
    gather_ms: float = Field(2.0, ge=0, le=100, description="How long a busy API gathers events for one append")
    max_log_backlog_events: int = Field(
        20_000_000, ge=1_000, description="Events in the log that no aggregator has consumed before 503 is answered"
    )
    append_backlog_events: int = Field(200_000, ge=1_000, description="Events waiting for an append before 503 is answered")
    max_body_bytes: int = Field(10_000_000, ge=1_000, description="Largest request body, also after decompression")
    max_held_body_bytes: int = Field(
        256_000_000, ge=1_000, description="Request bodies held in memory at the same time before 503 is answered"
    )
    max_request_events: int = Field(10_000, ge=1, description="Most events in a request")
    max_event_bytes: int = Field(256_000, ge=1_000, le=450_000, description="Largest single event, 450,000 at the most")
    max_depth: int = Field(32, ge=4, le=200, description="Deepest nesting of JSON")
    key_requests_per_s: float = Field(2_000.0, gt=0, description="Requests a second and key before 429 is answered")
    key_refresh_s: float = Field(5.0, gt=0, le=10, description="How old a cached key may be; a revoked one stops within it")
    flush_events: int = Field(200_000, ge=100, description="Events that an aggregator takes into one flush at the most")
    flush_interval_s: float = Field(0.5, gt=0, le=10, description="Time between the flushes of an aggregator under low load")
    lease_s: float = Field(10.0, ge=2, le=120, description="Time after which a silent worker's partitions go to others")
    dedupe_cache_mb: int = Field(512, ge=16, description="Memory for ids of events, per aggregator")
    max_names: int = Field(
        1_000, ge=1, description="Names of one kind a tenant (features, routes, meters …); more count under ~other"
    )
    max_values: int = Field(10_000, ge=1, description="Values of one attribute or trait a tenant; more count under ~other")
    query_max_days: int = Field(800, ge=1, description="Longest window of a query")
    query_max_rows: int = Field(10_000, ge=1, description="Most rows of one answer; a cursor leads on")
    query_max_steps: int = Field(3_000, ge=1, description="Most steps of a series")
    kpi_directory: DirectoryPath | None = Field(
        None, description="Directory of the installation's own KPIs, a .sql file each; read at start"
    )
    metrics_max_series: int = Field(2_000, ge=1, description="Most series a tenant on /metrics/kpis")
    metrics_token: SecretStr = Field(
        SecretStr(""), description="Bearer token that shows /metrics/kpis of all tenants to a Prometheus on another machine"
    )
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
    pagerduty_secrets: SecretStr = Field(
        SecretStr(""), description="TENANT:SECRET,… that PagerDuty signs its webhooks with; several of a tenant while they change"
    )
    siblings: str = Field("", description="NAME=URL,… of other roles' /metrics that the API shows too; set by `tidegauge up`")
    parent_pid: int = Field(0, ge=0, description="Process to die with; set by `tidegauge up`")

    @model_validator(mode="after")
    def _more_partitions_in_kafka(self) -> Self:
        if "partitions" not in self.model_fields_set and self.kafka_bootstrap is not None:
            # Past the frozen fields, for it must not count as set: only a count that was set is compared with the log's.
            self.__dict__["partitions"] = KAFKA_PARTITIONS
        return self

    @field_validator("kafka_bootstrap", "kafka_source_bootstrap")
    @classmethod
    def _is_brokers(cls, brokers: str | None) -> str | None:
        if brokers is not None and not all(_BROKER.fullmatch(each) for each in brokers.split(",")):
            raise PydanticCustomError("brokers", "brokers are named HOST:PORT, several with commas between and no spaces")
        return brokers

    @field_validator("kafka_source_topics")
    @classmethod
    def _are_patterns(cls, listed: str) -> str:
        if not all(is_pattern(each) for each in listed.split(",")):
            raise PydanticCustomError(
                "topics",
                "patterns are made of letters, digits, . _ - * and {{tenant}}, several with commas between and no spaces",
            )
        return listed

    @field_validator("pagerduty_secrets")
    @classmethod
    def _are_of_tenants(cls, listed: SecretStr) -> SecretStr:
        if not all(_OF_TENANT.fullmatch(each.strip()) for each in listed.get_secret_value().split(",") if each.strip()):
            raise PydanticCustomError("secrets", "write TENANT:SECRET, several with commas between")
        return listed

    @field_validator("metrics_token")
    @classmethod
    def _is_hard_to_guess(cls, token: SecretStr) -> SecretStr:
        if token and not _TOKEN.fullmatch(token.get_secret_value()):
            raise PydanticCustomError(
                "token", "a token is 32 letters, digits, - or _ at the least: `openssl rand -hex 32` makes one"
            )
        return token

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("postgresql://", "postgres://")):
            raise PydanticCustomError("address", "an address begins with postgresql://")
        try:
            urlsplit(url or "").port  # noqa: B018  # asking is what checks it
        except ValueError as error:
            raise PydanticCustomError("address", "its port is no number from 0 to 65535") from error
        return url

    @property
    def source_topics(self) -> tuple[str, ...]:
        """Patterns of the topics that tenants may read."""
        return tuple(self.kafka_source_topics.split(","))

    @property
    def source_bootstrap(self) -> str | None:
        """The brokers that hold the topics to read; None: no Kafka is configured."""
        return self.kafka_source_bootstrap or self.kafka_bootstrap

    def mistakes(self) -> Iterator[str]:
        """What cannot be together, a sentence each."""
        sasl = self.kafka_security_protocol.startswith("SASL")
        if sasl and (self.kafka_sasl_username is None or self.kafka_sasl_password is None):
            yield (
                f"{PREFIX}KAFKA_SECURITY_PROTOCOL={self.kafka_security_protocol} needs a user: set "
                f"{PREFIX}KAFKA_SASL_USERNAME and {PREFIX}KAFKA_SASL_PASSWORD"
            )
        if (self.kafka_cert_file is None) != (self.kafka_key_file is None):
            yield f"{PREFIX}KAFKA_CERT_FILE and {PREFIX}KAFKA_KEY_FILE belong together: set both or none"
        replicas, synced = self.kafka_replication_factor, self.kafka_min_insync_replicas
        if replicas is not None and synced is not None and synced > replicas:
            yield (
                f"{PREFIX}KAFKA_MIN_INSYNC_REPLICAS={synced} is more than {PREFIX}KAFKA_REPLICATION_FACTOR={replicas}: "
                f"nothing could ever be appended"
            )


PREFIX = "TIDEGAUGE_"
CLIENTS_OWN = "TIDEGAUGE_KEY"
"""The variable of clients in the documentation's examples: it may stand in the environment of a process, too."""
NEAR = 0.7
"""How much of a name must be right for another one to be suggested, 0 to 1."""


def load() -> Settings:
    """Read the environment; raises InvalidSettings with one sentence a mistake."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    given = [name for name in sorted(os.environ) if name.upper().startswith(PREFIX) and name.upper() != CLIENTS_OWN]
    mistakes = [_unknown(name, known) for name in given if name.upper() not in known]
    try:
        settings = Settings()
    except ValidationError as error:
        mistakes += [_wrong(str(item["loc"][0]), item["input"], item["msg"]) for item in error.errors()]
        raise InvalidSettings("\n".join(mistakes)) from error
    mistakes += settings.mistakes()
    if mistakes:
        raise InvalidSettings("\n".join(mistakes))
    return settings


def _unknown(name: str, known: Sequence[str]) -> str:
    words = [each.removeprefix(PREFIX) for each in known]
    near = difflib.get_close_matches(name.upper().removeprefix(PREFIX), words, n=1, cutoff=NEAR)
    hint = f"did you mean {PREFIX}{near[0]}?" if near else "`tidegauge settings` lists those that there are"
    return f"{name} is no setting: {hint}"


def _wrong(field: str, value: object, trouble: str) -> str:
    """What is wrong with a value; what is secret is not shown, nor an address, for it may hold a password."""
    shown = "" if field.endswith(("url", "secrets", "password", "token")) else f"={value}"
    described = Settings.model_fields[field]
    default = "" if described.default in {None, ""} else f"; {described.default} by default"
    return f"{PREFIX}{field.upper()}{shown}: {trouble[:1].lower()}{trouble[1:]} ({described.description}{default})"
