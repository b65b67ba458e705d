"""docs/deploying.md: its commands dump a database and bring it back whole, with the wall that keeps tenants apart."""

import asyncio
import re
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from service.store.embedded_places import account_of_server, binaries_for
from service.store.grafana import create_reader, drop_reader, new_password
from service.store.grafana_doors import OPEN_FUNCTIONS, OPEN_RIGHTS
from service.store.tenants import tenant_by_name
from tests.deploy.compose import ROOT, command_lines
from tests.grafana.stored import as_role, store_tenants, views

PAGE = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
IN_POSTGRES = "docker compose exec -T postgres "


def steps() -> list[str]:
    """What the page runs in the container of Postgres to dump and to restore, but for the roles, which the server has."""
    chapter = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    [backup] = [part for part in chapter if part.startswith("Backup and restore")]
    lines = [line.removeprefix(IN_POSTGRES) for line in command_lines(backup) if line.startswith(IN_POSTGRES)]
    return [line for line in lines if "roles.sql" not in line]


async def counted(connection: asyncpg.Connection) -> dict[str, int]:
    """Rows of every view."""
    return {view: await connection.fetchval(f"select count(*) from grafana.{view}") for view in await views(connection)}


async def test_a_restored_database_has_all_its_rows_and_its_wall(database_url: str, tmp_path: Path) -> None:
    owner = await asyncpg.connect(database_url)
    await store_tenants(owner, "pilot", "rival")
    pilot = await tenant_by_name(owner, "pilot")
    role = (await create_reader(owner, pilot, new_password())).role
    before = await counted(owner)
    await owner.close()
    await asyncio.to_thread(run_as_the_page_says, database_url, tmp_path)
    restored = await asyncpg.connect(database_url)
    reader = await as_role(database_url, role)
    try:
        assert await counted(restored) == before
        assert await restored.fetch(OPEN_FUNCTIONS) == []
        assert await restored.fetch(OPEN_RIGHTS) == []
        assert [row["name"] for row in await reader.fetch("select name from tenant")] == ["pilot"]
    finally:
        await reader.close()
        await drop_reader(restored, pilot)
        await restored.close()


def run_as_the_page_says(url: str, directory: Path) -> None:
    """Dump, drop and restore by the page's own lines; only the database's name is another."""
    address = urlsplit(url)
    name, [host] = address.path.removeprefix("/"), parse_qs(address.query)["host"]
    binaries = binaries_for(account_of_server())
    lines = steps()
    assert [line.split()[0] for line in lines] == ["pg_dump", "dropdb", "pg_restore"]
    for line in lines:
        said = re.sub(r"(?<=[ =])tidegauge(?= |$)(?<!username=tidegauge)", name, line)
        done = subprocess.run(
            ["bash", "-euc", said],
            cwd=directory,
            env={"PATH": f"{binaries}:/usr/bin:/bin", "PGHOST": host},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            pytest.fail(f"{said}: {done.stderr}")
