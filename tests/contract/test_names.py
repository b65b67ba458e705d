"""Names: the rules one by one, and a memory of good ones that stays small."""

import pytest

from service.domain.names import Known, name_fault, source_fault
from service.domain.reasons import Reason
from service.errors import EventRefused

from .samples import event, row_of, verdict


@pytest.mark.parametrize(("name", "trouble"), [
    ("", "has 0 characters; a name has 1 to 100"),
    ("x" * 101, "has 101 characters"),
    ("~other", "begins with ~"),
    ("a=b", "which separate names"),
    ("a\tb", "cannot be printed"),
    ("e\u0301", "normal form C"),
    ("\u212b", "normal form C"),
])  # fmt: skip
def test_what_is_wrong_with_a_name_is_said(name: str, trouble: str) -> None:
    assert trouble in (name_fault(name) or "")


@pytest.mark.parametrize("name", ["a", "x" * 100, "web_vital.lcp", "two words", "a~", "\u00e9", "\U0001f680" * 100, "'", "<a|b>"])
def test_a_good_name_has_nothing_wrong(name: str) -> None:
    assert name_fault(name) is None


def test_a_source_is_what_a_uri_reference_may_be() -> None:
    for good in ("/shop/web", "urn:uuid:6e8bc430", "https://example.com/a?b=c#d", "orders", "mailto:a@b.c", "/caf\u00e9"):
        assert source_fault(good) is None
    for bad in ("a b", "a\n", "\x00", "a\u3000b"):
        assert source_fault(bad) is not None


def test_the_memory_of_good_names_is_bounded_and_missing_ones_stay_good() -> None:
    known = Known(name_fault, limit=10)
    for number in range(100):
        known.require(("data.feature", "data.region"), (f"name {number}", ""))
        assert len(known) <= 10
        assert known.issuperset((f"name {number}", ""))


def test_a_bad_name_is_never_remembered() -> None:
    known = Known(name_fault)
    for _ in range(2):
        with pytest.raises(EventRefused) as caught:
            known.require(("data.a", "data.b"), ("good", "~bad"))
        assert (caught.value.reason, caught.value.path) == (Reason.BAD_NAME, "data.b")
    assert "~bad" not in known


def test_the_service_s_own_name_for_the_rest_cannot_be_sent() -> None:
    assert verdict(event("usage", {"feature": "~other"})) is Reason.BAD_NAME
    assert verdict(event("user", {"traits": {"~other": "x"}})) is Reason.BAD_NAME
    assert row_of(event("user", {"traits": {"plan": "~other"}})).traits == {"plan": "~other"}
