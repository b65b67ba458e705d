"""Relations that are made for a question: of accounts, of facts, of users, of seconds, of cases."""

from collections.abc import Callable, Mapping

from service.catalog import (
    relations_accounts,
    relations_activation,
    relations_cases,
    relations_customers,
    relations_deliveries,
    relations_downtime,
    relations_economics,
    relations_facts,
    relations_features,
    relations_feedback,
    relations_funnel,
    relations_items,
    relations_people,
    relations_recovery,
    relations_seconds,
    relations_sessions,
    relations_sets,
    relations_slo,
    relations_slo_time,
    relations_sources,
    relations_support,
    relations_users,
)
from service.catalog.kpi import Head

Build = Callable[[Head, tuple[str, ...], frozenset[str]], str]
"""Makes a relation's statement of the head, the split and the names of the filters."""

BUILT: Mapping[str, Build] = {
    **relations_accounts.BUILT,
    **relations_facts.BUILT,
    **relations_users.BUILT,
    **relations_people.BUILT,
    **relations_features.BUILT,
    **relations_sets.BUILT,
    **relations_activation.BUILT,
    **relations_funnel.BUILT,
    **relations_seconds.BUILT,
    **relations_sessions.BUILT,
    **relations_sources.BUILT,
    **relations_cases.BUILT,
    **relations_deliveries.BUILT,
    **relations_downtime.BUILT,
    **relations_support.BUILT,
    **relations_customers.BUILT,
    **relations_feedback.BUILT,
    **relations_recovery.BUILT,
    **relations_items.BUILT,
    **relations_economics.BUILT,
    **relations_slo.BUILT,
    **relations_slo_time.BUILT,
    **relations_slo.COUNTS,
}
"""In an order in which each reads only those before it."""
NEEDS: Mapping[str, tuple[str, ...]] = {
    **relations_accounts.NEEDS,
    **relations_facts.NEEDS,
    **relations_users.NEEDS,
    **relations_people.NEEDS,
    **relations_features.NEEDS,
    **relations_sets.NEEDS,
    **relations_activation.NEEDS,
    **relations_funnel.NEEDS,
    **relations_seconds.NEEDS,
    **relations_sessions.NEEDS,
    **relations_sources.NEEDS,
    **relations_cases.NEEDS,
    **relations_deliveries.NEEDS,
    **relations_downtime.NEEDS,
    **relations_support.NEEDS,
    **relations_customers.NEEDS,
    **relations_feedback.NEEDS,
    **relations_recovery.NEEDS,
    **relations_items.NEEDS,
    **relations_economics.NEEDS,
    **relations_slo.NEEDS,
    **relations_slo_time.NEEDS,
}
