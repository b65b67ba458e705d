"""A tenant's configuration as a whole: one version of it, checked, as it is stored and asked."""

from datetime import date
from functools import cached_property
from typing import Annotated, Final, Self

from pydantic import Field, field_validator

from service.domain.config.alerts import DEFAULT_ALERTS, DEFAULT_SLOS, Alerts, Slos
from service.domain.config.base import MAX_NAMES, MAX_VALUES, Name, Several, Table
from service.domain.config.customers import Items, Recovery
from service.domain.config.derived import first_uses, together
from service.domain.config.instants import Instant
from service.domain.config.kafka_source import KafkaSources
from service.domain.config.milestones import DEFAULT_FUNNEL, Funnels, Milestones
from service.domain.config.quality import DEFAULT_COMPLETENESS, Completeness, Sources
from service.domain.config.reports import Formulas, Reports
from service.domain.config.scores import DEFAULT_CHURN, Churn, Health
from service.domain.config.segments import DEFAULT_BANDS, Bands, Programme
from service.domain.config.support import DEFAULT_INCIDENT_LIMITS, Escalations, IncidentLimits, SlaRules
from service.domain.config.tables import (
    MAX_PROPERTIES,
    Activity,
    Component,
    Feature,
    Integration,
    Property,
    Scorecard,
    TenantTable,
)
from service.domain.config.target import Goal, Target
from service.domain.foldconfig import FoldConfig

MAX_TARGETS: Final = 2_000
MAX_GOALS: Final = 500
MAX_SCORECARDS: Final = 100
_NS_PER_MS: Final = 1_000_000
_FEATURE_KPI: Final = "feature_adoption"
_SLO_KPI: Final = "slo"

Members = Annotated[tuple[Name, ...], Field(min_length=1, max_length=MAX_VALUES)]


