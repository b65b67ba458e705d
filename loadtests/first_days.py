"""What was reached, made by SQL of milestones, statuses and first days: for databases that no aggregator filled."""

from importlib import import_module
from typing import Final

_MIGRATION: Final = import_module("migrations.versions.0009_reached")
_USERS: Final = "first_day as day from app_user where first_day is not null"
_SEATS: Final = "first_day from seat where first_day is not null"

MONTHS: Final[str] = _MIGRATION.MONTHS
"""Months are what their days are."""
SEATS: Final[str] = _MIGRATION.SEATS
"""Whoever reached something in an account has a seat there."""


def days(first_days: str) -> str:
    """The statement of the migration, which took first days of columns, with those of a query or table.

    It has population (`user`, `seat`), tenant, ordinal and first_day.
    """
    of = f"first_day {{day}}from {first_days} as f where population = '{{population}}'"
    users, seats = of.format(day="as day ", population="user"), of.format(day="", population="seat")
    statement: str = _MIGRATION.BITS
    return statement.replace(_USERS, users).replace(_SEATS, seats)
