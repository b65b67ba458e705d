"""Every KPI of the catalog is held against plain loops over random streams, or it is named here where it is held to what."""

import re
from pathlib import Path

from service.catalog import Catalog
from tests.oracle import questions, test_customer_streams, test_ticket_streams

TESTS = Path(__file__).parent.parent
SUBJECTS = (
    *(subject for subjects in questions.SUBJECTS.values() for subject in subjects),
    *test_customer_streams.SUBJECTS,
    *test_customer_streams.ECONOMIC,
    *test_customer_streams.OPINIONS,
    *test_ticket_streams.SUBJECTS,
)
FORMULA = "its operands are in the oracle, how they are joined is shown by hand"
BY_HAND = "by hand"
AT_RANDOM = "at random, in a test of its own"
ALIKE = "the statement of another KPI that is in the oracle, about other events"
ELSEWHERE = {
    "account_activation": (BY_HAND, "catalog/test_pilot_sets.py"),
    "adoption_score": (BY_HAND, "catalog/test_features_together.py"),
    "affected_users": (BY_HAND, "catalog/test_incident_shares.py"),
    "arr": (FORMULA, "catalog/test_customers.py"),
    "burn_rate": (AT_RANDOM, "catalog/test_slos.py"),
    "cac_payback": (FORMULA, "catalog/test_economics.py"),
    "ces": (ALIKE, "catalog/test_satisfaction.py"),
    "churn_risk": (BY_HAND, "catalog/test_customer_scores.py"),
    "clv": (FORMULA, "catalog/test_economics.py"),
    "clv_cac": (FORMULA, "catalog/test_economics.py"),
    "contract_length": (BY_HAND, "catalog/test_customers.py"),
    "data_quality": (BY_HAND, "catalog/test_sources.py"),
    "days_to_renewal": (BY_HAND, "catalog/test_customers.py"),
    "delivery_manual": (BY_HAND, "catalog/test_overdue.py"),
    "delivery_overdue": (BY_HAND, "catalog/test_overdue.py"),
    "error_budget": (AT_RANDOM, "catalog/test_slos.py"),
    "feature_failures": (BY_HAND, "catalog/test_features_together.py"),
    "feature_ratio": (BY_HAND, "catalog/test_features_together.py"),
    "first_recovery_time": (BY_HAND, "catalog/test_recovery.py"),
    "freshness": (AT_RANDOM, "catalog/test_sources.py"),
    "funnel": (BY_HAND, "catalog/test_funnels.py"),
    "health": (BY_HAND, "catalog/test_customer_scores.py"),
    "incident_downtime": (BY_HAND, "catalog/test_incident_shares.py"),
    "incident_escalation": (BY_HAND, "catalog/test_incident_shares.py"),
    "incidents_within_target": (BY_HAND, "catalog/test_incident_shares.py"),
    "mrr_enterprise_share": (FORMULA, "catalog/test_customers.py"),
    "mtbf": (BY_HAND, "catalog/test_incident_shares.py"),
    "pipeline": (BY_HAND, "catalog/test_items.py"),
    "postmortems": (BY_HAND, "catalog/test_incident_shares.py"),
    "power_users": (BY_HAND, "catalog/test_features_together.py"),
    "recovery_buckets": (BY_HAND, "catalog/test_recovery.py"),
    "recovery_net": (FORMULA, "catalog/test_recovery.py"),
    "recovery_roi": (FORMULA, "catalog/test_recovery.py"),
    "renewals_due": (BY_HAND, "catalog/test_customers.py"),
    "seat_use": (BY_HAND, "catalog/test_seats.py"),
    "slo": (AT_RANDOM, "catalog/test_slos.py"),
    "support_credits": (BY_HAND, "catalog/test_support_sla.py"),
    "time_to_activation": (BY_HAND, "catalog/test_pilot_sets.py"),
    "time_to_milestone": (BY_HAND, "catalog/test_milestones.py"),
    "timeliness": ("no replay gives it again", "catalog/test_sources.py"),
    "training_completion": (BY_HAND, "catalog/test_milestones.py"),
    "user_activation": (BY_HAND, "catalog/test_seats.py"),
}
"""Why a KPI is in no random stream, and the test that it is in instead."""


def test_every_kpi_is_held_against_plain_loops_or_says_where_else() -> None:
    here, known = {subject.kpi for subject in SUBJECTS}, set(Catalog.load().kpis)
    assert known - here - ELSEWHERE.keys() == set(), "give it a Subject in tests/oracle, or name the reason"
    assert here & ELSEWHERE.keys() == set(), "it is in the oracle now: take its reason away"
    assert ELSEWHERE.keys() - known == set(), "there is no such KPI"


def test_a_kpi_that_is_shown_elsewhere_is_asked_for_there() -> None:
    texts = {file: (TESTS / file).read_text() for _, file in ELSEWHERE.values()}
    assert [kpi for kpi, (_, file) in ELSEWHERE.items() if not re.search(rf"\b{kpi}\b", texts[file])] == []
