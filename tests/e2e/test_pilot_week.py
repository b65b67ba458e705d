"""The pilot week: every figure that its families decide comes out, over HTTP, by import and from a topic, through either log."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from service.demo import pilot
from service.domain.families.registry import FAMILIES
from tests.e2e import expected, topics
from tests.e2e.harness import Installation, kafka_settings, send
from tests.e2e.week import END, JUDGED, ROWS, Week

TYPES = tuple(family.type for family in FAMILIES)
EXPECTED = pilot.expected()
TOLERANCE = EXPECTED["tolerance"]
FILE = list(expected.paths(EXPECTED))

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module", params=["http", "import", "http through kafka", "topic", "topic and http through kafka"])
def ask(
    request: pytest.FixtureRequest, make_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ask]:
    """Ask for a KPI of the pilot's week, which was sent in one of the ways."""
    way, _, log = request.param.partition(" through ")
    settings = kafka_settings(request.getfixturevalue("kafka")) if log else {}
    topic = topics.made(request.getfixturevalue("kafka"), partitions=3) if "topic" in way else None
    if topic:
        settings |= topics.settings(topic)
    with Installation(make_database(), tmp_path_factory.mktemp("pilot"), **settings) as installation:
        installation.start_all()
        client = installation.tenant("pilot")
        declared = installation.directory / "pilot.toml"
        declared.write_text(pilot.configuration() + (topics.bound(topic, backfill=True) if topic else ""))
        installation.run("apply", "--tenant", "pilot", str(declared))
        events = list(pilot.events(TYPES))
        sent = len(events)
        if topic:
            installation.start("source")
            topics.send(topic, events)
        if way == "topic and http":
            sent += client.send(events)
        if topic:
            topics.wait_until_consumed(client, sent)
        elif way == "http":
            assert send(client, events) == len(events)
        else:
            random.Random(11).shuffle(events)
            file = installation.directory / "week.ndjson"
            file.write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in events))
            installation.run("import", "--tenant", "pilot", str(file))
            client.settle(timeout_s=300, poll_s=0.05)

        def get(path: str, **parameters: str) -> dict[str, Any]:
            whole = {"window": "week", "end": END} | parameters
            body: dict[str, Any] = client.get(path if path.startswith("/") else f"/v1/kpis/{path}", **whole)
            return body

        get.client = client  # type: ignore[attr-defined]
        get.installation = installation  # type: ignore[attr-defined]
        get.sent = sent  # type: ignore[attr-defined]
        get.times = sent // len(events)  # type: ignore[attr-defined]
        yield get


def by(body: dict[str, Any], *names: str) -> dict[Any, float]:
    """Values of the rows that are split by these dimensions."""
    return {
        (row["dims"][names[0]] if len(names) == 1 else tuple(row["dims"][name] for name in names)): row["value"]
        for row in body["rows"]
        if set(names) <= set(row["dims"])
    }


def test_every_figure_of_the_week_comes_out(ask: Ask) -> None:
    week = Week(ask.client.get, copies_sent=ask.times)  # type: ignore[attr-defined]
    wrong = []
    for path, wanted in FILE:
        if path[0] != "tolerance":
            figure, names = expected.reader_of(path)  # type: ignore[misc]
            found = figure.read(week, *names)
            if found != figure.close(wanted, TOLERANCE):
                wrong.append(f"{'/'.join(path)}: wanted {wanted}, found {found}")
    assert wrong == []


def test_every_key_of_the_file_is_read_and_nothing_else() -> None:
    assert [path for path, _ in FILE if path[0] != "tolerance" and expected.reader_of(path) is None] == []
    assert set(TOLERANCE) == expected.TOLERANCES
    read = {found[0].path for path, _ in FILE if (found := expected.reader_of(path))}
    assert [figure.path for figure in expected.FIGURES if figure.path not in read] == []
    assert set(EXPECTED["sla_scorecard"]["rows"]) == set(ROWS)
    assert set(EXPECTED["status_examples_target_limit"]) == set(JUDGED)


def test_a_key_that_nobody_reads_is_found() -> None:
    assert expected.reader_of(("users", "gone")) is None
    assert expected.reader_of(("heatmap",)) is None
    assert expected.reader_of(("heatmap", "dashboard", "monday")) is None


def test_users_add_up(ask: Ask) -> None:
    wau = ask("wau")["value"]
    assert ask("returning_users")["value"] + ask("resurrected_users")["value"] + ask("new_users")["value"] == wau
    assert ask("new_users")["value"] == wau
    assert ask("average_dau")["value"] == ask("average_dau", days="business")["value"]


def test_the_funnel_loses_what_its_steps_do_not_share(ask: Ask) -> None:
    counts = by(ask("funnel", by="step", funnel="pilot"), "step")
    drops = by(ask("funnel", by="step", funnel="pilot", stat="drop"), "step")
    for step, (count, base, share) in EXPECTED["funnel"].items():
        assert drops[step] == pytest.approx(1 - share, abs=TOLERANCE["ratios"])
        assert base is None or share == pytest.approx(count / counts[base], abs=TOLERANCE["ratios"])


def test_what_nobody_sends_is_derived_of_first_uses(ask: Ask) -> None:
    took = by(ask("time_to_milestone", by="milestone", stat="count"), "milestone")
    assert took["first_value"] == EXPECTED["users"]["achieved_first_value"]
    assert took["first_report"] == EXPECTED["funnel"]["users_report"][0]
    assert took["first_export"] == EXPECTED["funnel"]["users_exported"][0]


def test_figures_of_nothing_say_so(ask: Ask) -> None:
    for kpi in ("mttd", "mttr"):
        none = ask(kpi, stat="mean", severity="P0")
        assert (none["value"], none["status"], none["reason"]) == (None, "none", "no_data")
    assert ask("open_tickets", window="1h")["value"] == 0


def test_the_ledger_accounts_for_every_event(ask: Ask) -> None:
    installation: Installation = ask.installation  # type: ignore[attr-defined]
    events = list(pilot.events(TYPES))
    unique = {(event["source"], event["id"]) for event in events}
    rows = ask.client.get("/v1/ledger")["rows"]  # type: ignore[attr-defined]
    assert sum(row["stored"] for row in rows) == len(unique)
    sent: int = ask.sent  # type: ignore[attr-defined]
    assert sum(row["duplicate"] for row in rows) == sent - len(unique)
    assert sum(row["dead_lettered"] for row in rows) == 0
    assert installation.run("check").returncode == 0
