"""Whose KPI is whose: the catalogs of tenants with formulas of their own, read again when they have a new version."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from service.catalog import Catalog, catalog_of
from service.domain.config.versions import TenantConfigs
from service.store.config import load_configs
from service.store.engine import Connection
from service.store.tenants import tenants_named


@dataclass(slots=True)
class Owners:
    """Remembers what such tenants declare."""

    catalog: Catalog
    _configs: dict[int, TenantConfigs] = field(default_factory=dict)

    async def of(self, connection: Connection, names: Collection[str], now_us: int) -> Mapping[str, Catalog]:
        """The catalogs of tenants, by name, as declared now."""
        if not names:
            return {}
        tenants = await tenants_named(connection, names)
        stale = [
            each.id for each in tenants if each.id not in self._configs or self._configs[each.id].version != each.config_version
        ]
        if stale:
            self._configs |= await load_configs(connection, stale)
        return {each.name: catalog_of(self.catalog, self._configs[each.id].at(now_us)) for each in tenants}
