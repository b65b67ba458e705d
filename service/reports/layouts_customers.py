"""The reports about customers: the scorecard of one, SLA and credits, NPS, support, the portfolio of churn risk."""

from service.reports.layout import (
    Attainment,
    Blank,
    Chapter,
    Daily,
    Decision,
    Health,
    Incidents,
    Items,
    Kpis,
    Layout,
    Misses,
    Portfolio,
    Risk,
    Scorecards,
    Split,
    SupportMisses,
    Trend,
)
from service.reports.layouts_shared import CREDITS, DELIVERY, INCIDENTS, SERVICE, SUPPORTED

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
            (Kpis("Delivery", DELIVERY), Split("By integration", ("deliveries", "delivery_on_time"), by="integration")),
        ),
        Chapter("Service level", (Kpis("Service", SERVICE), Kpis("Incidents", INCIDENTS), Incidents("Opened"))),
        Chapter("Support", (Kpis("Support", SUPPORTED), SupportMisses("Limits that were missed"))),
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
                Attainment("By tier"),
                Split("By account", ("support_sla", "tickets"), by="account"),
                Split("By priority", ("support_sla", "tickets"), by="priority"),
                SupportMisses("Limits that were missed"),
            ),
        ),
        Chapter("Credits", (Split("By account", CREDITS, by="account"),)),
        Chapter("Service level", (Kpis("Service", SERVICE), Trend("Availability", "availability", 12))),
        Chapter("Delivery", (Kpis("Delivery", DELIVERY), Split("By integration", ("delivery_on_time",), by="integration"))),
        Chapter("Incidents", (Kpis("Incidents", INCIDENTS), Incidents("Opened"))),
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
        Chapter("Summary", (Kpis("Support", (*SUPPORTED, "open_tickets", "first_contact_resolution")), Misses("Missed"))),
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
