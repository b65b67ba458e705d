"""Tenants and keys from the command line: what scripts need alone on standard output."""

import asyncio

import asyncpg
import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from service.cli import keys, tenants
from service.errors import AlreadyExists, InvalidArgument, NotFound
from service.store.keys import find_key, hash_of, looks_like_a_key


@pytest.fixture(autouse=True)
def _database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGAUGE_DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "200")


async def run(app: Typer, *words: str) -> Result:
    """Run a command as a shell would; errors of ours are raised, as `tidegauge` itself turns them into sentences."""
    result = await asyncio.to_thread(CliRunner().invoke, app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


async def test_a_tenant_and_its_key_are_made_listed_and_ended(connection: asyncpg.Connection) -> None:
    made = await run(tenants.app, "create", "pilot", "--timezone", "America/New_York")
    assert (made.exit_code, made.stdout) == (0, "")
    assert "America/New_York" in made.stderr
    assert "pilot" in (await run(tenants.app, "list")).stdout

    created = await run(keys.app, "create", "--tenant", "pilot", "--scopes", "ingest, read", "--name", "web shop")
    secret = created.stdout.removesuffix("\n")
    assert looks_like_a_key(secret), "the key alone is on standard output"
    assert secret not in created.stderr
    key = await find_key(connection, hash_of(secret))
    assert key is not None
    assert (key.scopes, key.name) == (frozenset({"ingest", "read"}), "web shop")

    listed = (await run(keys.app, "list", "--tenant", "pilot")).stdout
    assert key.id in listed
    assert "ingest, read" in listed
    assert secret not in listed

    ended = await run(keys.app, "revoke", key.id)
    assert (ended.stdout, "revoked" in ended.stderr) == ("", True)
    assert await find_key(connection, hash_of(secret)) is None


async def test_mistakes_are_said_in_sentences() -> None:
    await run(tenants.app, "create", "pilot", "--timezone", "UTC")
    mistakes: list[tuple[Typer, str, type[Exception]]] = [
        (tenants.app, "create pilot --timezone UTC", AlreadyExists),
        (tenants.app, "create Pilot --timezone UTC", InvalidArgument),
        (tenants.app, "create other --timezone Mars", InvalidArgument),
        (keys.app, "create --tenant nobody --scopes read", NotFound),
        (keys.app, "create --tenant pilot --scopes write", InvalidArgument),
        (keys.app, "create --tenant pilot --scopes ,", InvalidArgument),
        (keys.app, "list --tenant nobody", NotFound),
        (keys.app, "revoke nothing", NotFound),
    ]
    for app, words, error in mistakes:
        with pytest.raises(error):
            await run(app, *words.split())


async def test_what_is_missing_is_asked_for() -> None:
    assert (await run(tenants.app, "create", "pilot")).exit_code == 2
    assert (await run(keys.app, "create", "--tenant", "pilot")).exit_code == 2
