"""Links between dashboards, which take the tenant and the span of time along."""

from urllib.parse import quote

from grafana_foundation_sdk.models.dashboard import DashboardLink, DashboardLinkType

OVERVIEW, ADOPTION, DELIVERY, SERVICE_LEVEL, INCIDENTS = (
    "tidegauge-overview",
    "tidegauge-adoption",
    "tidegauge-delivery",
    "tidegauge-service-level",
    "tidegauge-incidents",
)
ACCOUNTS, ACCOUNT, SUPPORT, REVENUE, INFRASTRUCTURE, ITSELF, KPI = (
    "tidegauge-accounts",
    "tidegauge-account",
    "tidegauge-support",
    "tidegauge-revenue",
    "tidegauge-infrastructure",
    "tidegauge-itself",
    "tidegauge-kpi",
)
THIS = "${__value.raw:percentencode}"
"""The value of the cell that is clicked, whatever characters are in it."""
_ALONG = "${tenant:queryparam}&${__url_time_range}"


def to_all(tag: str) -> DashboardLink:
    """A menu of all dashboards with a tag."""
    return DashboardLink(
        title="Dashboards",
        type_val=DashboardLinkType.DASHBOARDS,
        icon="external link",
        tooltip="All dashboards of tidegauge",
        url="",
        tags=[tag],
        as_dropdown=True,
        include_vars=True,
        keep_time=True,
    )


def address(uid: str, **values: str) -> str:
    """The address of a dashboard, with values for its variables; a value of Grafana's own (`THIS`) stays as it is."""
    given = "".join(f"var-{name}={value if value.startswith('${') else quote(value)}&" for name, value in values.items())
    return f"/d/{uid}?{given}{_ALONG}"


def to(uid: str, title: str, **values: str) -> DashboardLink:
    """A link of a panel to a dashboard."""
    return DashboardLink(
        title=title, type_val=DashboardLinkType.LINK, icon="dashboard", tooltip=title, url=address(uid, **values)
    )
