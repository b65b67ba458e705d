"""Names that a KPI's statement may not give: those of relations, which it would hide, or have built for nothing."""

import re
from collections.abc import Collection, Iterator
from typing import Final

from service.catalog.literals import split_literals

_TOKEN: Final = re.compile(r"[a-z_][a-z0-9_]*|:[a-z_]\w*|[0-9.]+|\S", re.IGNORECASE)
_BEFORE_NAMES: Final = frozenset(
    re.findall(
        r"\w+",
        "all and any array between by case cross distinct else except exists filter following for from full group "
        "having ilike in inner intersect into is isnull join lateral left like limit materialized natural not notnull "
        "offset on only or order ordinality outer over partition preceding recursive right row rows select set similar "
        "then to union using values when where window with",
    )
)
"""Words after which a name is read, not given: whatever else stands before a name gives it (`days n`, `sum(x) n`, `as n`)."""
_SENTENCE: Final = "is the name of a relation: give the {what} another one, or the relation is hidden or built for nothing"


def taken_names(sql: str, names: Collection[str]) -> Iterator[tuple[int, str]]:
    """Where a statement gives one of these names to a table of its own or as an alias: the line, from 0, and what is wrong."""
    tokens = list(_tokens(sql))
    words = [token for _, token in tokens]
    depths = _columns_of_aliases(words)
    for place, (line, word) in enumerate(tokens):
        if word not in names:
            continue
        before = words[place - 1] if place else "select"
        if _begins_a_table(words, place):
            yield line, f"{word} {_SENTENCE.format(what='table')}"
        elif place in depths or before in {"as", ")"} or _ends_a_value(before):
            yield line, f"{word} {_SENTENCE.format(what='alias')}"


def _tokens(sql: str) -> Iterator[tuple[int, str]]:
    line = 0
    for is_literal, text in split_literals(sql):
        if is_literal:
            yield line, "''"
        else:
            for match in _TOKEN.finditer(text):
                yield line + text.count("\n", 0, match.start()), match[0].lower()
        line += text.count("\n")


def _begins_a_table(words: list[str], place: int) -> bool:
    """`NAME as (` or `NAME (columns) as (`, materialized or not."""
    after = place + 1
    if words[after : after + 1] == ["("]:
        after = _closing(words, after) + 1
    following = [word for word in words[after : after + 4] if word not in {"not", "materialized"}]
    return following[:2] == ["as", "("]


def _columns_of_aliases(words: list[str]) -> set[int]:
    """Places inside of `as NAME (columns)`."""
    found: set[int] = set()
    for place, word in enumerate(words[:-2]):
        if word == "as" and words[place + 2] == "(" and words[place + 1] != "materialized":
            found |= set(range(place + 3, _closing(words, place + 2)))
    return found


def _closing(words: list[str], place: int) -> int:
    """The parenthesis that closes this one; the end where none does."""
    depth = 0
    for at in range(place, len(words)):
        depth += (words[at] == "(") - (words[at] == ")")
        if not depth:
            return at
    return len(words)


def _ends_a_value(word: str) -> bool:
    return bool(re.fullmatch(r"''|[\w.:]+", word)) and word not in _BEFORE_NAMES and word != "."
