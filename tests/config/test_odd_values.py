"""Whatever stands in a file, the answer is a configuration or a list of mistakes."""

import re
from pathlib import Path

import pytest

from service.domain.config import InvalidConfiguration, parse
from tests.config.shapes import SHAPES

EXAMPLE = (Path(__file__).parent / "example.toml").read_text().splitlines()
PAIR = re.compile(r"([\w\".-]+ = ).*")
ODD = [
    "1" + "0" * 400,
    "-1",
    "1.5e308",
    "inf",
    "nan",
    "true",
    '""',
    '"~"',
    '"{"',
    '"\\u0000"',
    "[]",
    "[[]]",
    '["x", 1]',
    "[1, 2]",
    "{}",
    '{ "" = 1 }',
    "{ x = { y = [] } }",
    "0001-01-01",
    "9999-12-31",
    "9999-12-31T23:59:59-12:00",
    "0001-01-01T00:00:00+14:00",
    "12:00:00",
]


def root_of(number: int) -> str:
    """The table or key of the file, without what lies in it, that a line of the example belongs to."""
    header = next((line for line in reversed(EXAMPLE[: number + 1]) if line.startswith("[")), "")
    return header.strip("[]").partition("]")[0].partition(".")[0]


ROOTS = [root_of(number) for number in range(len(EXAMPLE))]


def alone(number: int, line: str) -> str:
    """The tables that a line belongs to with another line in its place; the rest is blank, so that lines keep their numbers."""
    return "\n".join(
        line if each == number else text if ROOTS[each] == ROOTS[number] else "" for each, text in enumerate(EXAMPLE)
    )


def lines_of(text: str) -> list[int]:
    """The lines of the mistakes; none where the file is taken."""
    try:
        parse(text, known_kpis=SHAPES)
    except InvalidConfiguration as error:
        return [mistake.line for mistake in error.mistakes]
    return []


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_value_is_taken_or_told_on_its_line(odd: str) -> None:
    for number, line in enumerate(EXAMPLE):
        pair = PAIR.match(line)
        if pair is None or line.rstrip().endswith("["):
            continue
        text = alone(number, pair[1] + odd)
        tables = {index + 1 for index, each in enumerate(EXAMPLE[: number + 1]) if each.startswith("[")}
        below = range(number + 1, number + 9)  # of a list of its own, or of keys that depend on it
        assert set(lines_of(text)) <= {*tables, *below}, text.splitlines()[number]


@pytest.mark.parametrize(
    "text", ["[" * 50_000, "a = " + "[" * 50_000, "a." * 5_000 + "b = 1", "\ufeff", "\x00", "[target]\n", "target = 1\n"]
)
def test_an_odd_file_is_told_to_be_one(text: str) -> None:
    with pytest.raises(InvalidConfiguration):
        parse(text, known_kpis=SHAPES)
