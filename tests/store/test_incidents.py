"""Incidents are what their steps say, in whatever order these came."""

import json
import random
from typing import Any

import asyncpg
import pytest

from service.store import incidents
from service.store.incidents import Incident, Selection

MINUTE = 60_000_000
Step = tuple[int, dict[str, Any]]


async def put(connection: asyncpg.Connection, subject: str, steps: list[Step], account: str = "") -> None:
    shuffled = list(enumerate(steps))
    random.Random(7).shuffle(shuffled)
    for number, (minute, fields) in shuffled:
        await connection.execute(
            "insert into step values (1, 'incident', $1, $2, '/s', $3, $4, $5)",
            subject,
            minute * MINUTE,
            f"e{number}",
            account,
            json.dumps(fields),
        )


async def only(connection: asyncpg.Connection, **wanted: Any) -> Incident:
    found = await incidents.page(connection, 1, Selection(**wanted), after=None, limit=10)
    assert len(found) == 1
    return found[0]


async def test_an_incident_has_the_first_moments_and_the_last_resolution(connection: asyncpg.Connection) -> None:
    steps: list[Step] = [
        (0, {"action": "opened", "severity": "P2", "service": "api"}),
        (5, {"action": "detected"}),
        (6, {"action": "detected"}),
        (9, {"action": "acknowledged"}),
        (20, {"action": "resolved"}),
        (30, {"action": "reopened"}),
        (50, {"action": "resolved", "severity": "P1"}),
    ]
    await put(connection, "i", steps)
    found = await only(connection)
    assert (found.opened_us, found.detected_us, found.acknowledged_us) == (0, 5 * MINUTE, 9 * MINUTE)
    assert found.resolved_us == 50 * MINUTE
    assert found.idle_us == 10 * MINUTE
    assert found.severity == "P1"


async def test_a_reopened_incident_is_open_and_steps_of_one_instant_go_by_their_rank(connection: asyncpg.Connection) -> None:
    await put(connection, "i", [(0, {"action": "opened"}), (5, {"action": "reopened"}), (5, {"action": "resolved"})])
    assert (await only(connection, state="open")).resolved_us is None


async def test_a_change_of_severity_at_the_instant_of_the_opening_counts_whatever_their_ids(
    connection: asyncpg.Connection,
) -> None:
    await put(
        connection, "i", [(0, {"action": "severity_changed", "severity": "P0"}), (0, {"action": "opened", "severity": "P2"})]
    )
    assert (await only(connection)).severity == "P0"


async def test_without_opened_an_incident_begins_with_its_first_step(connection: asyncpg.Connection) -> None:
    await put(connection, "i", [(7, {"action": "resolved"}), (3, {"action": "detected"})])
    found = await only(connection)
    assert (found.opened_us, found.resolved_us, found.severity) == (3 * MINUTE, 7 * MINUTE, None)


async def test_lists_of_accounts_are_united(connection: asyncpg.Connection) -> None:
    steps: list[Step] = [(0, {"action": "opened", "accounts": ["b", "a"]}), (1, {"action": "updated", "accounts": ["c", "a"]})]
    await put(connection, "i", steps, account="d")
    assert (await only(connection, account="c")).accounts == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("state", "subject"), [("open", "open"), ("resolved", "done"), ("false_positive", "false")], ids=["open", "resolved", "false"]
)
async def test_incidents_are_found_by_state(connection: asyncpg.Connection, state: str, subject: str) -> None:
    await put(connection, "open", [(0, {"action": "opened"})])
    await put(connection, "done", [(0, {"action": "opened"}), (1, {"action": "resolved"})])
    await put(connection, "false", [(0, {"action": "opened"}), (1, {"action": "false_positive"})])
    assert (await only(connection, state=state)).subject == subject


async def test_pages_follow_one_another_without_a_gap(connection: asyncpg.Connection) -> None:
    for number in range(5):
        await put(connection, f"i{number}", [(number // 2, {"action": "opened"})])
    seen: list[str] = []
    after: tuple[int, str] | None = None
    while found := await incidents.page(connection, 1, Selection(), after=after, limit=2):
        seen += [one.subject for one in found]
        after = (found[-1].opened_us, found[-1].subject)
    assert seen == ["i4", "i3", "i2", "i1", "i0"]
