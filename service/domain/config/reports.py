"""The tables `[[report]]` and `[[formula]]`: what is made on a schedule, and KPIs of a tenant's own."""

import re
from datetime import UTC, datetime
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field

from service.domain.config.base import Table
from service.domain.config.terms import Better, check_once

MAX_REPORTS: Final = 100
MAX_FORMULAS: Final = 200
MAX_SCHEDULE_CHARACTERS: Final = 100
MAX_URL_CHARACTERS: Final = 2_000
MAX_EXPRESSION_CHARACTERS: Final = 2_000
_FIELDS: Final = 5
_ID = re.compile(r"[a-z][a-z0-9_]{0,62}")
_ANY_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)

Format = Literal["md", "html", "pdf", "json"]
ReportName = Literal["weekly", "customer", "sla", "nps", "support", "implementation", "daily", "monthly", "portfolio"]


def check_schedule(text: str) -> str:
    """Check a cron expression of five fields that comes round at all, hourly at the most; raises ValueError."""
    form = 'write minute, hour, day of month, month and day of week, as "0 6 * * 1" for Mondays at 6'
    if len(text) > MAX_SCHEDULE_CHARACTERS or len(text.split()) != _FIELDS:
        raise ValueError(f'"{text[:MAX_SCHEDULE_CHARACTERS]}" is no schedule of five fields: {form}')
    try:
        schedule = CronSim(text, _ANY_TIME)
        next(schedule)
    except CronSimError as error:
        raise ValueError(f'"{text}" is no schedule ({error}): {form}') from None
    except StopIteration:
        raise ValueError(f'"{text}" never comes: no month has such a day') from None
    if len(schedule.minutes) > 1:
        raise ValueError(f'"{text}" comes several times an hour, and a report is made once at the most: write one minute')
    return text


def check_webhook(url: str) -> str:
    """Check an https address that names a host and no password; raises ValueError."""
    if len(url) > MAX_URL_CHARACTERS:
        raise ValueError(f"an address of {len(url)} characters is too long: {MAX_URL_CHARACTERS} at the most")
    try:
        parts = urlsplit(url)
        has_host, _ = bool(parts.hostname), parts.port
    except ValueError as error:
        raise ValueError(f"{url!r} is no address: {error}") from None
    if parts.scheme != "https" or not has_host or not url.isprintable() or " " in url:
        raise ValueError(f"{url!r} is no address of a webhook: write one that begins with https:// and names a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an address with a password would be shown to all who read the configuration: leave it out")
    return url


class Report(Table):
    """`[[report]]`: a report that is made on a schedule, stored, and posted to a webhook."""

    name: ReportName
    """A report of one account is made for each customer."""
    schedule: Annotated[str, AfterValidator(check_schedule)]
    """Cron, in the tenant's zone: minute, hour, day of month, month, day of week."""
    formats: tuple[Format, ...] = Field(default=("html",), min_length=1, max_length=4)
    webhook: Annotated[str, AfterValidator(check_webhook)] | None = None


def _id(text: str) -> str:
    if _ID.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no id of a KPI: write 1 to 63 of a-z, 0-9 and _, beginning with a letter")
    return text


class Formula(Table):
    """`[[formula]]`: a KPI of the tenant's own, made of others."""

    id: Annotated[str, AfterValidator(_id)]
    expression: Annotated[str, Field(min_length=1, max_length=MAX_EXPRESSION_CHARACTERS)]
    unit: Annotated[str, Field(min_length=1, max_length=20)] = "ratio"
    better: Better = "neither"


def _reports_once(reports: tuple[Report, ...]) -> tuple[Report, ...]:
    check_once((each.name for each in reports), "name", "a report")
    return reports


def _formulas_once(formulas: tuple[Formula, ...]) -> tuple[Formula, ...]:
    check_once((each.id for each in formulas), "id", "a formula")
    return formulas


Reports = Annotated[tuple[Report, ...], Field(max_length=MAX_REPORTS), AfterValidator(_reports_once)]
Formulas = Annotated[tuple[Formula, ...], Field(max_length=MAX_FORMULAS), AfterValidator(_formulas_once)]
