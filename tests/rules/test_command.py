"""`tidegauge rules`: the configurations that count now, of all tenants or one, become files that stay the same."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner

from service.catalog import Catalog
from service.cli.commands import app
from service.clock import SystemClock
from service.store.config import apply_config
from service.store.tenants import create_tenant
from tests.rules.promtool import check_rules, rules_in
from tests.rules.told import ACME

SHARED = {"tidegauge-itself.yml", "tidegauge-slo.yml", "tidegauge-everybody.yml"}


@pytest.fixture
def rules(database_url: str, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command on a database with the tenants acme, which declares much, and plain."""
    asyncio.run(_declare(database_url))
    monkeypatch.setenv("TIDEGAUGE_DATABASE_URL", database_url)
    return CliRunner()


async def _declare(url: str) -> None:
    connection = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
    try:
        for name in ("acme", "plain"):
            await create_tenant(connection, name, "UTC")
        await apply_config(connection, "acme", ACME, now_us=SystemClock().now_us(), known_kpis=Catalog.load().shapes())
    finally:
        await connection.close()


def texts(directory: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in directory.iterdir()}


def test_all_tenants_have_their_files_which_stay_the_same_and_go_with_them(rules: CliRunner, tmp_path: Path) -> None:
    gone = tmp_path / "tidegauge-tenant-gone.yml"
    theirs = tmp_path / "of-somebody-else.yml"
    for file in (gone, theirs):
        file.write_text("groups: []\n")
    done = rules.invoke(app, ["rules", "--output", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "warning: acme: [[target]] delivery_on_time{account=Smith}: no alert" in done.output
    made = texts(tmp_path)
    assert set(made) == SHARED | {"tidegauge-tenant-acme.yml", "tidegauge-tenant-plain.yml", theirs.name}
    check_rules([tmp_path / name for name in made if name != theirs.name])
    before = {name: (tmp_path / name).stat().st_ino for name in made}
    assert rules.invoke(app, ["rules", "--output", str(tmp_path)]).exit_code == 0
    assert texts(tmp_path) == made
    # What is the same is not written again: nothing looks new that is not.
    assert {name: (tmp_path / name).stat().st_ino for name in made} == before


def test_files_that_are_not_what_would_be_written_are_named_and_left_as_they_are(rules: CliRunner, tmp_path: Path) -> None:
    directory = tmp_path / "rules"
    words = ["rules", "--output", str(directory)]
    missing = rules.invoke(app, [*words, "--check"])
    assert missing.exit_code == 1
    assert "tidegauge-tenant-acme.yml: it is not there" in missing.output
    assert not directory.exists()

    assert rules.invoke(app, words).exit_code == 0
    current = rules.invoke(app, [*words, "--check"])
    assert (current.exit_code, current.output) == (0, f"5 files in {directory} are current\n")

    (directory / "tidegauge-tenant-plain.yml").write_text("groups: []\n")
    (directory / "tidegauge-tenant-gone.yml").write_text("groups: []\n")
    (directory / "of-somebody-else.yml").write_text("groups: []\n")
    before = texts(directory)
    stale = rules.invoke(app, [*words, "--check"])
    assert stale.exit_code == 1
    assert stale.output.splitlines() == [
        "tidegauge-tenant-gone.yml: there is no such tenant any more",
        "tidegauge-tenant-plain.yml: it is not what the release and the configuration of now give",
        f"{directory} is not current: the same command without --check writes it",
    ]
    assert texts(directory) == before
    for others in (["--tenant", "acme"], ["--no-tenants"]):
        assert rules.invoke(app, [*words, *others, "--check"]).exit_code == 0


def test_one_tenant_has_its_file_alone_and_a_file_of_its_configuration_needs_no_database(
    rules: CliRunner, tmp_path: Path
) -> None:
    declared, applied = tmp_path / "declared", tmp_path / "applied"
    assert rules.invoke(app, ["rules", "--tenant", "acme", "--output", str(applied)]).exit_code == 0
    file = tmp_path / "acme.toml"
    file.write_text(ACME)
    words = ["rules", "--tenant", "acme", "--config", str(file), "--output", str(declared)]
    assert rules.invoke(app, words, env={"TIDEGAUGE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}).exit_code == 0
    assert set(texts(applied)) == {"tidegauge-tenant-acme.yml"}
    assert texts(declared) == texts(applied)


def test_links_lead_to_where_people_find_them(rules: CliRunner, tmp_path: Path) -> None:
    words = [
        "rules",
        "--no-tenants",
        "--output",
        str(tmp_path),
        "--runbooks",
        "https://r.example/",
        "--grafana",
        "https://g.example",
    ]
    assert rules.invoke(app, words).exit_code == 0
    assert set(texts(tmp_path)) == SHARED
    [down] = [rule for rule in rules_in(texts(tmp_path)["tidegauge-itself.yml"]) if rule.get("alert") == "TargetDown"]
    assert down["annotations"]["runbook_url"] == "https://r.example/TargetDown.md"
    assert down["annotations"]["dashboard_url"] == "https://g.example/d/tidegauge-itself"


def test_what_cannot_be_made_is_refused_with_the_way_out(rules: CliRunner, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("[[alert]]\nkpi = 'error_rte'\nop = '>'\nvalue = 1\n")
    told = rules.invoke(app, ["rules", "--tenant", "acme", "--config", str(file), "--output", str(tmp_path)])
    assert told.exit_code == 1
    assert "did you mean error_rate?" in told.output
    alone = rules.invoke(app, ["rules", "--config", str(file), "--output", str(tmp_path)])
    assert "name it with --tenant" in str(alone.exception)
    nobody = rules.invoke(app, ["rules", "--tenant", "nobody", "--output", str(tmp_path)])
    assert "there is no tenant" in str(nobody.exception)
