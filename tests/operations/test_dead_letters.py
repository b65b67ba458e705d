"""What was refused can be looked at, mended, sent again and marked."""

import json

import pytest

from service.errors import InvalidArgument, NotFound
from tests.operations.commands import tidegauge
from tests.operations.events import SOURCE, minutes_ago, usage
from tests.operations.running import Running


async def broken(site: Running, *names: str) -> None:
    """Send events without their feature, and wait until they are dead letters."""
    await site.send([usage(name, data={}) for name in names], 422)
    await site.consumed()


async def test_a_mended_event_that_is_sent_again_is_counted(site: Running) -> None:
    await broken(site, "u1")
    exported = await tidegauge("dead-letters", "export", "--tenant", "acme")
    [event] = [json.loads(line) for line in exported.stdout.splitlines()]
    assert event == usage("u1", data={})
    assert (await site.get("/v1/events", source=SOURCE, id="u1"))["state"] == "dead_letter"

    assert "1 marked" in (await tidegauge("dead-letters", "mark", "resent", "--tenant", "acme")).stdout
    await site.send(event | {"data": {"feature": "dashboard"}})
    report = await site.consumed()
    assert (report.stored, report.dead_lettered, report.mistakes) == (1, 1, ())
    assert (await site.get("/v1/kpis/dau"))["value"] == 1
    assert (await site.get("/v1/events", source=SOURCE, id="u1"))["state"] == "stored"
    assert (await site.get("/v1/dead-letters", state="open"))["dead_letters"] == []
    [letter] = (await site.get("/v1/dead-letters"))["dead_letters"]
    assert (letter["state"], letter["reason"], letter["id"]) == ("resent", "missing_field", "u1")


async def test_one_that_was_mended_in_vain_is_open_again_as_it_came_now(site: Running) -> None:
    await broken(site, "u1")
    await tidegauge("dead-letters", "mark", "resent", "--tenant", "acme")
    await site.send(usage("u1", data={"quantity": 2}), 422)
    await site.consumed()
    [letter] = (await site.get("/v1/dead-letters", state="open"))["dead_letters"]
    assert letter["count"] == 2
    assert json.loads(letter["event"])["data"] == {"quantity": 2}


async def test_one_that_was_dismissed_stays_so_and_is_counted(site: Running) -> None:
    await broken(site, "u1")
    await tidegauge("dead-letters", "mark", "dismissed", "--tenant", "acme", "--id", "u1")
    await broken(site, "u1")
    [letter] = (await site.get("/v1/dead-letters"))["dead_letters"]
    assert (letter["state"], letter["count"]) == ("dismissed", 2)


async def test_only_what_is_chosen_is_listed_exported_and_marked(site: Running) -> None:
    await broken(site, "u1", "u2")
    await site.send([usage("old", time=minutes_ago(60 * 24 * 8)), usage("other", source="/services/[red]x", data={})])
    await site.consumed()
    listed = (await tidegauge("dead-letters", "list", "--tenant", "acme", "--reason", "too_late")).stdout
    assert "too_late" in listed
    assert "u1" not in listed
    assert "/services/[red]x" in (await tidegauge("dead-letters", "list", "--tenant", "acme")).stdout
    only = ("--tenant", "acme", "--source", SOURCE, "--reason", "missing_field")
    exported = (await tidegauge("dead-letters", "export", *only)).stdout
    assert sorted(json.loads(line)["id"] for line in exported.splitlines()) == ["u1", "u2"]
    assert "1 marked as dismissed" in (await tidegauge("dead-letters", "mark", "dismissed", *only, "--id", "u2")).stdout
    early = ("--until", minutes_ago(10))
    assert "0 marked as resent" in (await tidegauge("dead-letters", "mark", "resent", *only, *early)).stdout
    states = {each["id"]: each["state"] for each in (await site.get("/v1/dead-letters"))["dead_letters"]}
    assert states == {"u1": "open", "u2": "dismissed", "old": "open", "other": "open"}


async def test_more_than_a_page_is_exported_one_a_line(site: Running) -> None:
    await broken(site, *(f"u{number}" for number in range(450)))
    exported = (await tidegauge("dead-letters", "export", "--tenant", "acme")).stdout
    assert len({json.loads(line)["id"] for line in exported.splitlines()}) == 450


async def test_what_is_no_json_is_exported_as_it_came(site: Running) -> None:
    body = b'{"specversion": "1.0",\n' + json.dumps(usage("good")).encode()
    headers = {"authorization": f"Bearer {site.keys['write']}", "content-type": "application/x-ndjson"}
    answer = await site.client.post("/v1/events", content=body, headers=headers)
    assert answer.status_code == 202
    await site.consumed()
    assert (await tidegauge("dead-letters", "export", "--tenant", "acme")).stdout == '{"specversion": "1.0",\n'


async def test_mistakes_are_said_in_sentences(site: Running) -> None:
    with pytest.raises(NotFound, match="nobody"):
        await tidegauge("dead-letters", "list", "--tenant", "nobody")
    with pytest.raises(InvalidArgument, match="missing_field"):
        await tidegauge("dead-letters", "list", "--tenant", "acme", "--reason", "bad")
    with pytest.raises(InvalidArgument, match="open, resent, dismissed"):
        await tidegauge("dead-letters", "mark", "gone", "--tenant", "acme")
