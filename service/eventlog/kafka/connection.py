"""How clients reach the brokers, and what their errors mean to us."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ssl import SSLError
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import ConsumerStoppedError, IllegalOperation, KafkaError
from aiokafka.helpers import create_ssl_context

from service.errors import InvalidSettings, LogUnavailable
from service.settings import Settings

FAILURES = (KafkaError, ConsumerStoppedError, IllegalOperation, OSError, TimeoutError)
"""Anything that a broker, the connection to it or the client may say."""


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """The brokers to begin with, and the words that every client is made with."""

    bootstrap: str
    security: Mapping[str, Any]
    """Protocol, user, password and certificates, in the client's words."""
    request_timeout_s: float = 5.0
    """How long a broker may take over one request before the connection is given up."""
    append_timeout_s: float = 9.0
    """How long an append may take, its retries included."""

    @property
    def options(self) -> dict[str, Any]:
        """The words that every client is made with."""
        return {
            "bootstrap_servers": self.bootstrap.split(","),
            "client_id": "tidegauge",
            "request_timeout_ms": int(self.request_timeout_s * 1_000),
            **self.security,
        }

    @classmethod
    def of(cls, settings: Settings, bootstrap: str | None = None) -> "KafkaConnection":
        """What the settings say, to the brokers of the log unless others are named.

        Raises InvalidSettings without brokers, and for certificates that cannot be read.
        """
        brokers = bootstrap or settings.kafka_bootstrap
        if brokers is None:
            raise InvalidSettings("no Kafka is configured: set TIDEGAUGE_KAFKA_BOOTSTRAP=HOST:PORT,…")
        password = settings.kafka_sasl_password
        security: dict[str, Any] = {"security_protocol": settings.kafka_security_protocol}
        if settings.kafka_security_protocol.startswith("SASL"):
            security["sasl_mechanism"] = settings.kafka_sasl_mechanism
            security["sasl_plain_username"] = settings.kafka_sasl_username
            security["sasl_plain_password"] = password.get_secret_value() if password else None
        if settings.kafka_security_protocol.endswith("SSL"):
            security["ssl_context"] = _tls(settings)
        return cls(brokers, security)

    def consumer(self, **options: Any) -> AIOKafkaConsumer:
        """Make a consumer that neither resets nor commits offsets by itself; not started yet."""
        return AIOKafkaConsumer(auto_offset_reset="none", enable_auto_commit=False, **self.options, **options)


def _tls(settings: Settings) -> Any:
    try:
        return create_ssl_context(
            cafile=settings.kafka_ca_file, certfile=settings.kafka_cert_file, keyfile=settings.kafka_key_file
        )
    except (OSError, SSLError) as error:
        names = "TIDEGAUGE_KAFKA_CA_FILE, TIDEGAUGE_KAFKA_CERT_FILE and TIDEGAUGE_KAFKA_KEY_FILE"
        raise InvalidSettings(f"the certificates for Kafka cannot be read ({error}): {names} name PEM files") from error


@contextmanager
def failures_named(connection: KafkaConnection) -> Iterator[None]:
    """Turn what a client raises into LogUnavailable, which names the brokers."""
    try:
        yield
    except FAILURES as error:
        what = str(error) or type(error).__name__
        raise LogUnavailable(f"the event log in Kafka at {connection.bootstrap} does not answer: {what}") from error
