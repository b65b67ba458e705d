"""The relations of support in the order in which each reads those before it: tickets, limits, credits."""

from collections.abc import Callable, Mapping

from service.catalog import (
    relations_credits,
    relations_limits,
    relations_reach,
    relations_settled,
    relations_sla,
    relations_tickets,
)
from service.catalog.kpi import Head

BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    **relations_tickets.BUILT,
    **relations_reach.BUILT,
    **relations_limits.BUILT,
    **relations_sla.BUILT,
    **relations_settled.BUILT,
    **relations_credits.BUILT,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    **relations_tickets.NEEDS,
    **relations_reach.NEEDS,
    **relations_limits.NEEDS,
    **relations_sla.NEEDS,
    **relations_settled.NEEDS,
    **relations_credits.NEEDS,
}
