"""A selector is one text everywhere, and reads back as it was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.selector import Selector, parse_selector
from service.errors import InvalidText

names = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True)
values = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
keys = st.from_regex(r"[a-z][a-z0-9_.]{0,12}", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "selector"),
    [
        ("availability", Selector("availability")),
        ("request_latency.p95", Selector("request_latency", "p95")),
        ("error_rate.5xx", Selector("error_rate", "5xx")),
        ("meter.p95{meter=page_load.dashboard}", Selector("meter", "p95", {"meter": ("page_load.dashboard",)})),
        ("incidents{severity=P0,P1}", Selector("incidents", None, {"severity": ("P0", "P1")})),
        (
            " incidents { severity = P0 , P1 , service = the api } ",
            Selector("incidents", None, {"severity": ("P0", "P1"), "service": ("the api",)}),
        ),
        ('wau{account="Smith, \\"Jones\\" {1}"}', Selector("wau", None, {"account": ('Smith, "Jones" {1}',)})),
    ],
)
def test_a_selector_names_kpi_statistic_and_part(text: str, selector: Selector) -> None:
    assert parse_selector(text) == selector


@given(
    st.builds(
        Selector,
        kpi=names,
        statistic=st.none() | names,
        where=st.dictionaries(keys, st.lists(values, min_size=1, max_size=3).map(tuple), max_size=3),
    )
)
def test_every_selector_reads_back_from_its_text(selector: Selector) -> None:
    assert parse_selector(str(selector)) == selector


NO_SELECTORS = [
    "Availability",
    "a.b.c",
    "a{}",
    "a{b}",
    "a{=c}",
    "a{b=}",
    "a{b=c",
    "a{b=c,}",
    "a{b=c,b=d}",
    'a{b="c}',
    "a{b=c}d",
    "a{b=c=d}",
]


@pytest.mark.parametrize("text", ["", *NO_SELECTORS, "a" * 3_000])
def test_what_is_no_selector_is_refused_with_the_form_that_is(text: str) -> None:
    with pytest.raises(InvalidText, match=r"selector|braces|twice|cannot be read"):
        parse_selector(text)
