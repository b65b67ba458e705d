"""What a tenant declares: its tables, their checks, and where a mistake stands in the file."""

from service.domain.config.shape import KnownKpis, KpiShape

__all__ = ["KnownKpis", "KpiShape"]
