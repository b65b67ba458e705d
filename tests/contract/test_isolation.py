"""One bad event never costs another, whatever it is made of."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.reasons import Reason
from service.ingest.decode import Form
from service.ingest.jsontext import deeper_than

from .samples import LIMITS, PATIENT, decode, event, text

GOOD = text(event("probe"))
NOTED = GOOD.replace(b'"id"', b'"note": NOTE, "id"')


def noted(note: bytes) -> bytes:
    return NOTED.replace(b"NOTE", note)


def deep(levels: int) -> bytes:
    """An event that nests so many levels, itself the first."""
    return noted(b"[" * (levels - 1) + b"]" * (levels - 1))


BAD = {
    "bad bytes in an ignored attribute": noted(b'"\xff"'),
    "bad bytes in a name": GOOD.replace(b'"api"', b'"\xc3\x28"'),
    "bad bytes in a key": noted(b'{"\xfe": 1}'),
    "an overlong encoding": GOOD.replace(b'"api"', b'"\xc0\xaf"'),
    "an encoded surrogate": GOOD.replace(b'"api"', b'"\xed\xa0\x80"'),
    "a lone high surrogate": GOOD.replace(b'"api"', rb'"\ud800"'),
    "a lone low surrogate": GOOD.replace(b'"api"', rb'"a\udc00b"'),
    "two high surrogates": GOOD.replace(b'"api"', rb'"\ud800\ud800"'),
    "a surrogate in an ignored attribute": noted(rb'"\ud800"'),
    "a surrogate in an unknown field": GOOD.replace(b'"up"', rb'"\udfff": 1, "up"'),
    "a control character in a string": GOOD.replace(b'"api"', b'"a\nb"'),
    "NUL in a name": GOOD.replace(b'"api"', rb'"a\u0000"'),
    "NUL in a subject": GOOD.replace(b'"subject-1"', rb'"\u0000"'),
    "33 levels": deep(33),
    "a hundred thousand levels": deep(100_000),
    "a hundred thousand objects": noted(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_broken_event_spoils_only_itself(bad: bytes) -> None:
    for body, form in (
        (b"[%s,%s,%s]" % (GOOD, bad, GOOD), Form.ARRAY),
        (b"%s\n%s\n%s" % (GOOD, bad.replace(b"\n", b"\x01"), GOOD), Form.NDJSON),
    ):
        batch = decode(body, form)
        assert batch.accepted == 2
        assert [(one.index, one.reason) for one in batch.rejected] == [(1, Reason.MALFORMED)]
    assert [one.reason for one in decode(bad, Form.OBJECT).rejected] == [Reason.MALFORMED]


def test_several_broken_events_of_all_kinds_spoil_only_themselves() -> None:
    bad = list(BAD.values())
    body = b"[%s]" % b",".join(one for pair in zip(bad, [GOOD] * len(bad), strict=True) for one in pair)
    batch = decode(body)
    assert batch.accepted == len(bad)
    assert [one.index for one in batch.rejected] == list(range(0, 2 * len(bad), 2))


FINE = {
    "32 levels": deep(32),
    "brackets in a string": noted(b'"' + b"[{" * 100 + b'"'),
    "brackets after an escaped quote": noted(rb'"\"' + b"[" * 100 + b'"'),
    "brackets after an escaped backslash": noted(rb'"\\"').replace(b"tests", b"tests" + b"[" * 100),
    "an escaped backslash before u0000": GOOD.replace(b"subject-1", rb"\\u0000"),
    "NUL in an ignored attribute": noted(rb'"\u0000"'),
    "a surrogate pair": GOOD.replace(b'"subject-1"', rb'"\ud83d\ude00"'),
    "many lists side by side": noted(b"[%s]" % b",".join([b"[]"] * 500)),
    "a number past a double": noted(b"1e400"),
    "an integer of five thousand digits": noted(b"9" * 5_000),
}


@pytest.mark.parametrize("fine", FINE.values(), ids=FINE.keys())
def test_what_only_looks_broken_is_taken(fine: bytes) -> None:
    assert decode(fine).rejected == []
    assert decode(b"[%s,%s]" % (GOOD, fine)).rejected == []
    assert decode(b"[%s,%s,1]" % (GOOD, fine)).accepted == 2


def test_an_event_is_too_large_by_itself() -> None:
    room = LIMITS.max_event_bytes - len(noted(b'""'))
    largest, larger = noted(b'"%s"' % (b"x" * room)), noted(b'"%s"' % (b"x" * (room + 1)))
    for body in (largest, b"[%s,%s]" % (GOOD, largest), b"[1,%s]" % largest):
        assert decode(body).accepted >= 1
        assert Reason.TOO_LARGE not in [one.reason for one in decode(body).rejected]
    for body in (larger, b"[%s, %s ,%s]" % (GOOD, larger, GOOD), b"[%s,1]" % larger):
        assert [one.reason for one in decode(body).rejected].count(Reason.TOO_LARGE) == 1
    assert decode(b"[%s, %s ,%s]" % (GOOD, larger, GOOD)).accepted == 2


def test_a_malformed_event_is_so_before_it_is_too_large_and_that_before_anything_else() -> None:
    filler = b"x" * LIMITS.max_event_bytes
    assert decode(noted(b'"\xff%s"' % filler)).rejected[0].reason is Reason.MALFORMED
    assert decode(noted(b'"%s"' % filler).replace(b"probe.v1", b"none.v1")).rejected[0].reason is Reason.TOO_LARGE


def test_many_events_that_are_small_each_are_no_large_event() -> None:
    body = json.dumps([event("probe", id=str(n)) for n in range(500)]).encode()
    assert len(body) > LIMITS.max_event_bytes
    assert decode(body).accepted == 500


def test_unknown_fields_of_data_are_ignored_and_counted() -> None:
    odd = event("usage", {"colour": "red", "deep": {"a": [1]}, "feature": "x"})
    batch = decode([event("probe"), odd, odd])
    assert (batch.accepted, batch.unknown_fields, batch.rejected) == (3, 4, [])
    assert decode(odd).rows == decode(event("usage", {"feature": "x"})).rows


def test_a_key_that_comes_twice_is_read_as_its_last() -> None:
    twice = GOOD.replace(b'"up": true', b'"up": false, "up": true')
    assert decode(twice).rows["probe"][0].up is True  # type: ignore[union-attr]


strings = st.lists(st.sampled_from([b"[", b"]", b"{", b"}", rb"\"", rb"\\", b"x"]), max_size=6)
nested = st.recursive(
    st.one_of(strings.map(lambda parts: b'"%s"' % b"".join(parts)), st.just(b"1")),
    lambda inner: st.tuples(st.sampled_from([b"[%s]", b'{"k":%s}']), st.lists(inner, max_size=3)).map(
        lambda pair: pair[0] % (b",".join(pair[1]) or b"2")
    ),
    max_leaves=15,
)


@given(nested, st.integers(1, 6))
@PATIENT
def test_the_depth_is_what_a_walk_over_the_text_finds(text: bytes, limit: int) -> None:
    assert deeper_than(text, limit) == (_walked(text) > limit)


def _walked(text: bytes) -> int:
    """The deepest nesting, one character after the other."""
    depth = deepest = 0
    inside = escaped = False
    for one in text:
        if inside:
            inside = escaped or one != ord('"')
            escaped = one == ord("\\") and not escaped
        elif one == ord('"'):
            inside = True
        else:
            depth += (one in b"[{") - (one in b"]}")
            deepest = max(deepest, depth)
    return deepest
