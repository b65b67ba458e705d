"""Webhooks of Alertmanager and PagerDuty: what they say of incidents becomes their steps, each once."""

import asyncio
import hashlib
import hmac
import json
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from service.domain.families.rows import IncidentRow
from service.errors import InvalidSettings
from service.http.problems import Kind, Problem
from service.ingest.hooks import routes as hooks
from service.settings import Settings, load
from tests.ingest.door import Door, opened
from tests.ingest.webhooks import ENDED, NOW, STARTED, alert, message, paged, signature, text

OLD, NEW = "first-secret", "second-secret"


@pytest.fixture
def settings() -> Settings:
    """Two secrets, as while one is changed for the other."""
    return Settings(pagerduty_secrets=SecretStr(f"pilot:{OLD}, pilot:{NEW},other:third"))


async def alerted(door: Door, body: bytes, path: str = "") -> httpx.Response:
    return await door.client.post(f"/v1/hooks/alertmanager{path}", content=body, headers={"Content-Type": "application/json"})


async def steps(door: Door) -> list[IncidentRow]:
    """All steps in the log, by time and action."""
    rows = (await door.logged()).get("incident", [])
    return sorted((row for row in rows if isinstance(row, IncidentRow)), key=lambda row: (row.time_us or 0, row.action))


def us(instant: datetime) -> int:
    return int(instant.timestamp()) * 1_000_000


async def test_a_firing_alert_opens_and_detects_an_incident(door: Door) -> None:
    answer = await alerted(door, message(alert(account="acme")))
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2, "rejected": [], "ignored": 0})
    detected, opened = await steps(door)
    assert (opened.action, opened.severity, opened.service, opened.title) == ("opened", "P1", "hooks", "Deliveries are late")
    assert (detected.action, detected.time_us, opened.time_us) == ("detected", us(STARTED), us(STARTED))
    assert opened.incident == detected.incident == f"c0ffee@{text(STARTED)}"
    assert opened.account == "acme"


async def test_a_resolved_alert_resolves_it_though_the_firing_one_never_came(door: Door) -> None:
    await alerted(door, message(alert("resolved")))
    assert [(row.action, row.time_us) for row in await steps(door)] == [
        ("detected", us(STARTED)),
        ("opened", us(STARTED)),
        ("resolved", us(ENDED)),
    ]


async def test_what_both_members_of_a_pair_say_again_and_again_is_one_step(door: Door) -> None:
    bodies = [message(alert()), message(alert()), message(alert("resolved")), message(alert("resolved"))]
    await asyncio.gather(*(alerted(door, body) for body in bodies))
    by_hash = {(row.id_hash, row.action) for row in await steps(door)}
    assert sorted(action for _, action in by_hash) == ["detected", "opened", "resolved"]


async def test_an_alert_that_fires_anew_is_another_incident(door: Door) -> None:
    again = alert() | {"startsAt": text(STARTED + timedelta(minutes=35))}
    await alerted(door, message(alert("resolved"), again))
    assert len({row.incident for row in await steps(door)}) == 2


@pytest.mark.parametrize(
    ("label", "path", "severity"),
    [
        ("critical", "", "P1"),
        ("Warning", "", "P2"),
        ("info", "", "P3"),
        ("p0", "", "P0"),
        ("whatever", "", "P2"),
        ("critical", "?critical=P0", "P0"),
        ("whatever", "?whatever=p3", "P3"),
    ],
)
async def test_the_severity_comes_from_its_label(door: Door, label: str, path: str, severity: str) -> None:
    await alerted(door, message(alert(severity=label)), path)
    assert [row.severity for row in await steps(door) if row.action == "opened"] == [severity]


async def test_a_label_that_is_no_name_is_left_out_and_costs_nothing_else(door: Door) -> None:
    answer = await alerted(door, message(alert(service='a="b"', account="x" * 300)))
    assert answer.json()["rejected"] == []
    assert {(row.service, row.account) for row in await steps(door)} == {("", "")}


async def test_a_bad_alert_costs_no_other(door: Door) -> None:
    bad = alert(fingerprint="bad") | {"startsAt": "yesterday"}
    answer = await alerted(door, message(bad, alert()))
    assert (answer.status_code, answer.json()["accepted"]) == (202, 2)
    assert [each["reason"] for each in answer.json()["rejected"]] == ["bad_time", "bad_time"]


async def test_a_fingerprint_that_is_too_long_is_refused_and_not_taken_for_another(door: Door) -> None:
    answer = await alerted(door, message(alert(fingerprint="f" * 250)))
    assert {each["reason"] for each in answer.json()["rejected"]} == {"too_long"}
    assert await steps(door) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"{", "no message"), (message(version="3"), "only 4 is read"), (b'{"version":"4"}', "alerts"), (b"\xff", "no message")],
)
async def test_what_is_no_message_is_refused_for_good(door: Door, body: bytes, said: str) -> None:
    answer = await alerted(door, body)
    assert (answer.status_code, said in answer.json()["detail"]) == (400, True)
    assert await door.logged() == {}


async def test_a_severity_in_the_address_that_is_none_is_refused(door: Door) -> None:
    answer = await alerted(door, message(alert()), "?critical=high")
    assert (answer.status_code, "give P0, P1, P2 or P3" in answer.json()["detail"]) == (400, True)


