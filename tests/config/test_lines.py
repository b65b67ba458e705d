"""Every key of a file is found on the line where it stands."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.config.lines import Lines, Path

TEXT = """# a comment
top = 1
a.b."c d" = [1, # one
  2,
  { e = 3, f.g = 4 },
]
[table] # a comment
key = \"\"\"
long
\"\"\"
'quoted key' = 1
[table.sub]
x = 1
[[list]]
y = 1
[list.inner]
z = 1
[[list]]
y = 2
[[list.deep]]
w = 1
[[list.deep]]
w = 2
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("a",), 3),
        (("a", "b", "c d"), 3),
        (("a", "b", "c d", 1), 4),
        (("a", "b", "c d", 2, "f", "g"), 5),
        (("table",), 7),
        (("table", "key"), 8),
        (("table", "quoted key"), 11),
        (("table", "sub", "x"), 13),
        (("list", 0, "y"), 15),
        (("list", 0, "inner", "z"), 17),
        (("list", 1), 18),
        (("list", 1, "deep", 1, "w"), 23),
        (("table", "missing", "entirely"), 7),
        (("missing",), 1),
    ],
)
def test_a_key_is_found_on_its_line(path: Path, line: int) -> None:
    assert Lines(TEXT).of(path) == line


def paths_in(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every path of nested tables and lists."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield (*path, key)
        yield from paths_in(each, (*path, key))


names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6)


@given(st.lists(names, min_size=1, max_size=5, unique=True), st.integers(0, 3))
def test_every_key_that_can_be_quoted_is_found(keys: list[str], blank: int) -> None:
    quoted = ['"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"' for key in keys]
    text = "\n" * blank + "".join(f"[{each}]\n{each} = {{ {each} = [1] }}\n" for each in quoted)
    lines = Lines(text)
    assert {path[0] for path in paths_in(tomllib.loads(text))} == set(keys)
    for index, key in enumerate(keys):
        for path in ((key, key), (key, key, key), (key, key, key, 0)):
            assert lines.of(path) == blank + 2 * index + 2
