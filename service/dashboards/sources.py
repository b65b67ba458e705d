"""The two data sources that panels read, by their fixed uids, and a query of each."""

from grafana_foundation_sdk.builders.prometheus import Dataquery as PromBuilder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

POSTGRES_UID = "tidegauge-postgres"
PROMETHEUS_UID = "tidegauge-prometheus"
POSTGRES_TYPE = "grafana-postgresql-datasource"
PROMETHEUS_TYPE = "prometheus"
_REF_IDS = "ABCDEFGH"


class Sql(Dataquery):
    """A query of Grafana's PostgreSQL data source, for which the SDK has no type of its own.

    Its fields: packages/grafana-sql/src/types.ts (SQLQuery) of Grafana 11.6.
    """

    def __init__(self, statement: str, *, series: bool, ref_id: str = "A") -> None:
        self.statement = statement
        self.format = "time_series" if series else "table"
        self.ref_id = ref_id

    def to_json(self) -> dict[str, object]:
        """As Grafana keeps it in a dashboard."""
        return {
            "refId": self.ref_id,
            "datasource": {"type": POSTGRES_TYPE, "uid": POSTGRES_UID},
            "editorMode": "code",
            "format": self.format,
            "rawQuery": True,
            "rawSql": self.statement,
        }


def postgres() -> DataSourceRef:
    """The views of the schema `grafana`, read as a role of one tenant."""
    return DataSourceRef(type_val=POSTGRES_TYPE, uid=POSTGRES_UID)


def prometheus() -> DataSourceRef:
    """What scraped /metrics of every instance, and /metrics/kpis."""
    return DataSourceRef(type_val=PROMETHEUS_TYPE, uid=PROMETHEUS_UID)


def sql(statement: str) -> list[Dataquery]:
    """One statement whose rows are shown as they are."""
    return [Sql(statement, series=False)]


def sql_series(*statements: str) -> list[Dataquery]:
    """Statements whose column `time` makes series of the other columns, named by a column `metric` if there is one."""
    return [Sql(statement, series=True, ref_id=ref_id) for statement, ref_id in zip(statements, _REF_IDS, strict=False)]


def promql(*expressions: tuple[str, str], instant: bool = False) -> list[Dataquery]:
    """Expressions, each with its legend; `instant` asks for now alone, as rows of a table."""
    return [
        _prom(expression, legend, ref_id, instant=instant)
        for (expression, legend), ref_id in zip(expressions, _REF_IDS, strict=False)
    ]


def _prom(expression: str, legend: str, ref_id: str, *, instant: bool) -> Dataquery:
    made = PromBuilder().expr(expression).legend_format(legend).ref_id(ref_id).editor_mode(QueryEditorMode.CODE)
    made = made.datasource(prometheus())
    if instant:
        return made.instant().format(PromQueryFormat.TABLE).build()
    return made.range().format(PromQueryFormat.TIME_SERIES).build()
