"""The dashboards are current, say what they show, lie side by side, and lead to one another."""

import ast
import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any, get_args
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from service.catalog import Catalog
from service.dashboards import views
from service.dashboards.all import files
from service.rules.links import Dashboard as LinkedByAlerts
from tests.grafana.dashboards import DIRECTORY, PROVISIONING, ROOT, dashboards, named_in, panels, variables

UIDS = sorted(dashboards())
COLUMNS = 24


@pytest.fixture(params=UIDS)
def dashboard(request: pytest.FixtureRequest) -> Any:
    return dashboards()[request.param]


def provisioned() -> dict[str, str]:
    """Kinds of the data sources that are provisioned, by uid."""
    read = yaml.safe_load((PROVISIONING / "datasources" / "tidegauge.yml").read_bytes())
    return {each["uid"]: each["type"] for each in read["datasources"]}


def test_the_dashboards_that_are_committed_are_those_that_the_catalog_gives() -> None:
    made = files(Catalog.load())
    found = {file.name: file.read_text(encoding="utf-8") for file in DIRECTORY.glob("*.json")}
    assert sorted(found) == sorted(made)
    stale = [name for name, text in made.items() if found[name] != text]
    assert not stale, f"{stale}: run `make dashboards`"


def test_every_kpi_that_is_kept_stands_on_a_dashboard() -> None:
    text = "".join(panel["description"] for uid in UIDS for panel in panels(dashboards()[uid]))
    missing = [kpi.id for kpi in Catalog.load().kpis.values() if kpi.head.live and f"KPI `{kpi.id}`" not in text]
    assert not missing


def test_every_statement_that_is_written_is_asked() -> None:
    asked = " ".join(
        target.get("rawSql", "") for uid in UIDS for panel in panels(dashboards()[uid]) for target in panel["targets"]
    )
    known = [each for each in vars(views).values() if isinstance(each, str) and each.startswith("-- ")]
    assert [each for each in known if each not in asked] == []


def test_every_panel_says_what_it_shows_in_which_unit_and_from_where(dashboard: Any) -> None:
    known = provisioned()
    for panel in panels(dashboard):
        where = f"{dashboard['uid']}: {panel['title']}"
        assert panel["title"], where
        assert len(panel["description"]) > 20, where
        assert panel["fieldConfig"]["defaults"]["unit"], where
        assert known[panel["datasource"]["uid"]] == panel["datasource"]["type"], where
        assert panel["targets"], where
        references = [target["refId"] for target in panel["targets"]]
        assert len(references) == len(set(references)), where
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"], where


def test_no_panel_lies_on_another_one_or_beyond_the_edge(dashboard: Any) -> None:
    folded = [row["panels"] for row in dashboard["panels"] if row["type"] == "row" and row["collapsed"]]
    for group in [dashboard["panels"], *folded]:
        for panel in group:
            place = panel["gridPos"]
            assert place["x"] >= 0 < place["w"], panel["title"]
            assert place["x"] + place["w"] <= COLUMNS, panel["title"]
        for one, other in combinations(group, 2):
            assert not overlap(one["gridPos"], other["gridPos"]), f"{one['title']} and {other['title']}"


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[start] < other[start] + other[size] and other[start] < one[start] + one[size]
        for start, size in (("x", "w"), ("y", "h"))
    )


def test_ids_and_titles_tell_panels_apart(dashboard: Any) -> None:
    ids = [panel["id"] for panel in [*panels(dashboard), *(row for row in dashboard["panels"] if row["type"] == "row")]]
    assert len(ids) == len(set(ids))


def test_every_variable_that_is_named_is_offered_and_every_one_that_is_offered_is_named(dashboard: Any) -> None:
    offered = variables(dashboard)
    shown = {key: value for key, value in dashboard.items() if key not in {"templating", "links"}}
    named = named_in(json.dumps(shown))
    for name, variable in offered.items():
        its_own = named_in(json.dumps(variable["query"]))
        assert its_own <= set(list(offered)[: list(offered).index(name)]), f"{name} asks for what is chosen after it"
        named |= its_own
    # Which tenant it is stands on every dashboard of its rows: the data source's role decides it.
    assert set(offered) - {"tenant"} <= named
    assert named <= set(offered)


def test_every_dashboard_of_a_tenant_shows_its_incidents_and_its_name(dashboard: Any) -> None:
    reads_postgres = any("postgres" in panel["datasource"]["type"] for panel in panels(dashboard))
    marks = dashboard["annotations"].get("list", [])
    assert [each["name"] for each in marks] == (["Incidents"] if reads_postgres else [])
    assert ("tenant" in variables(dashboard)) is reads_postgres
    for each in marks:
        assert each["datasource"]["uid"] in provisioned()


def addresses(value: Any) -> Iterator[str]:
    """Every `url` in a dashboard."""
    if isinstance(value, dict):
        yield from (each for key, each in value.items() if key == "url" and each)
        for each in value.values():
            yield from addresses(each)
    elif isinstance(value, list):
        for each in value:
            yield from addresses(each)


def test_every_link_leads_to_a_dashboard_with_the_variables_that_it_sets(dashboard: Any) -> None:
    for address in addresses(dashboard):
        parts = urlsplit(address)
        folder, uid = re.fullmatch(r"/(d)/([a-z-]+)", parts.path).groups()  # type: ignore[union-attr]
        assert folder == "d"
        assert uid in UIDS, address
        given = {name.removeprefix("var-") for name in parse_qs(parts.query) if name.startswith("var-")}
        assert given <= set(variables(dashboards()[uid])), address
        assert "tenant" in variables(dashboard), f"{address} takes the tenant along"


def test_all_dashboards_are_found_in_the_menu_of_each(dashboard: Any) -> None:
    [menu] = dashboard["links"]
    assert (menu["type"], menu["keepTime"], menu["includeVars"]) == ("dashboards", True, True)
    assert set(menu["tags"]) <= set(dashboard["tags"])


def test_there_is_a_dashboard_wherever_an_alert_leads_to() -> None:
    assert {f"tidegauge-{name}" for name in get_args(LinkedByAlerts)} <= set(UIDS)


def test_the_dashboards_read_both_data_sources() -> None:
    used = {target["datasource"]["uid"] for uid in UIDS for panel in panels(dashboards()[uid]) for target in panel["targets"]}
    assert used == set(provisioned())


def test_what_builds_dashboards_is_needed_by_nothing_that_runs() -> None:
    for module in (ROOT / "service").rglob("*.py"):
        if module.is_relative_to(ROOT / "service" / "dashboards"):
            continue
        for node in ast.walk(ast.parse(module.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert not name.startswith(("grafana_foundation_sdk", "service.dashboards")), module
