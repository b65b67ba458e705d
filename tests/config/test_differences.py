"""Two versions are compared key by key, elements of lists by their names, and written as a person would write them."""

import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.config import TenantConfig, parse
from service.domain.config.differences import Difference, differences
from service.domain.config.toml import toml_of, value_text
from tests.config.shapes import SHAPES

EXAMPLE = (Path(__file__).parent / "example.toml").read_text()


def target(kpi: str, number: float, more: str = "") -> str:
    return f"[[target]]\nkpi = '{kpi}'\nop = '>='\ntarget = {number}\n{more}"


def test_what_differs_is_named_key_by_key() -> None:
    before = parse("[activity]\nwau_window = '7d'\n[integrations.sap]\nlimit_ms = 500\n")
    after = parse("[activity]\nwau_window = 'week'\n[integrations.'s.p']\n")
    assert differences(before, after) == [
        Difference("activity.wau_window", "7d", "week"),
        Difference("integrations.sap", {"direction": "inbound", "limit_ms": 500.0, "tracks_accepted": False}, None),
        Difference('integrations."s.p"', None, {"direction": "inbound", "limit_ms": None, "tracks_accepted": False}),
    ]


def test_elements_of_a_list_are_the_same_by_their_names_wherever_they_stand() -> None:
    before = parse(target("a", 1) + target("b", 2) + target("a", 3, "window = 'week'\n"))
    after = parse(target("b", 5) + target("a", 1))
    assert [(each.path, each.before is None, each.after) for each in differences(before, after)] == [
        ("target[b].target", False, 5.0),
        ("target[a week]", False, None),
    ]


def test_elements_of_one_name_are_numbered() -> None:
    before, after = parse(target("a", 1)), parse(target("a", 1) + target("a", 2))
    assert [each.path for each in differences(before, after)] == ["target[a] (2)"]


def test_nothing_differs_between_a_configuration_and_itself_from_another_date_on() -> None:
    config = parse(EXAMPLE, known_kpis=SHAPES)
    assert differences(config, config.model_copy(update={"valid_from": datetime(2030, 1, 1, tzinfo=UTC)})) == []


def test_a_configuration_written_as_toml_reads_back() -> None:
    for config in (parse(EXAMPLE, known_kpis=SHAPES), TenantConfig()):
        assert parse(toml_of(config.model_dump(by_alias=True, exclude_none=True))) == config


scalars = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.dates()
    | st.datetimes(timezones=st.just(UTC))
)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
tables = st.recursive(
    st.dictionaries(names, scalars, max_size=3),
    lambda inner: st.dictionaries(
        names, scalars | st.lists(scalars, max_size=3) | st.lists(inner, max_size=2) | inner, max_size=3
    ),
    max_leaves=8,
)


@given(tables)
def test_any_tables_read_back_as_they_were_written(data: dict[str, Any]) -> None:
    assert tomllib.loads(toml_of(data)) == data


def test_a_null_is_left_out_and_what_toml_has_no_form_for_is_refused() -> None:
    assert toml_of({"a": None, "b": {"c": None, "d": 1}}) == "[b]\nd = 1\n"
    assert value_text({"a": None, "b": date(2027, 1, 4)}) == "{ b = 2027-01-04 }"
    with pytest.raises(TypeError, match="no form"):
        value_text(object())
