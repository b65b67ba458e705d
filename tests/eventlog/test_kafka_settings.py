"""The settings of the log in Kafka: what is said by default, and what cannot be together."""

import pytest

from service import settings as environment
from service.errors import InvalidSettings
from service.eventlog.kafka import KafkaConnection, TopicPlan
from service.settings import Settings


def said(monkeypatch: pytest.MonkeyPatch, **changed: str) -> Settings:
    for name, value in changed.items():
        monkeypatch.setenv(f"TIDEGAUGE_{name.upper()}", value)
    return environment.load()


def test_a_log_in_kafka_has_twelve_partitions_by_default_and_one_in_postgres_four(monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(monkeypatch).partitions == 4
    assert said(monkeypatch, kafka_bootstrap="kafka:9092").partitions == 12
    assert said(monkeypatch, partitions="6").partitions == 6


def test_copies_follow_from_whether_a_single_broker_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = TopicPlan.of(said(monkeypatch, kafka_bootstrap="kafka:9092"))
    assert (plan.replication_factor, plan.min_insync_replicas) == (3, 2)
    plan = TopicPlan.of(said(monkeypatch, allow_single_broker="true"))
    assert (plan.replication_factor, plan.min_insync_replicas) == (1, 1)
    plan = TopicPlan.of(said(monkeypatch, kafka_replication_factor="3", kafka_min_insync_replicas="2"))
    assert (plan.replication_factor, plan.min_insync_replicas) == (3, 2)


@pytest.mark.parametrize("brokers", ["kafka", "kafka:9092, other:9092", "https://kafka:9092", "kafka:port", ",", "kafka:9092,"])
def test_brokers_that_are_not_named_by_host_and_port_are_refused(monkeypatch: pytest.MonkeyPatch, brokers: str) -> None:
    with pytest.raises(InvalidSettings, match=r"TIDEGAUGE_KAFKA_BOOTSTRAP.*HOST:PORT"):
        said(monkeypatch, kafka_bootstrap=brokers)


@pytest.mark.parametrize("brokers", ["kafka:9092", "10.0.0.1:9092,10.0.0.2:9092", "[::1]:9092"])
def test_brokers_named_by_host_and_port_are_taken(monkeypatch: pytest.MonkeyPatch, brokers: str) -> None:
    assert KafkaConnection.of(said(monkeypatch, kafka_bootstrap=brokers)).options["bootstrap_servers"] == brokers.split(",")


def test_what_cannot_be_together_is_refused_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidSettings) as caught:
        said(
            monkeypatch,
            kafka_bootstrap="kafka:9092",
            kafka_security_protocol="SASL_SSL",
            kafka_cert_file="/etc/own.pem",
            kafka_replication_factor="2",
            kafka_min_insync_replicas="3",
        )
    first, second, third = str(caught.value).splitlines()
    assert "set TIDEGAUGE_KAFKA_SASL_USERNAME and TIDEGAUGE_KAFKA_SASL_PASSWORD" in first
    assert "TIDEGAUGE_KAFKA_CERT_FILE and TIDEGAUGE_KAFKA_KEY_FILE belong together" in second
    assert "TIDEGAUGE_KAFKA_MIN_INSYNC_REPLICAS=3 is more than TIDEGAUGE_KAFKA_REPLICATION_FACTOR=2" in third


def test_a_password_is_in_no_text_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = said(monkeypatch, kafka_bootstrap="kafka:9092", kafka_sasl_password="hunter2")  # noqa: S106
    assert "hunter2" not in f"{settings} {settings!r} {settings.kafka_sasl_password}"
