"""A file is one KPI; a bad one is refused with its line, and the others go on."""

import re
from pathlib import Path

import pytest

from service.catalog import Catalog
from service.catalog.loader import KPIS

GOOD = """-- id = "NAME"
-- title = "Good"
-- definition = "a ÷ b"
-- family = "Service level"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- dimensions = ["account", "service"]
-- [facts]
-- kind = "request"
select tenant, win, dims, '' as statistic, sum(n) as numerator, sum(n) as denominator from facts group by 1, 2, 3
"""


def load(directory: Path, **files: str) -> Catalog:
    for name, text in files.items():
        (directory / f"{name}.sql").write_text(text.replace("NAME", name))
    return Catalog.load(directory)


def test_every_file_that_comes_with_tidegauge_is_a_kpi() -> None:
    catalog = Catalog.load()
    assert catalog.refused == ()
    assert {path.stem for path in KPIS.glob("*.sql")} == set(catalog.kpis)


def test_every_shape_says_what_a_configuration_may_name() -> None:
    shapes = Catalog.load().shapes()
    assert shapes["error_rate"].statistics == ("4xx", "5xx", "timeout")
    assert shapes["requests"].unit_of("per_minute") == "requests/min"
    assert shapes["request_latency"].is_distribution
    assert shapes["request_latency"].unit_of("p95") == "ms"
    assert shapes["request_latency"].unit_of("count") == "count"
    assert shapes["meter"].splits_by("attribute.page")


def test_each_statistic_can_have_a_usual_target_and_an_example_is_none() -> None:
    kpis = Catalog.load().kpis
    latency = kpis["request_latency"].suggestions
    assert {name: (each.op, each.target) for name, each in latency.items()} == {
        "p95": ("<=", 500.0), "mean": ("<=", 200.0), "p99": ("<=", 1_000.0)
    }  # fmt: skip
    example = kpis["average_dau"].suggestions[""]
    assert (example.target, example.up_to, kpis["average_dau"].usual("")) == (8.0, 10.0, None)
    assert kpis["nps"].usual("") is not None
    assert kpis["nps"].usual("promoters") is None


def test_a_sound_file_is_loaded_beside_a_bad_one(tmp_path: Path) -> None:
    catalog = load(tmp_path, good=GOOD, bad=GOOD.replace('"ratio"\n-- better', '"fraction"\n-- better'))
    assert list(catalog.kpis) == ["good"]
    assert [(Path(each.file).name, each.line) for each in catalog.refused] == [("bad.sql", 6)]


