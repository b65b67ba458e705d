"""Every example that speaks HTTP, run as it stands against the real service through harsh weather: each event counts once."""

import json
import random
from collections.abc import Callable

import pytest

from tests.clients.running import FOLDER, PYTHON, Event, Example, Site, events, javascript, obeyed, until
from tests.clients.weather import Forecast, Proxy, Weather

Command = Callable[[str], list[str]]

HARSH = (Weather.UNAVAILABLE, Weather.TOO_MANY, Weather.LOST, Weather.UNANSWERED, Weather.BAD_GATEWAY)
RETRY_AFTER_S = 1
ONE_BY_ONE = 60
TOGETHER = 3_000

PROGRAMS: dict[str, Callable[[], list[str]]] = {
    "cloudevents for Python": lambda: [PYTHON, "cloudevents_http.py"],
    "cloudevents for JavaScript": lambda: ["node", str(javascript("cloudevents_http.mjs"))],
}
EXAMPLES: dict[str, tuple[Command, int]] = {
    "httpx": (lambda address: [PYTHON, "httpx_client.py", address], TOGETHER),
    **{
        f"{name} {mode}": (lambda address, program=program, mode=mode: [*program(), address, mode], number)  # type: ignore[misc]
        for name, program in PROGRAMS.items()
        for mode, number in {"structured": ONE_BY_ONE, "batch": TOGETHER, "binary": ONE_BY_ONE}.items()
    },
}
"""Commands by what they show, with how many events they are given."""


@pytest.fixture(params=list(EXAMPLES))
def example(request: pytest.FixtureRequest) -> tuple[Command, int]:
    """Every example."""
    return EXAMPLES[request.param]


def harsh(seed: int) -> Forecast:
    """Every kind of bad weather, in a random order; after two of them it is fair for one request."""
    coming = list(HARSH)
    random.Random(seed).shuffle(coming)
    coming[2:2] = coming[5:5] = [Weather.FAIR]
    return Forecast(iter(coming), retry_after=[str(RETRY_AFTER_S)])


def test_every_event_counts_once_through_refusals_resets_and_a_killed_server(site: Site, example: tuple[Command, int]) -> None:
    command, number = example
    sent = events(number)
    forecast = harsh(seed=number)
    with Proxy(site.service.port, forecast) as proxy, Example(command(proxy.address), site.write_key) as run:
        run.feed(sent[: number // 2])
        # All of the bad weather, or what "after it arrived" says would not be true of a service that is away.
        until(lambda: {attempt.weather for attempt in forecast.attempts} == {Weather.FAIR, *HARSH}, "the weather is not over")
        site.service.kill("api")
        killed_at = len(forecast.attempts)
        run.feed(sent[number // 2 :])
        until(lambda: any(attempt.status is None for attempt in forecast.attempts[killed_at:]), "nobody met the dead server")
        site.service.start("api")
        site.service.wait_until_ready()
        assert run.end() == 0, run.errors
        assert run.unsent == []
    assert site.counted_once(sent) > 0
    obeyed(forecast.attempts, RETRY_AFTER_S)


def test_a_rejected_event_is_told_and_not_sent_again(site: Site, example: tuple[Command, int]) -> None:
    command, _ = example
    good, bad = events(2)
    del bad["data"]["latency_ms"]
    forecast = Forecast(iter(()))
    with Proxy(site.service.port, forecast) as proxy, Example(command(proxy.address), site.write_key) as run:
        run.feed([bad, good])
        assert run.end() == 0, run.errors
        assert f"rejected {bad['id']}: missing_field" in run.errors
    site.counted_once([good])
    assert site.dead_lettered() == 1
    obeyed(forecast.attempts, 0)


def test_what_the_service_refuses_for_good_is_handed_back_whole(site: Site, example: tuple[Command, int]) -> None:
    command, _ = example
    sent = events(20)
    forecast = Forecast(iter(()))
    with Proxy(site.service.port, forecast) as proxy:
        with Example(command(proxy.address), "tg_no_such_key") as run:
            run.feed(sent)
            assert run.end() == 1
            assert "401" in run.errors
            handed_back = run.unsent
        assert sorted(map(identity, handed_back)) == sorted(map(identity, sent))
        contents = [attempt.content for attempt in forecast.attempts]
        assert len(contents) == len(set(contents)), "it sent again what was refused for good"
        with Example(command(proxy.address), site.write_key) as run:
            run.feed(handed_back)
            assert run.end() == 0, run.errors
    site.counted_once(sent)


def test_the_events_of_the_page_are_taken(site: Site) -> None:
    given = [json.loads(line) for line in (FOLDER / "events.ndjson").read_text().splitlines()]
    with Example([PYTHON, "httpx_client.py", site.service.address], site.write_key) as run:
        run.feed(given)
        assert run.end() == 0, run.errors
    until(lambda: site.stored() == len(given), "events are missing")
    assert site.dead_lettered() == 0


def identity(event: Event) -> str:
    return json.dumps([event["source"], event["id"], event["account"], event["data"]], sort_keys=True)
