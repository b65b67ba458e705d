"""What no contract promises: waits that cannot be read, answers of another server, lines that are no events. Nothing is lost."""

from collections.abc import Callable
from itertools import cycle, repeat

import pytest

from tests.clients.running import K6, PYTHON, Example, Site, events, javascript, line_of, obeyed
from tests.clients.test_http_examples import identity
from tests.clients.weather import Forecast, Proxy, Weather

EXAMPLES: dict[str, Callable[[str], list[str]]] = {
    "httpx": lambda address: [PYTHON, "httpx_client.py", address],
    "cloudevents for Python": lambda address: [PYTHON, "cloudevents_http.py", address, "batch"],
    "cloudevents for JavaScript": lambda address: ["node", str(javascript("cloudevents_http.mjs")), address, "batch"],
}
UNREADABLE = ("1.5", "soon", "-1", "\u00b2", "Fri, 31 Dec 1999 23:59:59 GMT")
STRANGE = {
    "a page": b"HTTP/1.1 202 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>",
    "JSON of another": b"HTTP/1.1 202 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
    "no gzip": b"HTTP/1.1 422 No\r\ncontent-encoding: gzip\r\ncontent-length: 7\r\n\r\nno gzip",
}
BAD_LINES = ("no JSON\n", "[]\n", '"text"\n', '{"id": \n', '{"id": "\udcff"}\n', "[" * 100_000 + "\n")


@pytest.fixture(params=list(EXAMPLES))
def command(request: pytest.FixtureRequest) -> Callable[[str], list[str]]:
    """An example of each library."""
    return EXAMPLES[request.param]


def test_a_wait_that_cannot_be_read_loses_no_event(site: Site, command: Callable[[str], list[str]]) -> None:
    sent = events(20)
    forecast = Forecast(iter([Weather.UNAVAILABLE] * len(UNREADABLE)), retry_after=UNREADABLE)
    with Proxy(site.service.port, forecast) as proxy, Example(command(proxy.address), site.write_key) as run:
        run.feed(sent)
        assert run.end() == 0, run.errors
        assert run.unsent == []
    site.counted_once(sent)


@pytest.mark.parametrize("strange", STRANGE)
def test_an_answer_of_another_server_is_no_acknowledgement(strange: str, command: Callable[[str], list[str]]) -> None:
    sent = events(1_200)
    forecast = Forecast(repeat(Weather.STRANGE), strange=STRANGE[strange])
    with Proxy(0, forecast) as proxy, Example(command(proxy.address), "tg_any_key") as run:
        run.feed(sent)
        assert run.end() == 1, run.errors
        assert sorted(map(identity, run.unsent)) == sorted(map(identity, sent))
    obeyed(forecast.attempts, 0)


def test_a_bad_line_is_told_and_costs_no_other(site: Site, command: Callable[[str], list[str]]) -> None:
    sent = events(10)
    lines = [*map(line_of, sent[:5]), *BAD_LINES, *map(line_of, sent[5:])]
    with Example(command(site.service.address), "tg_no_such_key") as run:
        run.feed_lines(lines)
        assert run.end() == 1
        good = [event for event in run.output.splitlines() if "latency_ms" in event]
        assert len(good) == len(sent), run.errors
    with Example(command(site.service.address), site.write_key) as run:
        run.feed_lines(lines)
        assert run.end() == 1
        assert run.unsent == []
        for number in range(6, 6 + len(BAD_LINES)):
            assert f"line {number} is not an event" in run.errors
    site.counted_once(sent)


def test_k6_takes_no_answer_of_another_server_for_an_acknowledgement() -> None:
    forecast = Forecast(cycle([Weather.UNAVAILABLE, Weather.STRANGE]), retry_after=UNREADABLE, strange=STRANGE["a page"])
    with Proxy(0, forecast) as proxy:
        words = ["run", "--no-color", "--no-usage-report", "-e", f"ADDRESS={proxy.address}", "-e", "REQUESTS=6", "k6.js"]
        with Example([str(K6), *words], "tg_any_key") as run:
            assert run.end() != 0, run.output
            assert "not delivered: 202" in run.errors
            assert "undelivered_batches" in run.output
