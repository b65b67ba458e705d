"""docs/deploying.md: its figures are those that were measured, its sums are right, and its commands are commands."""

import json
import re
from functools import reduce
from typing import Any

import pytest

from service.cli.commands import COMMANDS
from service.wiring import aggregate, api, base, evaluate, source
from tests.deploy.compose import ROOT, command_lines, own_services, services

PAGE = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
RESULTS = ROOT / "loadtests" / "results"
MEASURED = {
    "API": [("kafka-quiet", "ingest.cpu_us.api")],
    "Kafka, to take it in; to hand it out": [
        ("kafka-quiet", "ingest.cpu_us.kafka"),
        ("kafka-aggregate", "aggregate.cpu_us.kafka"),
    ],
    "source, where events come from a topic": [("kafka-quiet", "whole.cpu_us.source")],
    "aggregator": [("kafka-aggregate", "aggregate.cpu_us.aggregate")],
    "Postgres, in a long run; in a short one with many new users": [
        ("kafka-aggregate", "aggregate.cpu_us.postgres"),
        ("kafka-whole", "aggregate.cpu_us.postgres"),
    ],
    "evaluator": [("kafka-quiet", "whole.cpu_us.evaluate")],
    "WAL, likewise": [("kafka-aggregate", "aggregate.wal_bytes"), ("kafka-whole", "aggregate.wal_bytes")],
    "a request with a single event: API, Kafka": [("kafka-quiet", "singles.cpu_us.api"), ("kafka-quiet", "singles.cpu_us.kafka")],
    "memory: aggregator at its peak, of that ids": [
        ("kafka-aggregate", "aggregate.peak_mb"),
        ("kafka-aggregate", "aggregate.bytes_an_id"),
    ],
}
"""Where the figures of a row are from."""
RATES = {
    "api": api.CONNECTIONS,
    "aggregate": aggregate.CONNECTIONS,
    "evaluate": evaluate.CONNECTIONS,
    "source": source.CONNECTIONS,
}


def measured(file: str, path: str) -> float:
    found: Any = json.loads((RESULTS / f"{file}.json").read_text())
    return float(reduce(lambda at, name: at[name], path.split("."), found))


def run_of(file: str) -> str:
    """How the page names the run that a file is of."""
    at: str = json.loads((RESULTS / f"{file}.json").read_text())["at"]
    return f"`{file}.json` of {at[:16].replace('T', ' ')}"


def figures(text: str) -> list[str]:
    return [figure.replace(",", "") for figure in re.findall(r"\d[\d,]*(?:\.\d+)?", text)]


@pytest.mark.parametrize("row", sorted(MEASURED))
def test_what_an_event_costs_is_what_was_measured(row: str) -> None:
    found = re.search(rf"^\| {re.escape(row)} \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
    assert found is not None
    shown = figures(found[1])
    assert len(shown) == len(MEASURED[row])
    for figure, (file, path) in zip(shown, MEASURED[row], strict=True):
        if run_of(file) not in " ".join(PAGE.split()):
            pytest.skip(f"{file}.json was measured anew: the page names the run before")
        digits = len(figure.partition(".")[2])
        assert float(figure) == pytest.approx(round(measured(file, path), digits)), f"{file}.json: {path}"


def test_the_sums_are_right() -> None:
    flat = " ".join(PAGE.split())
    costs = re.search(r"20,000 . \(([\d. +]+)\) µs = ([\d.]+) cores, in bad times \(([\d.]+) µs in Postgres\) ([\d.]+)", flat)
    assert costs is not None
    parts = [float(each) for each in costs[1].split("+")]
    assert float(costs[2]) == pytest.approx(20_000 * sum(parts) / 1e6, abs=0.005)
    assert float(costs[4]) == pytest.approx(20_000 * (sum(parts) - parts[4] + float(costs[3])) / 1e6, abs=0.005)
    for row, copies in (("the log in Kafka", 1), ("ids in Postgres", 1)):
        found = re.search(rf"^\| {row}: (\d+) bytes[^|]*\| ([\d.]+) GB[^|]*\| (\d+) days[^|]*\|([^|]+)\|$", PAGE, re.MULTILINE)
        assert found is not None
        a_day_gb = int(found[1]) * 86.4e6 / 1e9
        assert float(found[2]) == pytest.approx(a_day_gb, abs=0.05)
        assert float(figures(found[4])[-1]) in (pytest.approx(a_day_gb * int(found[3]), rel=0.02), float(copies))


def test_connections_and_limits_are_those_of_the_compose_file() -> None:
    flat = " ".join(PAGE.split())
    counted = sum(RATES[each["command"][0]] + base.LOG_CONNECTIONS for each in own_services().values() if each["restart"] != "no")
    limits = [each["deploy"]["resources"]["limits"] for each in services().values() if each["restart"] != "no"]
    memory_mb = sum(int(each["memory"][:-1]) * (1_024 if each["memory"].endswith("G") else 1) for each in limits)
    most = next(word for word in services()["postgres"]["command"] if word.startswith("max_connections="))
    assert f"come to {counted} of {most.partition('=')[2]}" in flat
    assert f"{memory_mb / 1_024:g} GB and {sum(float(each['cpus']) for each in limits):g} cores" in flat
    assert f"hold up to {RATES['api'] + base.LOG_CONNECTIONS} each, a source {RATES['source'] + base.LOG_CONNECTIONS}" in flat


def test_every_command_that_is_shown_is_one() -> None:
    shown = set(re.findall(r"exec -T [a-z0-9-]+ tidegauge ([a-z-]+)", PAGE)) | set(re.findall(r"`tidegauge ([a-z-]+)", PAGE))
    assert shown
    assert shown <= set(COMMANDS)
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL):
        for line in block.splitlines():
            words = line.partition("#")[0].split()
            if words[:2] == ["docker", "compose"]:
                named = {word for word in words[2:] if word in services() or re.fullmatch(r"(api|aggregate)(-\d+)?", word)}
                assert named <= set(services()), line


def test_an_upgrade_stops_aggregators_before_it_migrates() -> None:
    lines = command_lines(PAGE[PAGE.index("\n## Upgrades") :])
    [stop] = [at for at, line in enumerate(lines) if line.startswith("docker compose stop")]
    assert {name for name in services() if name.startswith(("aggregate", "evaluate"))} <= set(lines[stop].split())
    assert stop < lines.index("docker compose run --rm migrate")