@pytest.mark.parametrize(
    ("was", "becomes", "line", "says"),
    [
        ('-- unit = "ratio"', '-- unit = "ratio', 5, "no TOML"),
        ('-- unit = "ratio"\n', "", 1, "unit"),
        ('-- better = "higher"', '-- beter = "higher"', 7, "beter"),
        ('-- kind = "request"', '-- kind = "requests"', 10, "requests"),
        ("-- [facts]", '-- [[event]]\n-- family = "uses"\n-- [facts]', 9, "no family 'uses'"),
        ('-- id = "NAME"', '-- id = "other"', 1, "file's name"),
        ('-- kind = "ratio"', '-- kind = "distribution"', 1, "default_statistic"),
        ('-- unit = "ratio"', '-- unit = "ratio"\n-- windows = ["8d"]', 6, "8d"),
        ('-- unit = "ratio"', '-- unit = "ratio"\n-- default_window = "8d"', 6, "8d"),
        ('-- [facts]\n-- kind = "request"\n', "", 1, "facts"),
        ("from facts", "from facts where :colour = 1", 11, "colour"),
        ("group by 1, 2, 3", "group by 1, 2, 3;", 11, "semicolon"),
        ('-- unit = "ratio"', '-- unit = "ratio"\n-- test = "welch"', 6, "squares"),
        ('-- [facts]', '-- [suggestions.p95]\n-- op = ">="\n-- target = 1.0\n-- [facts]', 9, "p95"),
        ('-- [facts]', '-- [suggestion]\n-- op = "<"\n-- target = 1.0\n-- up_to = 2.0\n-- [facts]', 9, "range"),
        ('-- [facts]', '-- [live]\n-- windows = ["1h"]\n-- statistics = ["p95"]\n-- [facts]', 11, "p95"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_with_its_line(tmp_path: Path, was: str, becomes: str, line: int, says: str) -> None:
    assert was in GOOD
    catalog = load(tmp_path, some=GOOD.replace(was, becomes))
    assert catalog.kpis == {}
    assert says in catalog.refused[0].message
    assert catalog.refused[0].line == line
    assert str(catalog.refused[0]).startswith(f"{tmp_path}/some.sql:{line}: ")


def test_a_file_that_lists_what_it_reads_of_facts_lists_all_of_it(tmp_path: Path) -> None:
    reading = GOOD.replace("from facts", "from facts where d->>'status' = '200' and not d ? 'excluded'")
    listed = '-- kind = "request"\n-- reads = ["status"{}]\n'
    few, all_of = (reading.replace('-- kind = "request"\n', listed.format(more)) for more in ("", ', "excluded"'))
    catalog = load(tmp_path, few=few, full=all_of)
    assert list(catalog.kpis) == ["full"]
    assert [(each.line, each.message) for each in catalog.refused] == [
        (11, "facts.reads: 'excluded' is missing, which the statement reads of d")
    ]


@pytest.mark.parametrize(
    "way", ["d @> '{}'", "d #>> '{status}' = 'a'", "d['status'] is null", "jsonb_object_length(d, 1)", "d::text = ''"]
)
def test_a_file_that_lists_what_it_reads_reads_nothing_in_a_way_that_cannot_be_seen(tmp_path: Path, way: str) -> None:
    listed = '-- kind = "request"\n-- reads = []\n'
    text = GOOD.replace("from facts", f"from facts where {way}")
    catalog = load(tmp_path, hidden=text.replace('-- kind = "request"\n', listed), open=text)
    assert list(catalog.kpis) == ["open"]
    assert "may read anything of d" in catalog.refused[0].message


def test_of_two_files_of_one_id_the_first_stays(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "good.sql").write_text(GOOD.replace("NAME", "good").replace("Good", name))
    catalog = Catalog.load(tmp_path / "a", tmp_path / "b")
    assert catalog.kpis["good"].head.title == "a"
    assert "already" in catalog.refused[0].message


@pytest.mark.parametrize(
    ("was", "becomes", "line", "says"),
    [
        ("select tenant", "with base as (select 1)\nselect tenant", 11, "base is the name of a relation: give the table"),
        (
            "select tenant",
            "with x as (select 1),\nbefore(n) as materialized (select 2)\nselect tenant",
            12,
            "before .* the table",
        ),
        ("from facts", "\n\nfrom facts overdue", 13, "overdue .* the alias"),
        ("from facts", "from facts, (\nselect 1) days", 12, "days .* the alias"),
        ("sum(n) as denominator", "sum(n) minutes", 11, "minutes .* the alias"),
        ("from facts", "from facts cross join lateral (values\n(1)) as v(spans)", 12, "spans .* the alias"),
    ],
)
def test_a_table_or_alias_by_the_name_of_a_relation_is_refused_with_its_line(
    tmp_path: Path, was: str, becomes: str, line: int, says: str
) -> None:
    [refusal] = load(tmp_path, bad=GOOD.replace(was, becomes)).refused
    assert refusal.line == line
    assert re.search(says, refusal.message)


def test_relations_are_read_by_their_names_and_texts_may_hold_them(tmp_path: Path) -> None:
    reads = "from facts join days on days.tenant = facts.tenant and facts.n > all(select base.n from base, wins) -- as days\n"
    good = GOOD.replace("'' as", "'as days' as").replace("from facts", reads)
    assert load(tmp_path, good=good).refused == ()
