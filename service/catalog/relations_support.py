"""The relations of support in the order in which each reads those before it: tickets, limits, credits."""

from collections.abc import Callable, Mapping

from service.catalog import relations_credits, relations_sla, relations_tickets
from service.catalog.kpi import Head

BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    **relations_tickets.BUILT,
    **relations_sla.BUILT,
    **relations_credits.BUILT,
}
NEEDS: Mapping[str, tuple[str, ...]] = {**relations_tickets.NEEDS, **relations_sla.NEEDS, **relations_credits.NEEDS}
