"""What a reader chooses at the top of a dashboard: tenant, accounts and what they are, KPI, window, grain, instance."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.models.dashboard import VariableModel, VariableOption, VariableRefresh, VariableSort, VariableType

from service.dashboards import statements
from service.dashboards.sources import postgres, prometheus

EVERY = "'*'"
"""What `All` stands for in a statement: Grafana puts it in as it is, so it carries its own quotes."""
GRAINS = ("day", "week", "month")
"""Windows whose closed values are kept."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The windows that a dashboard offers, the first one chosen."""

    windows: Sequence[str] = ("7d", "28d")
    grain: str = "day"


_QUERIES = {
    "tenant": ("Tenant", "The tenant whose figures are shown: the data source's role reads one", statements.TENANTS),
    "account": ("Account", "Customers to be shown", statements.ACCOUNTS),
    "customer": ("Account", "The customer that this is about", statements.ACCOUNTS),
    "tier": ("Tier", "Tiers of customers to be shown", statements.TIERS),
    "industry": ("Industry", "Industries of customers to be shown", statements.INDUSTRIES),
    "region": ("Region", "Regions of customers to be shown", statements.REGIONS),
    "status": ("Status", "States of customers to be shown", statements.STATUSES),
    "kpi": ("KPI", "The KPI that this is about", statements.KPIS),
    "statistic": ("Statistic", "The figure of the KPI; (value) is its plain one", statements.STATISTICS),
}
_ONE = frozenset({"tenant", "customer", "kpi", "statistic"})
"""Of these one is chosen; of the others any number, or all."""
NAMES = (
    "tenant",
    "customer",
    "account",
    "tier",
    "industry",
    "region",
    "status",
    "kpi",
    "statistic",
    "window",
    "grain",
    "instance",
)
"""Every variable, in the order in which they are shown; a query names only those before its own."""


def variable(name: str, choice: Choice) -> VariableModel:
    """One variable by its name. Raises KeyError for a name that there is not."""
    made = _variable(name, choice)
    # The SDK sets them for every variable, and they belong to intervals alone.
    made.auto = made.auto_min = made.auto_count = None
    return made


def _variable(name: str, choice: Choice) -> VariableModel:
    if name == "window":
        return _custom(name, "Window", "The window of figures as of now", choice.windows, choice.windows[0])
    if name == "grain":
        return _custom(name, "History by", "The closed windows that graphs of the history show", GRAINS, choice.grain)
    if name == "instance":
        return VariableModel(
            type_val=VariableType.QUERY,
            name=name,
            label="Instance",
            description="Processes to be shown",
            query={"query": "label_values(tidegauge_build_info, instance)", "refId": "StandardVariableQuery"},
            datasource=prometheus(),
            refresh=VariableRefresh.ON_TIME_RANGE_CHANGED,
            sort=VariableSort.ALPHABETICAL_ASC,
            multi=True,
            include_all=True,
            all_value=".*",
            current=VariableOption(text="All", value="$__all"),
        )
    label, description, statement = _QUERIES[name]
    one = name in _ONE
    return VariableModel(
        type_val=VariableType.QUERY,
        name=name,
        label=label,
        description=description,
        query=statement,
        datasource=postgres(),
        refresh=VariableRefresh.ON_DASHBOARD_LOAD,
        sort=VariableSort.ALPHABETICAL_ASC,
        multi=not one,
        include_all=not one,
        all_value=None if one else EVERY,
        current=None if one else VariableOption(text="All", value="$__all"),
    )


def _custom(name: str, label: str, description: str, values: Sequence[str], chosen: str) -> VariableModel:
    return VariableModel(
        type_val=VariableType.CUSTOM,
        name=name,
        label=label,
        description=description,
        query=",".join(values),
        options=[VariableOption(text=value, value=value, selected=value == chosen) for value in values],
        current=VariableOption(text=chosen, value=chosen, selected=True),
        multi=False,
        include_all=False,
    )
