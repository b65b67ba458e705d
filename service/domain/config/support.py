"""The tables `[[incident_limit]]`, `[[sla]]` and `[[escalation]]`: how soon incidents and tickets have to be dealt with."""

from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from service.domain.config.base import Name, Table
from service.domain.config.terms import Severity, Stretch, SupportStretch, Tier, Whole, check_once

MAX_RULES: Final = 500
MAX_ACCOUNT_CHARACTERS: Final = 128


class IncidentLimit(Table):
    """`[[incident_limit]]`: how soon an incident of a severity has to be resolved."""

    severity: Severity
    resolve: Stretch


DEFAULT_INCIDENT_LIMITS: Final = (
    IncidentLimit(severity="P0", resolve="1h"),
    IncidentLimit(severity="P1", resolve="4h"),
    IncidentLimit(severity="P2", resolve="24h"),
    IncidentLimit(severity="P3", resolve="5d"),
)


def _beside_defaults(limits: tuple[IncidentLimit, ...]) -> tuple[IncidentLimit, ...]:
    check_once((each.severity for each in limits), "severity", "limited")
    severities = {each.severity for each in limits}
    others = (each for each in DEFAULT_INCIDENT_LIMITS if each.severity not in severities)
    return tuple(sorted((*limits, *others), key=lambda each: each.severity))


IncidentLimits = Annotated[tuple[IncidentLimit, ...], AfterValidator(_beside_defaults)]
"""One a severity, by severity; those that are not declared have their defaults."""


class SlaRule(Table):
    """`[[sla]]`: limits of tickets beside the defaults; a ticket that several rules fit has the stricter limit."""

    category: Name | None = None
    tier: Tier | None = None
    priority: Severity | None = None
    account: Annotated[str, Field(min_length=1, max_length=MAX_ACCOUNT_CHARACTERS)] | None = None
    within_days_of_go_live: Annotated[Whole, Field(ge=1, le=3_650)] | None = None
    response: SupportStretch | None = None
    resolution: SupportStretch | None = None

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.response is None and self.resolution is None:
            raise ValueError("a rule limits something: write `response`, `resolution` or both")
        return self


class Escalation(Table):
    """`[[escalation]]`: a level that an open ticket reaches, beside the defaults; the highest level that fits counts."""

    priority: Severity
    after: Stretch
    """By the clock, from its opening."""
    level: Annotated[Whole, Field(ge=1, le=4)]


SlaRules = Annotated[tuple[SlaRule, ...], Field(max_length=MAX_RULES)]
Escalations = Annotated[tuple[Escalation, ...], Field(max_length=MAX_RULES)]
