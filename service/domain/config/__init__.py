"""What a tenant declares: its tables, their checks, and where a mistake stands in the file."""

from service.domain.config.read import parse
from service.domain.config.shape import KnownKpis, KpiShape
from service.domain.config.tables import Activity, Component, Feature, Integration, Scorecard
from service.domain.config.target import Goal, Target
from service.domain.config.tenant import TenantConfig
from service.errors import InvalidConfiguration, Mistake

__all__ = [
    "Activity",
    "Component",
    "Feature",
    "Goal",
    "Integration",
    "InvalidConfiguration",
    "KnownKpis",
    "KpiShape",
    "Mistake",
    "Scorecard",
    "Target",
    "TenantConfig",
    "parse",
]
