"""The reports that there are, each declared as chapters of asks."""

from collections.abc import Mapping
from types import MappingProxyType

from service.reports.layout import (
    Blank,
    Chapter,
    Daily,
    Decision,
    Funnels,
    HeatMap,
    Incidents,
    Items,
    Kpis,
    Layout,
    Misses,
    Scorecards,
    Split,
    Trend,
)
from service.reports.layouts_customers import CUSTOMER, NPS, PORTFOLIO, SLA, SUPPORT
from service.reports.layouts_shared import DELIVERY, INCIDENTS, SERVICE, SUPPORTED

WEEKLY = Layout(
    name="weekly",
    title="Weekly report",
    window="week",
    chapters=(
        Chapter(
            "Summary",
            (
                Blank("summary", "What a reader with one minute should know of this week."),
                Kpis("At a glance", ("wau", "wau_share", "availability", "delivery_on_time", "incidents", "tickets")),
                Misses("What misses its target"),
            ),
        ),
        Chapter(
            "Adoption",
            (
                Kpis(
                    "Accounts and users",
                    ("account_activation", "time_to_activation.mean", "first_value_achieved", "time_to_first_value.mean"),
                ),
                Kpis("Activity", ("average_dau", "wau", "wau_share", "stickiness_weekly", "new_users", "repeat_visit")),
                Split("Features", ("feature_adoption", "feature_uses"), by="feature"),
            ),
        ),
        Chapter(
            "Delivery and service level",
            (
                Kpis("Service", SERVICE),
                Kpis("Delivery", DELIVERY),
                Split("By integration", ("deliveries", "delivery_on_time", "delivery_latency.p95"), by="integration"),
                Trend("Availability", "availability"),
            ),
        ),
        Chapter(
            "Incidents",
            (
                Kpis("Incidents", INCIDENTS),
                Split("By severity", ("incidents", "mttd.mean", "mttr.mean"), by="severity"),
                Incidents("Opened this week"),
            ),
        ),
        Chapter("Risks", (Items("Open risks", ("risk",)), Blank("risks", "What could go wrong, and what is done about it."))),
        Chapter(
            "Wins and blockers",
            (
                Items("Wins", ("win", "opportunity"), ("open", "mitigating", "closed")),
                Items("Blockers", ("blocker",)),
                Blank("wins_and_blockers", "What went well, and what stands in the way."),
            ),
        ),
        Chapter(
            "Next priorities",
            (Items("Open actions", ("action", "priority")), Blank("priorities", "What next week is for, by whom.")),
        ),
        Chapter("Asks", (Items("Open asks", ("ask",)), Blank("asks", "What is needed from whom."))),
        Chapter(
            "Dashboard", (Decision("Decision"), Scorecards("Scorecards"), Funnels("Funnel"), HeatMap("Users a day by feature"))
        ),
        Chapter(
            "Feedback",
            (
                Kpis("Satisfaction", ("nps", "csat", "survey_response")),
                Split("Themes", ("feedback_themes",), by="theme"),
                Kpis("Support", SUPPORTED),
                Split("Tickets by category", ("tickets",), by="category"),
                Blank("voices", "What users said, in their words."),
            ),
        ),
        Chapter(
            "Appendix",
            (
                Daily("Day by day", ("dau", "requests", "error_rate", "request_latency.mean", "availability")),
                Split("By account", ("wau", "feature_uses", "tickets"), by="account"),
                Trend("Users active in a week", "wau"),
            ),
        ),
    ),
)

IMPLEMENTATION = Layout(
    name="implementation",
    title="Implementation",
    window="month",
    chapters=(
        Chapter(
            "On the way",
            (
                Kpis("Accounts", ("account_activation", "time_to_activation.mean", "time_to_first_value.mean")),
                Kpis("Users", ("user_activation", "ftue_completion", "training_completion", "first_value_achieved")),
                Split("Milestones", ("time_to_milestone.mean", "time_to_milestone.count"), by="milestone"),
                Funnels("Funnel"),
            ),
        ),
        Chapter(
            "Open points", (Items("Risks, blockers, actions", ("risk", "blocker", "action")), Blank("notes", "What is next."))
        ),
    ),
)

DAILY = Layout(
    name="daily",
    title="Daily health",
    window="day",
    chapters=(
        Chapter("The day", (Misses("What misses its target"), Kpis("Service", SERVICE), Kpis("Delivery", DELIVERY))),
        Chapter("Use", (Kpis("Users", ("dau", "new_users", "feature_uses")), Trend("Users active in a day", "dau", 14))),
        Chapter("Incidents and tickets", (Kpis("Incidents", INCIDENTS), Incidents("Opened"), Kpis("Support", SUPPORTED))),
    ),
)

MONTHLY = Layout(
    name="monthly",
    title="Monthly business review",
    window="month",
    chapters=(
        Chapter("Summary", (Blank("summary", "The month in three sentences."), Misses("What misses its target"))),
        Chapter(
            "Revenue",
            (
                Kpis("Revenue", ("mrr", "arr", "arpa", "customers", "new_customers", "customer_churn", "revenue_churn")),
                Kpis(
                    "Movements",
                    (
                        "mrr_movement.new",
                        "mrr_movement.expansion",
                        "mrr_movement.reactivation",
                        "mrr_movement.contraction",
                        "mrr_movement.churned",
                        "mrr_movement",
                    ),
                ),
                Trend("MRR", "mrr", 12),
            ),
        ),
        Chapter(
            "Adoption",
            (
                Kpis("Users", ("mau", "mau_share", "stickiness_monthly", "period_retention", "new_users", "dormant_users")),
                Split("Features", ("feature_adoption", "feature_uses"), by="feature"),
                Trend("Users active in a month", "mau", 12),
            ),
        ),
        Chapter("Service", (Kpis("Service", SERVICE), Kpis("Delivery", DELIVERY), Kpis("Incidents", INCIDENTS))),
        Chapter(
            "Customers", (Kpis("Satisfaction", ("nps", "csat")), Kpis("Support", SUPPORTED), Kpis("Recovery", ("recovery",)))
        ),
        Chapter("Outlook", (Items("Risks and opportunities", ("risk", "opportunity")), Blank("outlook", "What comes next."))),
    ),
)

LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {each.name: each for each in (WEEKLY, CUSTOMER, SLA, NPS, SUPPORT, IMPLEMENTATION, DAILY, MONTHLY, PORTFOLIO)}
)
