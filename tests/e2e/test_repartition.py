"""The log goes to another generation while a client sends: nothing lost, nothing twice, and roles follow by themselves."""

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.broker import Broker
from tests.e2e.harness import COMMAND, Installation, kafka_settings
from tests.e2e.test_kills import counted_once, sending, started

SEED = 7


@pytest.fixture(autouse=True)
def _patient_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch may wait for whatever is started anew in the middle of it."""
    monkeypatch.setattr("service.demo.client.GIVE_UP_S", 240.0)


@pytest.fixture
def running(installation: Installation) -> Installation:
    started(installation)
    return installation


@pytest.fixture
def running_on_kafka(database_url: str, tmp_path: Path, kafka: Broker) -> Iterator[Installation]:
    with Installation(database_url, tmp_path, **kafka_settings(kafka), partitions="3") as made:
        started(made)
        yield made


def repartition(installation: Installation, *words: str) -> str:
    done = installation.run("repartition", *words, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_another_number_of_partitions_loses_nothing_and_roles_go_on_by_themselves(running: Installation) -> None:
    with sending(running, SEED) as (client, events):
        would = repartition(running, "--partitions", "7", "--dry-run")
        assert "generation 2: in Postgres, 7 partitions" in would
        assert "Nothing was changed" in would
        said = repartition(running, "--partitions", "7")
        assert "no events were taken for" in said
        assert "Set TIDEGAUGE_PARTITIONS=7" in said
        assert "generation 2 of the log is in Postgres, 7 partitions already" in repartition(running, "--partitions", "7")
    client.send(events)
    client.settle(timeout_s=300, poll_s=0.1)
    counted_once(running, client, events)
    assert running.stop("aggregate-1") == 0
    assert running.stop("api") == 0


def test_on_kafka_the_command_and_roles_are_killed_and_it_still_counts_each_event_once(running_on_kafka: Installation) -> None:
    chance = random.Random(SEED)
    with sending(running_on_kafka, SEED) as (client, events):
        for victim in ("aggregate-1", "api", "aggregate-2", "evaluate"):
            killed = subprocess.Popen(
                [*COMMAND, "repartition", "--partitions", "5"],
                env=running_on_kafka.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(chance.uniform(1.0, 3.0))
            killed.kill()
            killed.wait()
            running_on_kafka.kill(victim)
            # What was set before holds until the switch; afterwards nothing is set, and the installation's count holds.
            running_on_kafka.environment.pop("TIDEGAUGE_PARTITIONS", None)
            running_on_kafka.start(victim.partition("-")[0], victim)
        repartition(running_on_kafka, "--partitions", "5")
    client.send(events)
    client.settle(timeout_s=300, poll_s=0.1)
    counted_once(running_on_kafka, client, events)
    assert "5 partitions already" in repartition(running_on_kafka, "--partitions", "5")


def test_a_log_moves_from_postgres_to_kafka_and_back_and_an_api_that_slept_appends_nowhere_else(
    installation: Installation, kafka: Broker
) -> None:
    started(installation)
    brokers = {f"TIDEGAUGE_{name.upper()}": value for name, value in kafka_settings(kafka).items()}
    with sending(installation, SEED) as (client, events):
        installation.signal("api", signal.SIGSTOP)
        installation.environment |= brokers
        assert "Start all roles with TIDEGAUGE_KAFKA_BOOTSTRAP set" in repartition(
            installation, "--log", "kafka", "--partitions", "3"
        )
        installation.signal("api", signal.SIGCONT)
        restarted(installation)
    counted_once(installation, client, events)

    for name in ("KAFKA_BOOTSTRAP", "KAFKA_TOPIC_PREFIX"):
        assert f"TIDEGAUGE_{name}" in installation.environment
    refused = installation.run("repartition", "--log", "nowhere", check=False)
    assert refused.returncode != 0
    assert "TIDEGAUGE_KAFKA_BOOTSTRAP unset" in repartition(installation, "--log", "postgres", "--partitions", "2")
    for name in brokers:
        del installation.environment[name]
    restarted(installation)
    client.send(events)
    client.settle(timeout_s=300, poll_s=0.1)
    counted_once(installation, client, events)


def restarted(installation: Installation) -> None:
    """As whoever looks after processes does: those that ended by themselves start with the new settings."""
    for name in ("api", "aggregate-1", "aggregate-2", "evaluate"):
        assert installation.ended(name) == 1, installation.log(name)
        assert "its event log is in" in installation.log(name)
        installation.start(name.partition("-")[0], name)
    installation.wait_until_ready()


def test_while_a_log_is_sealed_events_are_answered_with_503_and_queries_with_figures(running: Installation) -> None:
    client = running.tenant("acme", scopes="ingest")
    event = {"specversion": "1.0", "id": "1", "source": "/x", "type": "io.tidegauge.usage.v1", "subject": "u"}
    assert client.send([event | {"data": {"feature": "a"}}]) == 1
    for name in ("aggregate-1", "aggregate-2"):
        running.signal(name, signal.SIGSTOP)
    draining = subprocess.Popen(
        [*COMMAND, "repartition", "--partitions", "2"], env=running.environment, stdout=subprocess.PIPE, text=True
    )
    key = running.key("acme", "ingest")
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    deadline = time.monotonic() + 240
    number = 1
    while True:
        number += 1
        body = event | {"id": f"n{number}", "data": {"feature": "a"}}
        answer = httpx.post(f"{running.address}/v1/events", json=body, headers=headers, trust_env=False, timeout=60)
        if answer.status_code == 503:
            break
        assert answer.status_code == 202, answer.text
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert int(answer.headers["retry-after"]) >= 1
    assert "tidegauge repartition" in answer.json()["detail"]
    assert "a repartition to" in running.run("repartition", "--partitions", "9", check=False).stderr
    assert client.get("/v1/ledger")["installation"]["balanced"]
    for name in ("aggregate-1", "aggregate-2"):
        running.signal(name, signal.SIGCONT)
    assert draining.wait(240) == 0
    draining.communicate()
    client.send([event | {"id": "after", "data": {"feature": "a"}}])
    client.settle(timeout_s=300, poll_s=0.1)
    assert running.run("check").stdout.endswith("the ledger is right\n")
