"""KPIs as a catalog would declare them, for the checks of a configuration."""

from service.domain.config import KpiShape

DISTRIBUTION = ("mean", "p50", "p75", "p90", "p95", "p99", "min", "max", "count", "share_within")

SHAPES = {
    "availability": KpiShape("ratio", (), ("component", "region")),
    "request_latency": KpiShape("ms", DISTRIBUTION, ("service", "route", "region")),
    "meter": KpiShape("", DISTRIBUTION, ("meter", "unit", "currency", "attribute.*"), required=("meter",)),
    "error_rate": KpiShape("ratio", ("4xx", "5xx", "timeout"), ("service", "route")),
    "mttr": KpiShape("s", DISTRIBUTION, ("severity", "service")),
    "incidents": KpiShape("count", (), ("severity", "kind", "service", "cause")),
    "wau_share": KpiShape("ratio", (), ("user.*",)),
    "feature_adoption": KpiShape("ratio", (), ("feature",)),
    "time_to_first_value": KpiShape("s", DISTRIBUTION, ()),
    "delivery_on_time": KpiShape("ratio", (), ("integration", "direction")),
    "delivery_latency": KpiShape("ms", DISTRIBUTION, ("integration", "direction")),
    "period_retention": KpiShape("ratio", (), ("account", "user.*"), windows=("7d", "week", "month")),
    "clv": KpiShape("money", (), ("currency", "account.*"), windows=("month", "year")),
    "cac": KpiShape("money", (), ("currency", "account.*"), windows=("month", "year")),
    "average_dau": KpiShape("users", windows=("7d", "week")),
}
