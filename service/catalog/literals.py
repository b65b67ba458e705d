"""Telling a statement's text from the literals and comments in it."""

import re

_WORD = re.compile(r"[a-z_]+")
_LITERAL = re.compile(r"'(?:[^']|'')*'|--[^\n]*")


def split_literals(sql: str) -> list[tuple[bool, str]]:
    """Pieces of a text, each with whether it is a quoted literal or a comment."""
    pieces, at = [], 0
    for match in _LITERAL.finditer(sql):
        pieces += [(False, sql[at : match.start()]), (True, match[0])]
        at = match.end()
    return [*pieces, (False, sql[at:])]


def words_of(sql: str) -> frozenset[str]:
    """The words of a text outside of its literals and comments."""
    return frozenset(word for literal, part in split_literals(sql) if not literal for word in _WORD.findall(part))
