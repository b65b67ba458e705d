"""The KPIs of a tenant's own formulas, beside those of the catalog."""

from collections.abc import Iterator, Mapping
from functools import lru_cache

import msgspec

from service.catalog.formulas import FORMULA, Pending, live_where_its_kpis_are, resolve
from service.catalog.kpi import Head, Kpi
from service.catalog.loader import Catalog, with_scores
from service.domain.config import TenantConfig
from service.domain.config.reports import Formula

FAMILY = "Own"
REMEMBERED_CATALOGS = 1_000


def catalog_of(catalog: Catalog, config: TenantConfig) -> Catalog:
    """The catalog with the KPIs of a tenant's formulas; the same object for the same formulas.

    A formula that a later release of the catalog leaves without one of its KPIs, or takes the id of, is left out.
    """
    return _with(catalog, config.formulas) if config.formulas else catalog


def kpis_of(catalog: Catalog, configs: Mapping[int, TenantConfig]) -> Iterator[tuple[Kpi, list[int]]]:
    """Every KPI with the tenants that have it: those of the catalog, formulas of a tenant's own, and what rests on them."""
    having: dict[Catalog, list[int]] = {}
    for tenant, config in configs.items():
        having.setdefault(catalog_of(catalog, config), []).append(tenant)
    found: dict[Kpi, list[int]] = {}
    for each, tenants in having.items():
        for kpi in each.kpis.values():
            found.setdefault(kpi, []).extend(tenants)
    yield from found.items()


@lru_cache(maxsize=REMEMBERED_CATALOGS)
def _with(catalog: Catalog, formulas: tuple[Formula, ...]) -> Catalog:
    pending = {each.id: Pending(_head(each), "") for each in formulas if each.id not in catalog.kpis}
    made, _ = resolve(pending, catalog.kpis)
    for kpi in made.values():
        kpi.head = msgspec.structs.replace(kpi.head, live=live_where_its_kpis_are(kpi))
    return Catalog(with_scores({**catalog.kpis, **made}), catalog.refused)


def _head(formula: Formula) -> Head:
    return Head(
        id=formula.id,
        title=formula.id.replace("_", " ").capitalize(),
        definition=formula.expression,
        family=FAMILY,
        unit=formula.unit,
        kind=FORMULA,
        better=formula.better,
        formula=formula.expression,
    )
