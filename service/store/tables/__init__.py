"""Every table, as SQLAlchemy Core; Alembic's migrations follow from these."""

from service.store.tables import (
    control,
    deliveries,
    facts,
    generations,
    grafana,
    history,
    kpi,
    log,
    reports,
    sets,
    slos,
    support,
    tenants,
    usage,
)
from service.store.tables.base import metadata

__all__ = [
    "control",
    "deliveries",
    "facts",
    "generations",
    "grafana",
    "history",
    "kpi",
    "log",
    "metadata",
    "reports",
    "sets",
    "slos",
    "support",
    "tenants",
    "usage",
]