async def test_a_body_that_came_too_slowly_is_asked_for_again() -> None:
    async def slow(_request: Request) -> Response:
        raise Problem(Kind.REQUEST_TIMEOUT, "the body did not come")

    with pytest.raises(Problem) as raised:
        await hooks._patient(slow)(Request({"type": "http"}))
    answer = raised.value.response("1")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_a_message_that_finds_the_log_away_is_asked_for_again_and_taken_then(
    door: Door, connection: asyncpg.Connection
) -> None:
    await connection.execute("alter table log_record rename to log_record_away")
    answer = await alerted(door, message(alert()))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    await connection.execute("alter table log_record_away rename to log_record")
    assert (await alerted(door, message(alert()))).status_code == 202
    assert [step.action for step in await steps(door)] == ["detected", "opened"]


async def test_a_message_that_finds_the_log_full_is_asked_for_again(database_url: str) -> None:
    async with opened(database_url, Settings(max_log_backlog_events=1_000)) as door:
        for start in range(0, 600, 200):
            many = [alert(fingerprint=str(number)) for number in range(start, start + 200)]
            assert (await alerted(door, message(*many))).status_code == 202
        assert await door.backlog.look() == 1_200  # each opens and detects
        full = await alerted(door, message(alert()))
        assert (full.status_code, "wait for an aggregator" in full.json()["detail"]) == (503, True)
        assert int(full.headers["retry-after"]) > 0


async def told(door: Door, body: bytes, *secrets: str, path: str = "", header: str | None = None) -> httpx.Response:
    headers = {"X-PagerDuty-Signature": signature(body, *(secrets or (NEW,))) if header is None else header}
    return await door.client.post(f"/v1/hooks/pagerduty{path}", content=body, headers=headers)


async def test_an_incidents_life_in_pagerduty_is_its_life_here(door: Door) -> None:
    life = {
        "incident.triggered": STARTED,
        "incident.acknowledged": STARTED + timedelta(minutes=2),
        "incident.escalated": STARTED + timedelta(minutes=4),
        "incident.priority_updated": STARTED + timedelta(minutes=6),
        "incident.resolved": STARTED + timedelta(minutes=8),
        "incident.reopened": STARTED + timedelta(minutes=10),
    }
    for number, (event_type, at) in enumerate(life.items()):
        changes = {"priority": {"summary": "P0"}} if event_type == "incident.priority_updated" else {}
        assert (await told(door, paged(event_type, number=number, at=at, **changes))).status_code == 202
    found = await steps(door)
    assert [row.action for row in found] == [
        "detected",
        "opened",
        "acknowledged",
        "escalated",
        "severity_changed",
        "resolved",
        "reopened",
    ]
    assert [row.severity for row in found] == ["", "P1", "", "", "P0", "", ""]
    assert {(row.incident, row.service, row.title) for row in found} == {("PGR0VU2", "API Service", "A little bump in the road")}


async def test_a_message_that_comes_again_is_the_same_step(door: Door) -> None:
    body = paged("incident.acknowledged")
    for _ in range(3):
        await told(door, body)
    assert len({row.id_hash for row in await steps(door)}) == 1


@pytest.mark.parametrize(
    ("changes", "path", "severity"),
    [
        ({"priority": None}, "", "P1"),
        ({"priority": None, "urgency": "low"}, "", "P3"),
        ({"priority": {"summary": "Sev 1"}}, "?sev%201=P0", "P0"),
        ({"priority": {"summary": "Sev 1"}, "urgency": "?"}, "", "P2"),
    ],
)
async def test_an_incident_without_a_known_priority_has_that_of_its_urgency(
    door: Door, changes: dict[str, Any], path: str, severity: str
) -> None:
    await told(door, paged("incident.triggered", **changes), path=path)
    assert [row.severity for row in await steps(door) if row.action == "opened"] == [severity]


async def test_what_changes_no_figure_is_taken_and_left(door: Door) -> None:
    answer = await told(door, paged("incident.annotated", content="a note"))
    assert (answer.status_code, answer.json()["ignored"]) == (202, 1)
    ping = json.dumps({"event": {"id": "x", "event_type": "pagey.ping", "occurred_at": text(NOW), "data": {"message": "Hello"}}})
    assert (await told(door, ping.encode())).json()["ignored"] == 1
    assert await door.logged() == {}


@pytest.mark.parametrize("secret", [OLD, NEW])
async def test_either_secret_is_right_while_they_are_changed(door: Door, secret: str) -> None:
    assert (await told(door, paged("incident.triggered"), secret)).status_code == 202
    assert (await told(door, paged("incident.triggered"), "of nobody", secret)).status_code == 202


@pytest.mark.parametrize("header", ["", "v1=", "v1=00", "v2=00", "nonsense"])
async def test_without_a_right_signature_nothing_is_taken(door: Door, header: str) -> None:
    body = paged("incident.triggered")
    assert (await told(door, body, header=header)).status_code == 403
    assert (await told(door, body, "third")).status_code == 403, "another tenant's secret"
    right = hmac.new(NEW.encode(), body, hashlib.sha256).hexdigest()
    assert (await told(door, body + b" ", header=f"v1={right}")).status_code == 403, "the body is another one"
    assert await door.logged() == {}


async def test_a_key_and_its_scope_are_needed(door: Door) -> None:
    for path in ("alertmanager", "pagerduty"):
        answer = await door.client.post(
            f"/v1/hooks/{path}", content=b"{}", headers={"Authorization": f"Bearer {door.keys['read']}"}
        )
        assert (answer.status_code, answer.json()["scope"]) == (403, "ingest")


def test_secrets_that_name_no_tenant_are_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGAUGE_PAGERDUTY_SECRETS", "hush")
    with pytest.raises(InvalidSettings) as refused:
        load()
    assert "TENANT:SECRET" in str(refused.value)
    assert "hush" not in str(refused.value)
