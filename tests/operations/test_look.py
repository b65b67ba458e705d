"""`tidegauge status`, `check` and `settings`, and what is said of a wrong environment."""

import json
import os
import subprocess
import sys

import asyncpg
import pytest

from service.errors import InvalidSettings, NotFound, StoreUnavailable
from service.settings import Settings, load
from tests.operations.commands import tidegauge
from tests.operations.events import request, usage
from tests.operations.running import Running


async def test_status_shows_who_holds_what_and_how_far_it_is(site: Running) -> None:
    await site.send([request(f"r{number}") for number in range(40)])
    await site.consumed()
    shown = (await tidegauge("status")).stdout
    assert f":{os.getpid()}" in shown
    assert "partitions 0, 1, 2, 3" in shown
    assert "s ago" in shown
    for heading in ("pending", "lag", "in/s", "out/s", "Watermark"):
        assert heading in shown


async def test_status_says_what_nobody_holds(site: Running) -> None:
    await site.worker.stop()
    await site.send(request("r"))
    shown = (await tidegauge("status")).stdout
    assert shown.count("nobody") == 4


async def test_check_adds_the_ledger_up_and_says_what_is_missing(site: Running) -> None:
    await site.send([usage("a"), usage("a")])
    await site.consumed()
    done = await tidegauge("check")
    assert done.exit_code == 0
    assert "appended 2 = stored 1 + duplicate 1 + dead-lettered 0 + pending 0" in done.stdout
    async with site.base.pool.acquire() as connection:
        await connection.execute("update ledger set stored = stored - 1")
    wrong = await tidegauge("check")
    assert wrong.exit_code == 1
    assert "2 events consumed, but 0 stored, 1 duplicate and 0 dead-lettered make 1" in wrong.stderr


async def test_a_database_without_the_schema_is_told_what_to_do(
    connection: asyncpg.Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGAUGE_DATABASE_URL", database_url)
    with pytest.raises(NotFound, match="tidegauge up"):
        await tidegauge("status")
    await connection.execute("drop table installation")
    with pytest.raises(StoreUnavailable, match="tidegauge migrate"):
        await tidegauge("status")


@pytest.mark.parametrize("command", ["status", "migrate"])
async def test_a_postgres_that_is_away_is_a_sentence(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("TIDEGAUGE_DATABASE_URL", "postgresql://someone:secret@127.0.0.1:9/tidegauge")
    with pytest.raises(StoreUnavailable) as raised:
        await tidegauge(command)
    assert "127.0.0.1:9/tidegauge does not answer" in str(raised.value)
    assert "secret" not in str(raised.value)


async def test_settings_are_listed_with_their_meaning_and_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("TIDEGAUGE_DATABASE_URL", "postgresql://someone:secret@db.example.com/tidegauge")
    monkeypatch.setenv("TIDEGAUGE_PORT", "9090")
    shown = (await tidegauge("settings")).stdout
    for name, field in Settings.model_fields.items():
        assert f"TIDEGAUGE_{name.upper()}" in shown
        assert field.description
    assert "9090" in shown
    assert "db.example.com" in shown
    assert "secret" not in shown
    plain = (await tidegauge("settings", "--plain")).stdout
    assert "TIDEGAUGE_PORT=9090" in plain.splitlines()
    assert "secret" not in plain


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///tidegauge?host=/run/pg&user=a&password=secret",
        "postgres://a:sec@ret@host/tidegauge?sslpassword=secret",
        "postgresql://a@host/tidegauge?options=secret",
    ],
)
async def test_no_form_of_an_address_shows_its_password(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("TIDEGAUGE_DATABASE_URL", url)
    shown = (await tidegauge("settings")).stdout + (await tidegauge("settings", "--plain")).stdout
    assert "secret" not in shown
    assert "sec@" not in shown


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("TIDEGAUGE_PORT", "http", "TIDEGAUGE_PORT=http: input should be a valid integer"),
        ("TIDEGAUGE_PORT", "70000", "TIDEGAUGE_PORT=70000: input should be less than or equal to 65535"),
        ("TIDEGAUGE_LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("TIDEGAUGE_FLUSH_EVENT", "5", "TIDEGAUGE_FLUSH_EVENT is no setting: did you mean TIDEGAUGE_FLUSH_EVENTS?"),
        ("TIDEGAUGE_COLOUR", "red", "TIDEGAUGE_COLOUR is no setting: `tidegauge settings` lists those that there are"),
        ("TIDEGAUGE_DATABASE_URL", "mysql://a:secret@b/c", "TIDEGAUGE_DATABASE_URL: an address begins with postgresql://"),
        ("TIDEGAUGE_METRICS_TOKEN", "secret", "TIDEGAUGE_METRICS_TOKEN: a token is 32 letters, digits, - or _ at the least"),
    ],
)
def test_a_wrong_environment_is_refused_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings) as raised:
        load()
    assert sentence in str(raised.value)
    assert "secret" not in str(raised.value)


def test_all_mistakes_are_said_at_once_and_the_command_ends_with_1() -> None:
    environment = {**os.environ, "TIDEGAUGE_PORT": "x", "TIDEGAUGE_LEASE": "3", "TIDEGAUGE_MAX_DEPTH": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", "api"], env=environment, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 3
    assert "Traceback" not in done.stderr


def test_an_empty_value_is_the_default_and_a_client_s_key_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGAUGE_PORT", "")
    monkeypatch.setenv("TIDEGAUGE_KEY", "tg_x")
    assert load().port == 8080


def test_a_role_without_postgres_says_so_in_one_line_of_its_log() -> None:
    environment = {**os.environ, "TIDEGAUGE_DATABASE_URL": "postgresql://someone:secret@127.0.0.1:9/tidegauge"}
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", "aggregate"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    [line] = done.stderr.splitlines()
    assert done.returncode == 1
    assert json.loads(line)["event"] == "role_failed"
    assert "127.0.0.1:9/tidegauge does not answer" in json.loads(line)["why"]
    assert "secret" not in line
