"""The tables that figures of every family rest on: the calendar, activity, features, integrations, components, scorecards."""

import re
from functools import cache
from typing import Annotated, Final, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, Strict, ValidationInfo, field_validator

from service.domain.config.base import (
    MAX_NAMES,
    Day,
    FigureText,
    Flag,
    Name,
    Several,
    Share,
    Table,
    check_name,
    or_similar,
)
from service.domain.config.terms import Severity, Values, Whole
from service.domain.selector import parse_selector

MAX_PROPERTIES: Final = 5
MAX_SCORECARD_ROWS: Final = 200
_NO_PLACES = frozenset({"Factory", "localtime", "posixrules"})
_HOURS = re.compile(r"([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)")

CustomerStatus = Literal["active", "at_risk", "onboarding", "trial"]
ShareOf = Literal["provisioned", "licensed", "activated"]


@cache
def _zones() -> frozenset[str]:
    """Every IANA name of this machine, read once: looking takes milliseconds, and each version asks."""
    return frozenset(available_timezones()) - _NO_PLACES


def check_timezone(zone: str) -> str:
    """Check that a text is an IANA time zone; raises ValueError."""
    if zone not in _zones():
        raise ValueError(f"there is no time zone {zone!r}: write an IANA name such as Europe/Berlin{or_similar(zone, _zones())}")
    return zone


def _hours(text: str) -> str:
    opens, _, closes = text.partition("-")
    if _HOURS.fullmatch(text) is None or opens >= closes:
        raise ValueError(f'{text!r} are no hours of a day: write them as "09:00-18:00"')
    return text


def _start(text: str) -> str:
    kind, colon, milestone = text.partition(":")
    if colon and kind != "account":
        raise ValueError(f'{text!r} is no start: write a milestone of the user, or "account:" and one of the account')
    check_name(milestone if colon else text)
    return text


Zone = Annotated[str, AfterValidator(check_timezone)]


class TenantTable(Table):
    """`[tenant]`: its calendar."""

    timezone: Zone = "UTC"
    """Of days, weeks and months (F)."""
    holidays: tuple[Day, ...] = Field(default=(), max_length=MAX_NAMES)
    support_timezone: Zone | None = None
    """Of the hours and days of support; None: `timezone`."""
    support_hours: Annotated[str, AfterValidator(_hours)] = "09:00-18:00"
    """Of a business day."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    """Shown first; nothing is converted into it."""


class Activity(Table):
    """`[activity]`: what makes a user active, and what users are counted against."""

    ignore_features: tuple[Name, ...] = Field(default=(), max_length=MAX_NAMES)
    """Features whose use makes nobody active (F)."""
    time_to_first_value_from: Annotated[str, AfterValidator(_start)] = "first_login"
    """A milestone of the user, or `account:` and one of the account."""
    wau_window: Literal["7d", "week"] = "7d"
    mau_window: Literal["28d", "30d", "month"] = "28d"
    activated_user: Name = "first_use"
    """Or a milestone."""
    power_user_uses: Annotated[Whole, Field(ge=0)] = 5
    """More uses than these in a week make a power user."""
    customer_statuses: tuple[CustomerStatus, ...] = ("active", "at_risk")
    dau_share_of: ShareOf = "provisioned"
    wau_share_of: ShareOf = "provisioned"
    mau_share_of: ShareOf = "provisioned"
    business_days_only: tuple[Literal["average_dau", "stickiness_weekly", "stickiness_monthly"], ...] = ()
    mttr_from: Literal["detected", "opened"] = "detected"
    postmortem_severities: tuple[Severity, ...] = ("P0", "P1")
    """Incidents of these are expected to have a postmortem."""


class Feature(Table):
    """`[features.NAME]`: a feature that is expected to be adopted."""

    adoption_target: Share | None = None
    adoption_limit: Share | None = None
    eligible: dict[str, Values] = Field(default_factory=dict, max_length=10)
    """User traits and the values of which one is needed; empty: every active user is eligible."""
    frequency: Flag = False
    """Uses are kept by user and week (F)."""

    @field_validator("adoption_limit")
    @classmethod
    def _is_looser(cls, limit: float | None, info: ValidationInfo) -> float | None:
        target = info.data.get("adoption_target")
        if limit is not None and "adoption_target" in info.data and (target is None or limit > target):
            raise ValueError(f"adoption_limit {limit:g} needs an adoption_target that is not below it")
        return limit


class Property(Table):
    """`[properties]`: a property of usage events to split by (F)."""

    values: Annotated[Whole, Field(ge=1, le=10_000)] = 20
    """How many values it may have; more count under ~other."""


class Integration(Table):
    """`[integrations.NAME]` (F)."""

    direction: Literal["inbound", "outbound"] = "inbound"
    limit_ms: Annotated[float, Strict(), Field(gt=0, le=34_560_000_000)] | None = None
    """On-time limit of deliveries that name none; at most 400 days."""
    tracks_accepted: Flag = False
    """Its deliveries are sent when they are accepted too, so that those that are overdue are known (F)."""


class Component(Table):
    """`[components.NAME]`: what is probed."""

    critical: Flag = False
    quorum: Annotated[Whole, Field(ge=1, le=100)] = 1
    """How many monitors have to agree that it is down."""


class Scorecard(Table):
    """`[scorecard.NAME]`: rows in their order; the worst of the critical ones is the overall state."""

    rows: tuple[FigureText, ...] = Field(min_length=1, max_length=MAX_SCORECARD_ROWS)
    critical: tuple[FigureText, ...] = ()

    @field_validator("critical")
    @classmethod
    def _are_rows(cls, critical: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if "rows" not in info.data:
            return critical
        rows = {parse_selector(row).key for row in info.data["rows"]}
        missing = [index for index, each in enumerate(critical) if parse_selector(each).key not in rows]
        if missing:
            raise Several([((index,), f"{critical[index]} is critical and no row: add it to `rows`") for index in missing])
        return critical
