"""Incidents over every graph of a tenant."""

from grafana_foundation_sdk.models.dashboard import AnnotationQuery

from service.dashboards.sources import Sql, postgres
from service.dashboards.statements import ANNOTATED_INCIDENTS
from service.dashboards.thresholds import RED


class _SqlAnnotation(AnnotationQuery):
    """An annotation whose target is a statement, where the SDK knows only Grafana's own store."""

    def __init__(self, name: str, statement: str) -> None:
        super().__init__(name=name, datasource=postgres(), icon_color=RED, built_in=None)
        self._query = Sql(statement, series=False, ref_id="Anno")

    def to_json(self) -> dict[str, object]:
        return super().to_json() | {"target": self._query}


def incidents() -> AnnotationQuery:
    """A mark from the beginning of each incident to its end, with severity and title."""
    return _SqlAnnotation("Incidents", ANNOTATED_INCIDENTS)