class TenantConfig(Table):
    """One version of what a tenant declares; every table has its defaults. JSON has the file's own form."""

    tenant: TenantTable = TenantTable()
    valid_from: Instant | None = None
    programme: Programme | None = None
    activity: Activity = Activity()
    features: dict[Name, Feature] = Field(default_factory=dict, max_length=MAX_NAMES)
    feature_groups: dict[Name, Members] = Field(default_factory=dict, max_length=MAX_NAMES)
    properties: dict[Name, Property] = Field(default_factory=dict, max_length=MAX_PROPERTIES)
    milestones: Milestones = Field(default_factory=dict)
    funnels: Funnels = Field(default=(DEFAULT_FUNNEL,), alias="funnel")
    bands: Bands = Field(default_factory=lambda: dict(DEFAULT_BANDS))
    integrations: dict[Name, Integration] = Field(default_factory=dict, max_length=MAX_NAMES)
    components: dict[Name, Component] = Field(default_factory=dict, max_length=MAX_NAMES)
    freshness: Sources = Field(default_factory=dict)
    completeness: Completeness = Field(default_factory=lambda: dict(DEFAULT_COMPLETENESS))
    targets: tuple[Target, ...] = Field(default=(), alias="target", max_length=MAX_TARGETS)
    incident_limits: IncidentLimits = Field(default=DEFAULT_INCIDENT_LIMITS, alias="incident_limit")
    alerts: Alerts = Field(default=DEFAULT_ALERTS, alias="alert")
    goals: tuple[Goal, ...] = Field(default=(), alias="goal", max_length=MAX_GOALS)
    scorecards: dict[Name, Scorecard] = Field(default_factory=dict, alias="scorecard", max_length=MAX_SCORECARDS)
    slos: Slos = Field(default=DEFAULT_SLOS, alias="slo")
    health: Health = Health()
    churn: Churn = Field(default_factory=lambda: dict(DEFAULT_CHURN))
    sla_rules: SlaRules = Field(default=(), alias="sla")
    escalations: Escalations = Field(default=(), alias="escalation")
    items: Items = Items()
    recovery: Recovery = Recovery()
    formulas: Formulas = Field(default=(), alias="formula")
    reports: Reports = Field(default=(), alias="report")
    kafka_sources: KafkaSources = Field(default=(), alias="kafka_source")

    @field_validator("feature_groups")
    @classmethod
    def _are_of_features(cls, groups: dict[str, Members]) -> dict[str, Members]:
        wrong: list[tuple[tuple[str | int, ...], str]] = [
            ((name, index), f"{member} is a group: name its features instead")
            for name, members in groups.items()
            for index, member in enumerate(members)
            if member in groups
        ]
        if wrong:
            raise Several(wrong)
        return groups

    @property
    def timezone(self) -> str:
        """The IANA zone of days, weeks and months."""
        return self.tenant.timezone

    @property
    def support_timezone(self) -> str:
        """The IANA zone of the hours of support."""
        return self.tenant.support_timezone or self.tenant.timezone

    @property
    def holidays(self) -> tuple[date, ...]:
        """Days that are no business days though Monday to Friday."""
        return self.tenant.holidays

    def features_of(self, name: str) -> tuple[str, ...]:
        """The features that a name stands for: those of a group, else itself."""
        return self.feature_groups.get(name, (name,))

    @property
    def ignored_features(self) -> frozenset[str]:
        """Features whose use makes nobody active, those of groups among them."""
        return frozenset(feature for name in self.activity.ignore_features for feature in self.features_of(name))

    def is_business_day(self, day: date) -> bool:
        """Whether a local day is one of Monday to Friday and no holiday."""
        return day.weekday() < 5 and day not in self._holidays  # noqa: PLR2004  # Saturday is 5

    @cached_property
    def _holidays(self) -> frozenset[date]:
        return frozenset(self.tenant.holidays)

    @cached_property
    def targets_by_kpi(self) -> dict[tuple[str, str | None], tuple[Target, ...]]:
        """Targets by KPI and statistic, the most specific first, of equals the later one in the file.

        A feature's `adoption_target` is a target of its `feature_adoption`, and the objective of an SLO one of `slo` over its
        own window; both come before all of `[[target]]`.
        """
        ordered = sorted(
            enumerate((*self._adoption_targets(), *self._objectives(), *self.targets)),
            key=lambda numbered: (numbered[1].specificity, numbered[0]),
            reverse=True,
        )
        found: dict[tuple[str, str | None], tuple[Target, ...]] = {}
        for _, each in ordered:
            key = each.selector.kpi, each.selector.statistic
            found[key] = (*found.get(key, ()), each)
        return found

    def _adoption_targets(self) -> tuple[Target, ...]:
        return tuple(
            Target(
                kpi=_FEATURE_KPI,
                where={"feature": (name,)},
                op=">=",
                target=feature.adoption_target,
                limit=feature.adoption_limit,
            )
            for name, feature in self.features.items()
            if feature.adoption_target is not None
        )

    def _objectives(self) -> tuple[Target, ...]:
        return tuple(
            Target(kpi=_SLO_KPI, where={"slo": (each.name,)}, window=each.window, op=">=", target=each.objective)
            for each in self.slos
        )

    def to_fold(self) -> FoldConfig:
        """The part that decides how events are folded."""
        return FoldConfig(
            timezone=self.timezone,
            ignore_features=self.ignored_features,
            limit_ns={
                name: round(each.limit_ms * _NS_PER_MS) for name, each in self.integrations.items() if each.limit_ms is not None
            },
            properties={name: each.values for name, each in self.properties.items()},
            frequency_features=frozenset(name for name, each in self.features.items() if each.frequency),
            tracked=frozenset(name for name, each in self.integrations.items() if each.tracks_accepted),
            completeness=self.completeness,
            first_uses=first_uses(self.milestones, self.funnels, self.features_of),
            together=together(self.milestones),
            slos=tuple(filter(None, (each.selection(self.features_of) for each in self.slos))),
        )

    def in_zone(self, timezone: str) -> Self:
        """The same in another time zone: all versions of a tenant share its one."""
        return self.model_copy(update={"tenant": self.tenant.model_copy(update={"timezone": timezone})})

    def to_json(self) -> str:
        """The text that from_json reads back; keys are those of the file, values in the KPIs' units."""
        return self.model_dump_json(by_alias=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what to_json wrote; keys of a newer version of tidegauge are passed over, so that both can run for a while."""
        return cls.model_validate_json(text, extra="ignore")
