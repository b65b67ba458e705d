"""The pages of docs/kpis say what the heads of the catalog say, and their examples work as they stand."""

import json
import re
from pathlib import Path

import pytest
from starlette.datastructures import QueryParams

from service.catalog import Catalog
from service.clock import DAY
from service.domain.config import parse
from service.expose.asking import Asker, read_question
from service.expose.documented import CHAPTERS, INDEX, families_of, pages
from service.settings import Settings

DOCS = Path(__file__).resolve().parents[2] / "docs" / "kpis"
CATALOG = Catalog.load()
MADE = pages(CATALOG)


def test_the_pages_are_those_of_the_catalog() -> None:
    assert {path.name for path in DOCS.glob("*.md")} == MADE.keys(), "run `make kpi-docs`"
    assert [name for name, text in MADE.items() if (DOCS / name).read_text() != text] == [], "run `make kpi-docs`"


def test_every_kpi_is_computed_from_some_family() -> None:
    assert [kpi.id for kpi in CATALOG.kpis.values() if not families_of(kpi)] == []


def test_every_kpi_is_kept_current_but_the_one_that_needs_its_features_named() -> None:
    assert [kpi.id for kpi in CATALOG.kpis.values() if kpi.head.live is None] == ["feature_ratio"]


def test_every_kpi_stands_in_a_chapter_of_the_index() -> None:
    assert [kpi.id for kpi in CATALOG.kpis.values() if kpi.head.family not in CHAPTERS] == []
    assert [kpi.id for kpi in CATALOG.kpis.values() if f"({kpi.id}.md)" not in MADE[INDEX]] == []


def test_the_query_of_a_page_is_one_that_is_answered() -> None:
    for kpi in CATALOG.kpis.values():
        [query] = re.findall(r"/v1/kpis/[a-z0-9_]+\?([^']+)'", MADE[f"{kpi.id}.md"])
        asked = read_question(kpi, QueryParams(query), Asker(1, "UTC", 20_000 * DAY), Settings())
        assert asked.kpi is kpi


def test_the_events_of_a_page_are_of_the_families_that_it_names() -> None:
    for kpi in CATALOG.kpis.values():
        shown = [json.loads(text)["type"] for text in re.findall(r"```json\n(.*?)\n```", MADE[f"{kpi.id}.md"], re.DOTALL)]
        assert shown, kpi.id
        assert {name.split(".")[2] for name in shown} <= set(families_of(kpi)), kpi.id


@pytest.mark.parametrize(
    ("name", "families"),
    [
        ("clv_cac", ["account", "measurement"]),
        ("availability", ["incident", "probe"]),
        ("burn", ["account", "measurement"]),
        ("delivery_on_time", ["delivery"]),
        ("nps", ["feedback"]),
        ("new_users", ["usage", "user"]),
    ],
)
def test_the_families_are_found_in_what_is_read(name: str, families: list[str]) -> None:
    assert sorted(families_of(CATALOG.kpis[name])) == families


def test_the_formula_of_a_page_is_taken_by_the_check_of_a_configuration() -> None:
    declared = {name: re.findall(r"```toml\n(.*?)```", page, re.DOTALL) for name, page in MADE.items()}
    assert len(declared["feature_ratio.md"]) == len(declared["delivery_latency.md"]) == len(declared["mttr.md"]) == 1
    shapes = CATALOG.shapes()
    assert all(parse(text, known_kpis=shapes).formulas for texts in declared.values() for text in texts)
