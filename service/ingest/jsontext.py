"""JSON as text, before anything is read from it: how deep it nests, and where the elements of an array lie."""

import re
from collections.abc import Iterator
from itertools import islice, pairwise

import msgspec

from service.errors import BodyMalformed

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for text that it cannot read; the last two lie outside its own errors."""

_SHORT = 4_096
"""Bytes of a text so short that counting its brackets mostly settles it."""
_BRACKETS = b"[]{}"
_NO_BRACKETS = bytes(set(range(256)) - set(_BRACKETS))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_OPENERS = b"[{"
_CLOSERS = b"]}"
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_STRING_OR_BRACKET = re.compile(_STRING + rb"|[\[\]{}]", re.DOTALL)
_TOKEN = re.compile(_STRING + rb'|[\[\]{},"]', re.DOTALL)
_SPACE = b" \t\r\n"
_raw_elements = msgspec.json.Decoder(list[msgspec.Raw])


def deeper_than(text: bytes, limit: int) -> bool:
    """Whether arrays and objects nest deeper than `limit`, without parsing."""
    return may_be_deeper(text, limit) and _depth(text, limit) > limit


def may_be_deeper(text: bytes, limit: int) -> bool:
    """Whether brackets alone, those inside strings too, leave it open that something nests deeper than `limit`.

    At the speed of C: the innermost pairs are taken away `limit` times, and what nests no deeper is gone then. It holds
    for several texts one after another as well: what closes nothing in one of them hides nothing in another.
    """
    if len(text) < _SHORT and text.count(b"{") + text.count(b"[") <= limit:
        return False
    brackets = text.translate(_ONE_KIND, _NO_BRACKETS)
    for _ in range(limit):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


def _depth(text: bytes, limit: int) -> int:
    """The deepest nesting, strings left aside; stops looking past `limit`."""
    depth = deepest = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        token = match[0]
        if token in _OPENERS:
            depth += 1
            deepest = max(deepest, depth)
            if deepest > limit:
                break
        elif token in _CLOSERS:
            depth -= 1
    return deepest


def elements(body: bytes, limit: int) -> list[bytes]:
    """The elements of a JSON array as they are written: at most `limit` + 1, so that too many can be told.

    An element's own mistakes (bad bytes, lone surrogates, deep nesting) spoil no other. Raises BodyMalformed where
    the array itself cannot be followed.
    """
    # A body of commas alone would become millions of objects: let the careful way stop at the limit.
    if body.count(b",") <= 64 * (limit + 1):
        try:
            return [bytes(raw) for raw in _raw_elements.decode(body)]
        except UNREADABLE:
            pass
    return _followed(body, limit)


class LazyElements:
    """The elements of an array, looked for only when one of them is asked for."""

    def __init__(self, body: bytes, limit: int) -> None:
        self._body = body
        self._limit = limit
        self._found: list[bytes] | None = None

    def __getitem__(self, index: int) -> bytes:
        if self._found is None:
            self._found = elements(self._body, self._limit)
        return self._found[index]


def is_single(text: bytes) -> bool:
    """Whether the text closes every bracket and string that it opens, and no other: one value, if JSON at all."""
    try:
        return len(elements(b"[%s]" % text, 1)) == 1
    except BodyMalformed:
        return False


def _followed(body: bytes, limit: int) -> list[bytes]:
    """The elements by brackets, commas and strings alone."""
    marks = list(islice(_marks(body), limit + 2))
    found = [body[before:after].strip(_SPACE) for (_, before), (after, _) in pairwise(marks)]
    return [] if found == [b""] else found


def _marks(body: bytes) -> Iterator[tuple[int, int]]:
    """Where the outermost array begins, its commas are and it ends; raises BodyMalformed where that cannot be followed."""
    closing: list[bytes] = []
    end = 0
    for match in _TOKEN.finditer(body):
        token = match[0]
        if end or token == b'"' or (token in _CLOSERS and (not closing or closing.pop() != token)):
            raise BodyMalformed(f"the body is no JSON from byte {match.start()} on; send one complete array")
        if token in _OPENERS:
            if not closing:
                yield match.span()
            closing.append(b"]" if token == b"[" else b"}")
        elif token in _CLOSERS and not closing:
            end = match.end()
            yield match.span()
        elif token == b"," and len(closing) == 1:
            yield match.span()
    if not end or body[end:].strip(_SPACE):
        raise BodyMalformed("the body ends before its array does, or goes on after it; send one complete array")
