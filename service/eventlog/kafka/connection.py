"""How clients reach the brokers, and what their errors mean to us."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ssl import SSLError
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import ConsumerStoppedError, IllegalOperation, KafkaError
from aiokafka.helpers import create_ssl_context

from service.errors import InvalidSettings, LogUnavailable
from service.settings import Settings

REQUEST_TIMEOUT_S = 5.0
"""How long a broker may take over one request before the connection is given up."""

FAILURES = (KafkaError, ConsumerStoppedError, IllegalOperation, OSError, TimeoutError)
"""Anything that a broker, the connection to it or the client may say."""


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """The brokers to begin with, and the words that every client is made with."""

    bootstrap: str
    options: dict[str, Any]

    @classmethod
    def of(cls, settings: Settings) -> "KafkaConnection":
        """What the settings say; raises InvalidSettings without brokers, and for certificates that cannot be read."""
        if settings.kafka_bootstrap is None:
            raise InvalidSettings("no Kafka is configured: set TIDEGAUGE_KAFKA_BOOTSTRAP=HOST:PORT,…")
        password = settings.kafka_sasl_password
        options: dict[str, Any] = {
            "bootstrap_servers": settings.kafka_bootstrap.split(","),
            "client_id": "tidegauge",
            "request_timeout_ms": int(REQUEST_TIMEOUT_S * 1_000),
            "security_protocol": settings.kafka_security_protocol,
        }
        if settings.kafka_security_protocol.startswith("SASL"):
            options["sasl_mechanism"] = settings.kafka_sasl_mechanism
            options["sasl_plain_username"] = settings.kafka_sasl_username
            options["sasl_plain_password"] = password.get_secret_value() if password else None
        if settings.kafka_security_protocol.endswith("SSL"):
            options["ssl_context"] = _tls(settings)
        return cls(settings.kafka_bootstrap, options)

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
