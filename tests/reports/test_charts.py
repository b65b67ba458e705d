"""Pictures show the numbers of the tables beside them: counts in full, money in its currency, shares in per cent."""

import re
from typing import Final

import pytest

from service.reports.charts import to_svg
from service.reports.model import Picture, Point

DAYS: Final = ("Mon", "Tue", "Wed", "Thu")


def texts(picture: Picture) -> list[str]:
    """Every text that a reader of the picture sees."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", to_svg(picture))


def line(unit: str, *values: float, target: float | None = None) -> Picture:
    points = tuple(Point(day, value) for day, value in zip(DAYS, values, strict=False))
    return Picture("lines", "A line", points, unit, target)


def labels(picture: Picture) -> list[str]:
    """What its axis of heights says."""
    return [text for text in texts(picture) if text not in DAYS and not text.startswith("target")]


@pytest.mark.parametrize(
    ("picture", "shown"),
    [
        (line("USD", 13_500_000.0, 12_000_000.0), "135,000 USD"),
        (line("JPY", 13_500_000.0, 12_000_000.0), "13,500,000 JPY"),
        (line("users", 200_000.0, 120_000.0), "200,000 users"),
        (line("ratio", 0.9, 0.95), "95 %"),
        (line("s", 3_600.0, 10_800.0), "2 h"),
        (line("ms", 1_200.0, 400.0), "1,200 ms"),
        (line("points", -40.0, 20.0), "−20 points"),
    ],
)
def test_an_axis_shows_numbers_as_the_tables_write_them(picture: Picture, shown: str) -> None:
    assert shown in labels(picture)
    assert not [text for text in texts(picture) if re.search(r"\de[+-]?\d", text)], "no number is written with an exponent"


def test_an_axis_of_what_is_counted_has_whole_numbers_alone() -> None:
    assert labels(line("users", 0.0, 1.0)) == ["0 users", "1 user"]


def test_bars_say_their_counts_in_full() -> None:
    found = texts(Picture("bars", "Funnel", (Point("invited", 123_456.0), Point("activated", 1.0)), "accounts"))
    assert "123,456 accounts" in found
    assert "1 account" in found


def test_a_target_is_drawn_with_its_value() -> None:
    assert "target 99.9 %" in texts(line("ratio", 0.99, 0.998, target=0.999))


def test_a_heat_map_names_a_day_in_two_lines() -> None:
    found = to_svg(Picture("heat", "Users a day", (Point("Mon 17 Nov", 1.0, "export"), Point("user-days", 1.0, "export"))))
    assert re.findall(r">(Mon|17 Nov|Mon 17 Nov|user-days)<", found) == ["Mon", "17 Nov", "user-days"]


def test_a_heat_map_shows_the_total_of_each_row_without_a_colour() -> None:
    cells = (*(Point(day, 1_000.0, "export") for day in DAYS), Point("user-days", 4_000.0, "export"))
    picture = Picture("heat", "Users a day", cells, "users", total="user-days")
    assert texts(picture).count("1,000") == len(DAYS)
    assert "4,000" in texts(picture)
    drawn = re.findall(r'aria-roledescription="rect mark"|mark-rect', to_svg(picture))
    assert drawn
    assert len(re.findall(r'fill="(#|rgb)[^"]*" stroke="white"', to_svg(picture))) == len(DAYS)
