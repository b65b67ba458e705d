"""The reports that there are, each declared as chapters of asks."""

from collections.abc import Mapping
from types import MappingProxyType

from service.reports.layout import (
    Blank,
    Chapter,
    Daily,
    Decision,
    Funnels,
    Health,
    HeatMap,
    Incidents,
    Items,
    Kpis,
    Layout,
    Misses,
    Portfolio,
    Risk,
    Scorecards,
    Split,
    Trend,
)

_DELIVERY = ("delivery_on_time", "delivery_success", "delivery_retried", "delivery_failed", "delivery_dead_lettered")
_SERVICE = ("availability", "request_latency.mean", "request_latency.p95", "request_latency.p99", "error_rate", "api_success")
_INCIDENTS = ("incidents", "incidents{severity=P0,P1}", "mttd.mean", "mtta.mean", "mttr.mean", "open_incidents")
_SUPPORT = ("tickets", "first_response_time.mean", "resolution_time.mean", "support_sla", "ticket_escalation")

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
                Kpis("Service", _SERVICE),
                Kpis("Delivery", _DELIVERY),
                Split("By integration", ("deliveries", "delivery_on_time", "delivery_latency.p95"), by="integration"),
                Trend("Availability", "availability"),
            ),
        ),
        Chapter(
            "Incidents",
            (
                Kpis("Incidents", _INCIDENTS),
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
                Kpis("Support", _SUPPORT),
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

CUSTOMER = Layout(
    name="customer",
    title="Customer scorecard",
    window="month",
    of_account=True,
    chapters=(
        Chapter(
            "Scorecard",
            (
                Decision("Decision"),
                Blank("decision", "What follows from it, and why."),
                Scorecards("Scorecards"),
                Misses("What misses its target"),
            ),
        ),
        Chapter("Health and churn risk", (Health("Health by category"), Risk("Churn risk"))),
        Chapter(
            "Adoption",
            (
                Kpis("Users", ("user_activation", "seat_use", "mau", "mau_share", "average_dau", "repeat_visit")),
                Split("Features", ("feature_users", "feature_uses"), by="feature"),
                Trend("Users active in a month", "mau"),
            ),
        ),
        Chapter(
            "Delivery",
            (Kpis("Delivery", _DELIVERY), Split("By integration", ("deliveries", "delivery_on_time"), by="integration")),
        ),
        Chapter("Service level", (Kpis("Service", _SERVICE), Kpis("Incidents", _INCIDENTS), Incidents("Opened"))),
        Chapter("Support", (Kpis("Support", _SUPPORT),)),
        Chapter("Satisfaction", (Kpis("Satisfaction", ("nps", "csat")), Blank("voices", "What they said."))),
        Chapter("Open points", (Items("Tracked items", ("risk", "action", "blocker", "opportunity", "intervention")),)),
    ),
)

SLA = Layout(
    name="sla",
    title="SLA and credits",
    window="month",
    chapters=(
        Chapter("Summary", (Misses("What misses its target"), Blank("summary", "What was promised, and what was kept."))),
        Chapter(
            "Support SLA",
            (
                Kpis("Limits met", ("support_sla", "first_response_time.p95", "resolution_time.p95", "ticket_escalation")),
                Split("By account", ("support_sla", "tickets"), by="account"),
                Split("By priority", ("support_sla", "tickets"), by="priority"),
            ),
        ),
        Chapter("Credits", (Split("By account", ("support_credits",), by="account"),)),
        Chapter("Service level", (Kpis("Service", _SERVICE), Trend("Availability", "availability", 12))),
        Chapter("Delivery", (Kpis("Delivery", _DELIVERY), Split("By integration", ("delivery_on_time",), by="integration"))),
        Chapter("Incidents", (Kpis("Incidents", _INCIDENTS), Incidents("Opened"))),
    ),
)

NPS = Layout(
    name="nps",
    title="NPS of the quarter",
    window="quarter",
    chapters=(
        Chapter(
            "Result",
            (Kpis("NPS", ("nps", "nps.promoters", "nps.passives", "nps.detractors", "nps.count")), Trend("NPS", "nps", 6)),
        ),
        Chapter("Who answered", (Kpis("Answers", ("survey_response", "detractor_follow_up")),)),
        Chapter("By account", (Split("By account", ("nps", "nps.count"), by="account"),)),
        Chapter(
            "Themes", (Split("By theme", ("feedback_themes",), by="theme"), Blank("voices", "What they said, in their words."))
        ),
    ),
)

SUPPORT = Layout(
    name="support",
    title="Support report",
    window="month",
    chapters=(
        Chapter("Summary", (Kpis("Support", (*_SUPPORT, "open_tickets", "first_contact_resolution")), Misses("Missed"))),
        Chapter(
            "Tickets",
            (
                Split("By category", ("tickets", "first_response_time.mean", "resolution_time.mean"), by="category"),
                Split("By priority", ("tickets", "first_response_time.mean", "resolution_time.mean"), by="priority"),
                Daily("Day by day", ("tickets", "tickets.resolved")),
            ),
        ),
        Chapter("By account", (Split("By account", ("tickets", "support_sla"), by="account"),)),
        Chapter("Satisfaction", (Kpis("After a ticket", ("csat{survey=support_csat}",)), Blank("notes", "What stood out."))),
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
        Chapter("The day", (Misses("What misses its target"), Kpis("Service", _SERVICE), Kpis("Delivery", _DELIVERY))),
        Chapter("Use", (Kpis("Users", ("dau", "new_users", "feature_uses")), Trend("Users active in a day", "dau", 14))),
        Chapter("Incidents and tickets", (Kpis("Incidents", _INCIDENTS), Incidents("Opened"), Kpis("Support", _SUPPORT))),
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
        Chapter("Service", (Kpis("Service", _SERVICE), Kpis("Delivery", _DELIVERY), Kpis("Incidents", _INCIDENTS))),
        Chapter("Customers", (Kpis("Satisfaction", ("nps", "csat")), Kpis("Support", _SUPPORT), Kpis("Recovery", ("recovery",)))),
        Chapter("Outlook", (Items("Risks and opportunities", ("risk", "opportunity")), Blank("outlook", "What comes next."))),
    ),
)

PORTFOLIO = Layout(
    name="portfolio",
    title="Churn-risk portfolio",
    window="week",
    chapters=(
        Chapter(
            "Summary",
            (
                Blank("summary", "Who may leave, what that would cost, and what is done about it."),
                Kpis("At a glance", ("customers", "mrr", "churn_risk", "churn_risk.red", "churn_risk.orange", "revenue_churn")),
                Portfolio("Customers by band", "picture"),
            ),
        ),
        Chapter(
            "Bands",
            (
                Portfolio("By band", "bands"),
                Portfolio("Moves since a week before", "moves"),
                Portfolio("Who stayed of those of three months before", "retention"),
            ),
        ),
        Chapter("Reasons", (Portfolio("What speaks against customers", "reasons"),)),
        Chapter(
            "What is at stake",
            (
                Portfolio("Risk, contract value and expansion", "matrix"),
                Blank("priorities", "Whom to keep first, whom to win more of."),
            ),
        ),
        Chapter("Customers at risk", (Portfolio("The highest risk first", "customers"),)),
        Chapter(
            "What is done",
            (
                Items("Interventions and risks", ("intervention", "risk")),
                Blank("interventions", "What was tried, and what it did."),
            ),
        ),
    ),
)

LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {each.name: each for each in (WEEKLY, CUSTOMER, SLA, NPS, SUPPORT, IMPLEMENTATION, DAILY, MONTHLY, PORTFOLIO)}
)
