"""A value is judged by the most specific target that speaks of it."""

from collections.abc import Collection, Mapping

import pytest

from service.domain.config import TenantConfig, parse
from service.domain.targets import Judgement, Status, judge
from tests.config.shapes import SHAPES

NOTHING: Mapping[str, str] = {}


def config_of(*targets: str) -> TenantConfig:
    return parse("".join(f"[[target]]\n{target}\n" for target in targets), known_kpis=SHAPES)


def status_of(config: TenantConfig, value: float | None, dims: Mapping[str, str | Collection[str]] = NOTHING) -> Status:
    return judge(config, kpi="availability", dims=dims, window="week", value=value).status


@pytest.mark.parametrize(
    ("declared", "statuses"),
    [
        ("op = '>='\ntarget = 8\nlimit = 6", {9: "green", 8: "green", 7: "yellow", 6: "yellow", 5: "red"}),
        ("op = '>'\ntarget = 8\nlimit = 6", {9: "green", 8: "yellow", 7: "yellow", 6: "red"}),
        ("op = '<='\ntarget = 6\nlimit = 8", {5: "green", 6: "green", 7: "yellow", 8: "yellow", 9: "red"}),
        ("op = '<'\ntarget = 6\nlimit = 8", {5: "green", 6: "yellow", 7: "yellow", 8: "red"}),
        ("op = '<='\ntarget = 0", {0: "green", 1: "red"}),
        ("range = [8, 10]\nlimit = [6, 12]", {8: "green", 10: "green", 7: "yellow", 12: "yellow", 5: "red", 13: "red"}),
        ("range = [8, 10]", {9: "green", 7: "red", 11: "red"}),
    ],
)
def test_green_meets_the_target_yellow_the_limit_only_and_red_neither(declared: str, statuses: dict[float, str]) -> None:
    config = config_of(f"kpi = 'availability'\n{declared}")
    assert {value: status_of(config, value).value for value in statuses} == statuses


def test_no_value_and_no_target_are_said_and_judged_by_nothing() -> None:
    config = config_of("kpi = 'availability'\nop = '>='\ntarget = 0.9\nlimit = 0.8\nbenchmark = [0.7, 0.95]")
    silent = judge(config, kpi="availability", dims=NOTHING, window=None, value=None)
    assert silent == Judgement(Status.NONE, "no_data", ">=", 0.9, 0.8, None, None, (0.7, 0.95))
    assert judge(config, kpi="wau_share", dims=NOTHING, window=None, value=1.0) == Judgement(Status.NONE, "no_target")
    assert judge(config, kpi="wau_share", dims=NOTHING, window=None, value=None) == Judgement(Status.NONE, "no_data")


def test_the_most_specific_target_counts() -> None:
    config = config_of(
        "kpi = 'availability'\nop = '>='\ntarget = 4\nwindow = 'week'\nwhere = { component = 'api', region = 'eu' }",
        "kpi = 'availability'\nop = '>='\ntarget = 3\nwhere = { component = 'api', region = 'eu' }",
        "kpi = 'availability'\nop = '>='\ntarget = 2\nwhere = { component = 'api' }",
        "kpi = 'availability'\nop = '>='\ntarget = 1",
    )

    def target_of(dims: Mapping[str, str], window: str | None = None) -> float | None:
        return judge(config, kpi="availability", dims=dims, window=window, value=1.0).target

    assert target_of({}) == 1
    assert target_of({"component": "web"}) == 1
    assert target_of({"component": "api", "account": "a"}) == 2
    assert target_of({"component": "api", "region": "eu"}) == 3
    assert target_of({"component": "api", "region": "eu"}, "month") == 3
    assert target_of({"component": "api", "region": "eu"}, "week") == 4


def test_of_equally_specific_targets_the_later_in_the_file_counts() -> None:
    config = config_of("kpi = 'availability'\nop = '>='\ntarget = 1", "kpi = 'availability'\nop = '>='\ntarget = 2")
    assert judge(config, kpi="availability", dims=NOTHING, window=None, value=1.0).target == 2


def test_a_target_of_several_values_speaks_of_them_together_and_of_each_but_of_nothing_beyond() -> None:
    config = config_of("kpi = 'availability'\nop = '>='\ntarget = 1\nwhere = { component = ['api', 'web'] }")
    assert status_of(config, 1.0, {"component": ("web", "api")}) is Status.GREEN
    assert status_of(config, 1.0, {"component": "api"}) is Status.GREEN
    assert status_of(config, 1.0, {"component": ("api", "db")}) is Status.NONE
    assert status_of(config, 1.0, {}) is Status.NONE


def test_a_part_of_what_adds_up_is_not_judged_by_the_target_of_the_whole() -> None:
    config = config_of("kpi = 'incidents'\nop = '<='\ntarget = 10", "kpi = 'incidents{severity=P0,P1}'\nop = '<='\ntarget = 1")

    def target_of(dims: Mapping[str, str | Collection[str]]) -> float | None:
        return judge(config, kpi="incidents", dims=dims, window="week", value=1.0, adds_up=True).target

    assert target_of({}) == 10
    assert target_of({"severity": ["P1", "P0"]}) == 1
    assert target_of({"severity": "P0"}) is None
    assert target_of({"account": "a"}) is None


def test_each_statistic_has_targets_of_its_own() -> None:
    config = config_of("kpi = 'error_rate'\nop = '<='\ntarget = 0.5", "kpi = 'error_rate.5xx'\nop = '<='\ntarget = 0.1")
    for statistic, target in ((None, 0.5), ("", 0.5), ("5xx", 0.1), ("4xx", None)):
        assert judge(config, kpi="error_rate", statistic=statistic, dims=NOTHING, window=None, value=0.2).target == target


def test_a_features_adoption_target_is_a_target_of_its_adoption_that_a_declared_one_replaces() -> None:
    text = "[features.export]\nadoption_target = 0.3\nadoption_limit = 0.2\n"
    own = parse(text, known_kpis=SHAPES)
    declared = parse(text + "[[target]]\nkpi = 'feature_adoption{feature=export}'\nop = '>='\ntarget = 0.5\n", known_kpis=SHAPES)
    dims = {"feature": "export"}
    assert judge(own, kpi="feature_adoption", dims=dims, window="7d", value=0.25).status is Status.YELLOW
    assert judge(declared, kpi="feature_adoption", dims=dims, window="7d", value=0.25).status is Status.RED
