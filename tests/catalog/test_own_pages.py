"""Own KPIs have pages, too: an operator's files and a tenant's formulas, from files alone or as they are declared."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner

from service.catalog import Catalog
from service.catalog.guests import read_catalog
from service.cli.commands import app
from service.clock import SystemClock
from service.store.config import apply_config
from service.store.tenants import create_tenant

FORMULA = """-- id = "errors_of_services"
-- title = "Errors of services"
-- definition = "requests that failed"
-- family = "Ours"
-- unit = "requests"
-- kind = "formula"
-- formula = "requests * error_rate"
-- better = "lower"
"""
CONFIG = """[[formula]]
id = "errors_twice"
expression = "errors_of_services * 2"
unit = "requests"
better = "lower"
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of an operator's, with a sound file and one that is none."""
    directory = tmp_path / "own"
    directory.mkdir()
    (directory / "errors_of_services.sql").write_text(FORMULA)
    (directory / "bad.sql").write_text(FORMULA)
    monkeypatch.setenv("TIDEGAUGE_KPI_DIRECTORY", str(directory))
    return directory


def written(*arguments: str) -> tuple[str, int]:
    done = CliRunner().invoke(app, list(arguments))
    return done.output, done.exit_code


def test_an_operators_file_and_a_formula_of_a_configuration_have_pages(own: Path, tmp_path: Path) -> None:
    config, pages = tmp_path / "tenant.toml", tmp_path / "pages"
    config.write_text(CONFIG)
    output, code = written("kpi-docs", str(pages), "--config", str(config))
    assert (code, f"warning: no page of a file that is refused: {own / 'bad.sql'}:1: id: " in output) == (0, True), output
    assert {path.stem for path in pages.iterdir()} == {"README", "errors_of_services", "errors_twice", *Catalog.load().kpis}
    page = (pages / "errors_of_services.md").read_text()
    assert "| declared in | the operator's own file `errors_of_services.sql` |" in page
    assert "`tidegauge_errors_of_services`" in page
    formula = (pages / "errors_twice.md").read_text()
    assert "| declared in | the tenant's configuration, as `[[formula]]` |" in formula
    assert "`errors_of_services * 2`." in formula
    assert "io.tidegauge.request.v1" in formula
    index = (pages / "README.md").read_text()
    assert "## Ours" in index
    assert "[`errors_twice`](errors_twice.md)" in index


def test_the_page_of_a_file_that_is_refused_for_now_stays(
    own: Path, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(_declare(database_url, own))
    monkeypatch.setenv("TIDEGAUGE_DATABASE_URL", database_url)
    pages = tmp_path / "pages"
    assert written("kpi-docs", str(pages), "--tenant", "acme")[1] == 0
    before = {name: (pages / f"{name}.md").read_text() for name in ("errors_of_services", "errors_twice")}
    (pages / "nobody.md").write_text("of nobody")
    (own / "errors_of_services.sql").write_text(FORMULA.replace("kind", "kinds"))
    output, code = written("kpi-docs", str(pages), "--tenant", "acme")
    assert code == 0, output
    assert f"errors_of_services.md stays as it was, the page of a file that is refused: {own}" in output
    assert "errors_twice.md stays as it was, the page of the formula errors_twice: " in output
    assert {name: (pages / f"{name}.md").read_text() for name in before} == before
    assert not (pages / "nobody.md").exists()
    assert not (pages / "bad.md").exists()


def test_a_mistake_of_the_configuration_is_told_with_its_line(own: Path, tmp_path: Path) -> None:
    assert own.exists()
    config = tmp_path / "tenant.toml"
    config.write_text(CONFIG.replace("errors_of_services", "errors_of_nobody"))
    output, code = written("kpi-docs", str(tmp_path / "pages"), "--config", str(config))
    assert (code, f"{config}:3: " in output, (tmp_path / "pages").exists()) == (1, True, False), output


def test_formulas_have_pages_as_a_tenant_declares_them_now(
    own: Path, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(_declare(database_url, own))
    monkeypatch.setenv("TIDEGAUGE_DATABASE_URL", database_url)
    output, code = written("kpi-docs", str(tmp_path / "pages"), "--tenant", "acme")
    assert code == 0, output
    assert "`errors_of_services * 2`" in (tmp_path / "pages" / "errors_twice.md").read_text()
    config = tmp_path / "tenant.toml"
    config.write_text(CONFIG)
    assert written("kpi-docs", str(tmp_path / "pages"), "--tenant", "acme", "--config", str(config))[1] != 0


def test_rules_of_a_file_know_an_operators_kpis(own: Path, tmp_path: Path) -> None:
    assert own.exists()
    config = tmp_path / "tenant.toml"
    config.write_text(CONFIG + '[[alert]]\nkpi = "errors_of_services"\nop = ">"\nvalue = 5\nlevel = "warning"\n')
    output, code = written("rules", "--tenant", "acme", "--config", str(config), "--output", str(tmp_path / "rules"))
    assert code == 0, output
    assert "tidegauge_errors_of_services" in (tmp_path / "rules" / "tidegauge-tenant-acme.yml").read_text()


def test_an_operators_formula_is_kept_current_where_all_that_it_is_made_of_is(own: Path) -> None:
    catalog = read_catalog(own)
    live = catalog.kpis["errors_of_services"].head.live
    of = catalog.kpis["error_rate"].head.live
    assert live is not None
    assert of is not None
    assert (live.windows, live.by) == (of.windows, ((),))


async def _declare(url: str, own: Path) -> None:
    connection = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
    try:
        await create_tenant(connection, "acme", "UTC")
        shapes = read_catalog(own).shapes()
        await apply_config(connection, "acme", CONFIG, now_us=SystemClock().now_us(), known_kpis=shapes)
    finally:
        await connection.close()
