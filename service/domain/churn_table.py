"""The table of churn risk: what adds points to an account's risk, and what takes them away.

Points are those of the catalog of KPIs, `churn_risk`; a tenant changes those of a row by its name in `[churn]`.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

SIGNAL_DAYS: Final = 90
"""How long a signal counts unless it is renewed or taken back."""

Measure = Literal[
    "days_to_contract_end",
    "days_past_renewal",
    "dau_share",
    "training_completion",
    "days_since_use",
    "tickets_or_escalations",
    "nps",
    "nps_fall",
    "support_csat",
    "downtime_h",
    "months_without_rise",
]
"""What a row looks at: days, ratios from 0 to 1, counts of a month, NPS points, a mean score, hours of a month, months."""


_COMPARED: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """When a row applies: its measure against a bound. What has no value meets no condition."""

    measure: Measure
    op: Literal["<", "<=", ">", ">="]
    bound: float


def met(value: Any, condition: Condition) -> Any:
    """Whether a number meets a condition; of an array, which of its numbers do."""
    return _COMPARED[condition.op](value, condition.bound)


@dataclass(frozen=True, slots=True)
class ChurnRow:
    """One row: its name in `[churn]`, its points, and the sentence that names it as a reason."""

    name: str
    points: int
    reason: str
    condition: Condition | None = None
    """None: the account's signal of this name is set."""

    @property
    def is_signal(self) -> bool:
        """Whether a signal of the account decides, and no figure."""
        return self.condition is None


def _when(name: str, points: int, reason: str, measure: Measure, op: Literal["<", "<=", ">", ">="], bound: float) -> ChurnRow:
    return ChurnRow(name, points, reason, Condition(measure, op, bound))


ROWS: Final[tuple[ChurnRow, ...]] = (
    _when("contract_last_90_days", 10, "the contract ends within 90 days", "days_to_contract_end", "<=", 90),
    _when("renewal_past_due", 25, "the renewal is past due", "days_past_renewal", ">", 0),
    _when("dau_share_below_10", 20, "under 10 % of licensed users are active on a business day", "dau_share", "<", 0.1),
    _when("dau_share_below_30", 10, "under 30 % of licensed users are active on a business day", "dau_share", "<", 0.3),
    _when("dau_share_below_50", 5, "under 50 % of licensed users are active on a business day", "dau_share", "<", 0.5),
    _when("training_below_30", 15, "under 30 % of users completed their training", "training_completion", "<", 0.3),
    _when("no_use_30_days", 20, "nobody used the product for 30 days", "days_since_use", ">=", 30),
    _when("many_tickets", 10, "more than 5 tickets or escalations in a month", "tickets_or_escalations", ">", 5),
    _when("nps_below_30", 20, "NPS is under 30", "nps", "<", 30),
    _when("nps_up_to_50", 10, "NPS is 50 or less", "nps", "<=", 50),
    _when("nps_fell", 15, "NPS fell by more than 20 points in a month", "nps_fall", ">", 20),
    _when("support_csat_below_3", 15, "satisfaction with support is under 3", "support_csat", "<", 3),
    _when("downtime_above_5_hours", 25, "more than 5 hours of downtime in a month", "downtime_h", ">", 5),
    _when("no_rise_of_mrr", 5, "MRR did not rise in the 6 months after go-live", "months_without_rise", ">=", 6),
    ChurnRow("contract_disputed", 30, "the contract is disputed"),
    ChurnRow("price_increase", 15, "prices were raised"),
    ChurnRow("review_missed", 5, "a review was missed"),
    ChurnRow("negative_mention", 10, "the customer spoke badly of the product"),
    ChurnRow("stakeholder_departed", 25, "a stakeholder left"),
    ChurnRow("budget_cut", 15, "the budget was cut"),
    ChurnRow("downturn", 10, "the customer's business goes down"),
    ChurnRow("acquired_competitor", 20, "the customer acquired a competitor"),
    ChurnRow("merger", 10, "the customer merges with another company"),
    ChurnRow("delayed", 20, "the implementation is delayed"),
    ChurnRow("data_quality", 15, "the quality of data is poor"),
    ChurnRow("integration_failures", 20, "integrations fail"),
    ChurnRow("billing_questions", 10, "there are questions about billing"),
    ChurnRow("competitor_evaluated", 5, "a competitor is being evaluated"),
    ChurnRow("multi_year_contract", -15, "the contract is for several years"),
    ChurnRow("expansion_discussion", -10, "an expansion is discussed"),
    ChurnRow("sponsor_engaged", -5, "the sponsor is engaged"),
    ChurnRow("milestone_hit", -10, "a milestone was hit"),
    ChurnRow("proactive_feedback", -5, "the customer gives feedback by itself"),
)
"""In the order in which reasons are listed."""

GROUPS: Final[tuple[tuple[str, ...], ...]] = (
    ("dau_share_below_10", "dau_share_below_30", "dau_share_below_50"),
    ("nps_below_30", "nps_up_to_50"),
)
"""Rows of which only the first that applies counts: the stricter bound comes first."""

POINTS: Final[Mapping[str, int]] = MappingProxyType({row.name: row.points for row in ROWS})
"""The points of each row, by its name."""
