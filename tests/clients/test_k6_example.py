"""The k6 script, run as it stands against the real service: load that is acknowledged counts, each event once."""

import re

from tests.clients.running import K6, Example, Site, obeyed, until
from tests.clients.test_http_examples import HARSH, RETRY_AFTER_S, harsh
from tests.clients.weather import Proxy, Weather

REQUESTS = 200
BATCH = 50
KILLED_AFTER = 12


def test_load_of_k6_counts_once_through_refusals_resets_and_a_killed_server(site: Site) -> None:
    forecast = harsh(seed=6)
    with Proxy(site.service.port, forecast) as proxy:
        settings = {"ADDRESS": proxy.address, "REQUESTS": str(REQUESTS), "BATCH": str(BATCH), "RUN": "test"}
        words = [word for name, value in settings.items() for word in ("-e", f"{name}={value}")]
        with Example([str(K6), "run", "--no-color", "--no-usage-report", *words, "k6.js"], site.write_key) as run:
            until(lambda: len(forecast.attempts) >= KILLED_AFTER, "k6 does not send")
            site.service.kill("api")
            killed_at = len(forecast.attempts)
            until(lambda: any(attempt.status is None for attempt in forecast.attempts[killed_at:]), "nobody met the dead server")
            site.service.start("api")
            site.service.wait_until_ready()
            assert run.end() == 0, run.errors + run.output
            assert re.search(rf"acknowledged_events\.*: {REQUESTS * BATCH} ", run.output)
    site.counted(REQUESTS * BATCH)
    assert {attempt.weather for attempt in forecast.attempts} == {Weather.FAIR, *HARSH}
    obeyed(forecast.attempts, RETRY_AFTER_S)


def test_a_batch_that_k6_could_not_deliver_fails_the_run(site: Site) -> None:
    words = ["-e", f"ADDRESS={site.service.address}", "-e", "REQUESTS=2"]
    with Example([str(K6), "run", "--no-color", "--no-usage-report", *words, "k6.js"], "tg_no_such_key") as run:
        assert run.end() != 0
        assert "not delivered: 401" in run.errors


def test_the_same_run_and_time_of_k6_again_count_nothing_twice(site: Site) -> None:
    settings = {"ADDRESS": site.service.address, "REQUESTS": "3", "BATCH": "10"}
    again: list[str] = []
    for _ in range(2):
        words = [*(word for name, value in settings.items() for word in ("-e", f"{name}={value}")), *again]
        with Example([str(K6), "run", "--no-color", "--no-usage-report", *words, "k6.js"], site.write_key) as run:
            assert run.end() == 0, run.errors + run.output
            told = re.search(r"-e RUN=(\S+) -e TIME=([\w:.-]+)", run.errors)
            assert told, run.errors
            again = ["-e", f"RUN={told[1]}", "-e", f"TIME={told[2]}"]
    site.counted(30)
    assert sum(row["duplicate"] for row in site.client.get("/v1/ledger")["rows"]) == 30
