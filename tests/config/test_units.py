"""Amounts are written with the unit that comes to mind, and mean the same."""

import pytest

from service.domain.units import amount
from service.errors import InvalidText


@pytest.mark.parametrize(
    ("written", "unit", "number"),
    [
        (500, "ms", 500.0),
        ("500ms", "ms", 500.0),
        ("0.5s", "ms", 500.0),
        ("10m", "s", 600.0),
        ("10 min", "s", 600.0),
        ("4h", "s", 14_400.0),
        ("14d", "s", 1_209_600.0),
        ("95%", "ratio", 0.95),
        ("99.9%", "ratio", 0.999),
        ("-20%", "ratio", -0.2),
        ("100_000", "count", 100_000.0),
        (0.1, "", 0.1),
    ],
)
def test_an_amount_is_converted_to_the_unit_of_its_kpi(written: str | float, unit: str, number: float) -> None:
    assert amount(written, unit) == number


@pytest.mark.parametrize(
    ("written", "unit", "says"),
    [
        ("95%", "ms", "is a share"),
        ("4h", "ratio", "is a time"),
        ("4h", "count", "is a time"),
        ("4 fortnights", "s", "units are"),
        ("soon", "s", "no amount"),
        ("", "s", "no amount"),
        (float("nan"), "s", "finite"),
        ("9" * 400, "count", "finite"),
    ],
)
def test_an_amount_in_another_kind_of_unit_is_refused(written: str | float, unit: str, says: str) -> None:
    with pytest.raises(InvalidText, match=says):
        amount(written, unit)
