"""The envelope: required attributes, their limits, and what is ignored."""

from typing import Any

import pytest

from service.domain.reasons import Reason

from .samples import LEAST_DATA, decode, event, rejection_of, row_of, verdict

FAMILIES = sorted(LEAST_DATA)
WITH_SUBJECT = ["usage", "user", "delivery", "incident", "account", "recovery", "ticket", "feedback", "item"]
WITHOUT_SUBJECT = ["request", "probe", "measurement"]


def checked(**attributes: Any) -> Reason | None:
    return verdict(event("probe", **attributes))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("attribute", ["specversion", "id", "source", "type", "data"])
def test_a_required_attribute_is_missed_and_null_is_as_missing(family: str, attribute: str) -> None:
    assert verdict(event(family, **{attribute: ...})) is Reason.MISSING_FIELD
    assert verdict(event(family, **{attribute: None})) is Reason.MISSING_FIELD


@pytest.mark.parametrize("family", FAMILIES)
def test_optional_attributes_may_be_missing_or_null(family: str) -> None:
    for nothing in (..., None):
        assert verdict(event(family, time=nothing, account=nothing)) is None


@pytest.mark.parametrize("family", WITH_SUBJECT)
def test_a_family_about_somebody_needs_its_subject(family: str) -> None:
    assert verdict(event(family, subject=...)) is Reason.MISSING_FIELD
    assert verdict(event(family, subject=None)) is Reason.MISSING_FIELD


@pytest.mark.parametrize("family", WITHOUT_SUBJECT)
def test_a_family_about_nobody_ignores_the_subject_but_checks_it(family: str) -> None:
    assert verdict(event(family, subject=...)) is None
    assert verdict(event(family, subject="s" * 257)) is Reason.TOO_LONG


@pytest.mark.parametrize(("attribute", "most"), [("id", 256), ("source", 512), ("subject", 256), ("account", 128)])
def test_an_attribute_has_one_character_at_the_least_and_a_limit(attribute: str, most: int) -> None:
    for good in ("x", "x" * most, "é" * most, "😀" * most):
        assert checked(**{attribute: good}) is None
    assert checked(**{attribute: "x" * (most + 1)}) is Reason.TOO_LONG
    assert checked(**{attribute: ""}) is Reason.OUT_OF_RANGE
    odd: Any
    for odd in (5, True, ["x"], {"x": 1}):
        assert checked(**{attribute: odd}) is Reason.WRONG_TYPE


@pytest.mark.parametrize("bad", ["a b", " ", "a\tb", "a\n", "a\x00b", "a\x7f", "a\u2028b", "a\u00a0b"])
def test_a_source_is_a_reference_without_white_space(bad: str) -> None:
    assert checked(source=bad) in {Reason.BAD_NAME, Reason.MALFORMED}


def test_an_id_may_hold_anything_but_nul() -> None:
    assert checked(id="a b\n{}=,~\x01") is None
    assert checked(id="a\x00b") is Reason.MALFORMED


def test_only_version_1_0_is_spoken() -> None:
    assert [checked(specversion=bad) for bad in ("0.3", "1", "1.0 ", "")] == [Reason.OUT_OF_RANGE] * 4
    assert checked(specversion=1.0) is Reason.WRONG_TYPE


def test_an_unknown_type_is_named_with_the_known_ones() -> None:
    for unknown in ("io.tidegauge.weather.v1", "io.tidegauge.usage.v2", "usage", ""):
        rejection = rejection_of(event("usage", type=unknown))
        assert rejection.reason is Reason.UNKNOWN_TYPE
        assert "io.tidegauge.incident.v1" in rejection.detail
    assert checked(type=5) is Reason.WRONG_TYPE


def test_data_are_an_object_and_never_base64() -> None:
    assert [checked(data=odd) for odd in ("{}", 5, [1], True)] == [Reason.WRONG_TYPE] * 4
    assert checked(data_base64="e30=") is Reason.WRONG_TYPE
    assert checked(data=..., data_base64="e30=") is Reason.WRONG_TYPE
    assert checked(data_base64=None) is None
    assert "`data`" in rejection_of(event("probe", data=..., data_base64="e30=")).detail


def test_other_attributes_are_allowed_ignored_and_not_counted() -> None:
    extra = {"datacontenttype": "application/json", "dataschema": "urn:x", "traceparent": "00-1", "odd": {"deep": [1]}}
    assert checked(**extra) is None
    assert row_of(event("probe", **extra)) == row_of(event("probe"))


def test_an_event_is_an_object() -> None:
    batch = decode([5, "x", None, True, [], event("probe")])
    assert [rejection.reason for rejection in batch.rejected] == [Reason.WRONG_TYPE] * 5
    assert batch.accepted == 1


def test_the_first_fault_in_the_fixed_order_is_the_one_that_is_told() -> None:
    wrong_everywhere = {"up": 1, "interval_s": 0, "monitor": "a,b"}
    assert checked(type="x", id=..., account=5, data=wrong_everywhere) is Reason.UNKNOWN_TYPE
    assert checked(id=..., account=5, data=wrong_everywhere) is Reason.MISSING_FIELD
    assert checked(account=5, data=wrong_everywhere) is Reason.MISSING_FIELD
    assert checked(account="", data={"component": "c", **wrong_everywhere}) is Reason.WRONG_TYPE
    assert checked(account="", data={"component": "c", **wrong_everywhere, "up": True}) is Reason.OUT_OF_RANGE
    both = rejection_of(event("probe", {"interval_s": 0, "monitor": "a,b"}, account="a" * 129))
    assert both.detail.startswith("account: has 129 characters, 128 at the most")


@pytest.mark.parametrize(("document", "path"), [
    (event("probe", {"interval_s": 0}), "data.interval_s: is less than 1; send at least 1 and at most 3,600"),
    (event("usage", {"properties": {"plan": 5}}), "data.properties.plan: is a number; send a string"),
    (event("incident", {"accounts": ["a", ""]}), "data.accounts[1]: has 0 characters, 1 at the least"),
    (event("request", {"status": ...}), "data.status: an answered request has a status; send status, or timeout true"),
    (event("user", {"status": "gone"}), "data.status: 'gone' is none of"),
    (event("usage", {"feature": "a,b"}), "data.feature: 'a,b' holds one of , { } = \" which separate names"),
    (event("account", {"mrr": {"amount": 5}}), "data.mrr.currency: is required by io.tidegauge.account.v1; send it"),
    (event("account", {"renewal": "31.03.2026"}), "data.renewal: '31.03.2026' is no date; write the day alone, like 2026-03-31"),
    (event("feedback", {"score": 6}), "data.score: is not 1 to 5, the scale of this answer; send scale"),
    (event("usage", time="yesterday"), "time: 'yesterday' is no date and time with seconds; write RFC 3339"),
])  # fmt: skip
def test_a_detail_names_the_field_the_limit_and_the_way_out(document: dict[str, Any], path: str) -> None:
    assert rejection_of(document).detail.startswith(path)


def test_a_detail_is_bounded_and_can_be_shown_and_stored() -> None:
    for nasty in ("\x00" * 300, "\ud800" * 300, "x\n" * 5000, "\x1b[31m" * 100):
        rejection = rejection_of(event("usage", {"properties": {nasty: 5, "other": nasty}}, type=nasty))
        assert len(rejection.detail) <= 500
        assert rejection.detail.isprintable()
        rejection.detail.encode()
